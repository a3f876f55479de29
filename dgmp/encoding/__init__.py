"""From local descriptors to page descriptors: what follows a page descriptor, and re-ranking."""

from dgmp.encoding.exemplar_svm import ExemplarSVM
from dgmp.encoding.page_descriptors import cosine_distances, without_information
from dgmp.encoding.power_norm import PowerNorm
from dgmp.encoding.reranking import Reranking, rerank
from dgmp.encoding.saving import load, save
from dgmp.encoding.whitening import Whitening

__all__ = [
    "ExemplarSVM",
    "PowerNorm",
    "Reranking",
    "Whitening",
    "cosine_distances",
    "load",
    "rerank",
    "save",
    "without_information",
]
