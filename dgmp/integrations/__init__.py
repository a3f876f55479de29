"""The poolings in networks of timm, torchvision, transformers and sentence-transformers.

Needs PyTorch alone: a network is known by its class, and no library is imported for it.
"""

from dgmp.integrations.adapters import MapPooling, TokenPooling
from dgmp.integrations.parameter_groups import pooling_parameters
from dgmp.integrations.replacement import Replacement, replace_pooling
from dgmp.integrations.sentences import SentencePooling

__all__ = [
    "MapPooling",
    "Replacement",
    "SentencePooling",
    "TokenPooling",
    "pooling_parameters",
    "replace_pooling",
]
