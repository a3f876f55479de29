"""A system's descriptors of all pages, and its distances of the test pages after each step."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from dgmp.encoding import VLAD, save, without_information
from dgmp.encoding.handcrafted import FEATURES, distance_matrix
from pipeline.shared.page_lists import Page, read_pages
from pipeline.shared.settings.params import Params
from pipeline.shared.settings.systems import LocalSystem, NetworkSystem, PageSystem
from pipeline.systems.chain import PageVectors, climb
from pipeline.systems.local_store import LocalStore
from pipeline.systems.page_features import page_features

log = logging.getLogger(__name__)

FITTED_ON, RANKED = ("train", "val"), ("test",)


def encode_system(params: Params, name: str, folder: Path) -> None:
    """Write seed<k>.npz for each run of a system, seconds.json, and the encoder of the first run.

    An archive holds the distances (n, n) float32 after each step (raw, whitened, esvm, reranked),
    and labels, files and `without_information` (n,) of the test pages.
    """
    system = params.systems[name]
    seconds: list[dict[str, float]] = []
    clock = time.perf_counter()
    for seed, pages, vectors in _runs(params, name, folder):
        spent = {"encode": time.perf_counter() - clock}
        distances: dict[str, NDArray[np.float32]] = {}
        clock = time.perf_counter()
        for step, found in climb(system, params.chain, vectors):
            distances[step] = found
            spent[step] = time.perf_counter() - clock
            clock = time.perf_counter()
        seconds.append({"seed": seed} | {key: round(value, 2) for key, value in spent.items()})
        empty = without_information(vectors.test) | (not vectors.informative)
        np.savez(
            folder / f"seed{seed}.npz",
            labels=np.array([page.label for page in pages]),
            files=np.array([page.file for page in pages]),
            without_information=empty,
            **distances,  # type: ignore[arg-type]
        )
        if empty.any():
            log.warning(
                "%s: %d of %d test pages hold too little to describe and are never found: %s",
                name,
                empty.sum(),
                len(empty),
                ", ".join(page.file for page, one in zip(pages, empty, strict=True) if one),
            )
        clock = time.perf_counter()
    (folder / "seconds.json").write_text(json.dumps(seconds, indent=1) + "\n", encoding="utf-8")


def build_vlad(system: LocalSystem, seed: int) -> VLAD:
    """The encoder of a system, not fitted yet."""
    return VLAD(
        centres=system.centres,
        dimensions=system.dimensions,
        pooling=system.pooling,
        lambda_=system.lambda_,
        relative=system.relative,
        residuals=system.residuals,
        vocabularies=system.vocabularies,
        sample=system.sample,
        least=system.least,
        seed=seed,
    )


def _runs(params: Params, name: str, folder: Path) -> Iterator[tuple[int, list[Page], PageVectors]]:
    """Seed, test pages and vectors of each run."""
    system, seeds = params.systems[name], params.system_seeds(name)
    if isinstance(system, PageSystem):
        yield 0, *_page_vectors(params, system)
        return
    source = params.data / system.input
    for seed in tqdm(seeds, desc=name, unit="run", disable=None):
        if isinstance(system, NetworkSystem):
            yield seed, *_network_vectors(source / f"seed{seed}.npz", system)
            continue
        train, test = (LocalStore(source / "writers", splits) for splits in (FITTED_ON, RANKED))
        vlad = build_vlad(system, seed).fit(train)
        yield seed, test.pages, PageVectors(vlad.transform(train), vlad.transform(test))
        if seed == seeds[0]:
            save(vlad, folder / "encoder")


def _page_vectors(params: Params, system: PageSystem) -> tuple[list[Page], PageVectors]:
    pages = read_pages(params.data / system.input / "pages.csv")
    features = page_features(params, system)
    ranked = np.array([page.split in RANKED for page in pages])
    train, test = features[~ranked], features[ranked]
    metric = FEATURES[system.feature].metric
    if metric == "euclidean":  # numbers of different units
        scale = StandardScaler().fit(train[~without_information(train)])
        empty = without_information(test)
        train, test = scale.transform(train), scale.transform(test)
        test[empty] = 0
    raw = distance_matrix(test, metric)
    return [page for page in pages if page.split in RANKED], PageVectors(train, test, raw)


def _network_vectors(file: Path, system: NetworkSystem) -> tuple[list[Page], PageVectors]:
    with np.load(file, allow_pickle=False) as archive:
        rows = [Page(*row) for row in archive["pages"].tolist()]
        vectors = archive[system.pooling]
    ranked = np.array([page.split in RANKED for page in rows])
    test = [page for page in rows if page.split in RANKED]
    # Means of patches are ranked as in Table II; the squared distance gives the same order.
    raw = distance_matrix(vectors[ranked], "euclidean") if system.pooling == "patch" else None
    return test, PageVectors(vectors[~ranked], vectors[ranked], raw)
