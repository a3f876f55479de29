"""The chain behind a page descriptor: whitened, Exemplar-SVM, re-ranked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmp.encoding import (
    ExemplarSVM,
    PowerNorm,
    Whitening,
    cosine_distances,
    rerank,
    without_information,
)
from pipeline.shared.settings.systems import STEPS, Chain, Step, System

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PageVectors:
    """Descriptors of pages: of those that the chain is fitted on, and of those that are ranked.

    Attributes:
        train: (m, D), pages of train and val.
        test: (n, D), pages of test.
        raw: (n, n) distances of the test pages by the system's own metric; None for the cosine
            after `PowerNorm`.
    """

    train: NDArray[np.floating]
    test: NDArray[np.floating]
    raw: NDArray[np.floating] | None = None

    @property
    def informative(self) -> bool:
        """Whether the chain can be fitted: two training pages hold something."""
        return int(np.count_nonzero(~without_information(self.train))) > 1


def climb(system: System, chain: Chain, vectors: PageVectors) -> Iterator[tuple[Step, Floats]]:
    """Distances (n, n) of the test pages after each step; only the last one reads other test pages.

    Everything is fitted on the training pages, whose writers are others than those of the test
    pages: they are the negatives of each Exemplar-SVM as well. Without anything to fit on, as of
    the background of pages that others binarized, all pages are equally far.
    """
    if not vectors.informative:
        yield from ((step, cosine_distances(np.zeros_like(vectors.test))) for step in STEPS)
        return
    norm = PowerNorm(system.power)
    train, test = norm.fit_transform(vectors.train), norm.fit_transform(vectors.test)
    yield "raw", cosine_distances(test) if vectors.raw is None else vectors.raw.astype(np.float32)
    whitening = Whitening(chain.components, chain.shrinkage).fit(train)
    white = whitening.transform(test)
    yield "whitened", cosine_distances(white)
    if system.svm_of == "whitened":
        train, test = whitening.transform(train), white
    exemplars = ExemplarSVM(chain.c).fit(train).transform(test)
    yield "esvm", cosine_distances(exemplars)
    yield "reranked", rerank(exemplars, "sgr", **chain.rerank.model_dump())
