"""Another name for `dgmp.analysis.nearest_pages`."""

from dgmp.analysis.nearest_pages import (
    nearest,
    nearest_by_faiss,
)

__all__ = [
    "nearest",
    "nearest_by_faiss",
]
