"""Global pooling: layers, functions, and the ridge regression behind DGMP. Needs PyTorch alone."""

from dgmp.pooling.layers import DGMP, POOLINGS, build_pooling

__all__ = ["DGMP", "POOLINGS", "build_pooling"]
