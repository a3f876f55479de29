"""From a page to its descriptor without a network: local descriptors, encoding, what follows."""

from dgmp.encoding.exemplar_svm import ExemplarSVM
from dgmp.encoding.local_descriptors import LocalDescriptors
from dgmp.encoding.page_descriptors import cosine_distances, without_information
from dgmp.encoding.power_norm import PowerNorm
from dgmp.encoding.reranking import Reranking, rerank
from dgmp.encoding.saving import load, save
from dgmp.encoding.vlad import VLAD
from dgmp.encoding.whitening import Whitening

__all__ = [
    "VLAD",
    "ExemplarSVM",
    "LocalDescriptors",
    "PowerNorm",
    "Reranking",
    "Whitening",
    "cosine_distances",
    "load",
    "rerank",
    "save",
    "without_information",
]
