"""Global pooling: layers, functions, and the ridge regression behind DGMP. Needs PyTorch alone."""

from dgmp.pooling.layers import DGMP
from dgmp.pooling.registry import POOLINGS, build_pooling
from dgmp.pooling.streaming import StreamingGMP

__all__ = ["DGMP", "POOLINGS", "StreamingGMP", "build_pooling"]
