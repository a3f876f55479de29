"""Try settings of a system on training writers alone, each by itself.

    python -m pipeline.tools.choose_constants sift-gmp lambda=0.1,1,10 chain.c=1,10

The writers of train and val are halved; the system is fitted on one half and ranks the pages of the
other, and the other way round. No page of the test set is read. Each setting takes the values given
while all others are as in params.yaml. Reads data/<profile>/describe/ (or another `input`), writes
reports/<profile>/constants/<system>.csv: mAP after each step, mean of both halves and all seeds.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from tqdm import tqdm

from dgmp.metrics import evaluate_ranking
from pipeline.shared.files import write_csv
from pipeline.shared.settings.params import ParamsError, load_params
from pipeline.shared.settings.systems import STEPS, Chain, LocalSystem
from pipeline.shared.stage import run
from pipeline.systems.chain import PageVectors, climb
from pipeline.systems.encoding import FITTED_ON, build_vlad
from pipeline.systems.local_store import LocalStore

log = logging.getLogger(__name__)


def main() -> None:
    params = load_params()
    name, *wanted = sys.argv[1:] or [""]
    system = params.systems.get(name)
    if not isinstance(system, LocalSystem):
        known = [one for one, other in params.systems.items() if isinstance(other, LocalSystem)]
        raise ParamsError(f"system {name!r} is not one of local descriptors: {', '.join(known)}")
    tried = list(variants(system, params.chain, wanted))
    store = LocalStore(params.data / system.input / "writers", FITTED_ON)
    labels = np.array([page.label for page in store.pages])
    halves = halve(labels, np.random.default_rng(0))
    pages = list(store)
    rows = []
    encoded: dict[str, PageVectors] = {}
    for setting, value, one, chain in tqdm(tried, desc=name, unit="setting", disable=None):
        scores = two_fold(pages, labels, halves, one, chain, encoded)
        rows.append({"setting": setting, "value": value} | scores)
        log.info("%s", "  ".join(f"{key} {entry}" for key, entry in rows[-1].items()))
    file = params.reports / "constants" / f"{name}.csv"
    write_csv(file, pd.DataFrame(rows), decimals=2)
    log.info("%s: %d training writers", file, len(np.unique(labels)))


def variants(
    system: LocalSystem, chain: Chain, wanted: Sequence[str]
) -> Iterator[tuple[str, Any, LocalSystem, Chain]]:
    """Setting, value, and the settings with it; first those of params.yaml.

    Raises:
        ParamsError: a wanted setting is not of the form key=value,value, or has no such key.
    """
    yield "", "", system, chain
    for text in wanted:
        key, equals, values = text.partition("=")
        of_chain = key.startswith("chain.")
        path = key.removeprefix("chain.").split(".")
        if not equals:
            raise ParamsError(f"{text!r} is not of the form key=value,value")
        for value in values.split(","):
            section = (chain if of_chain else system).model_dump(by_alias=True)
            inner = section
            for part in path[:-1]:
                inner = inner.get(part, {})
            if path[-1] not in inner:
                raise ParamsError(f"{key!r} is not a setting of the system or the chain")
            inner[path[-1]] = parsed = yaml.safe_load(value)
            if of_chain:
                yield key, parsed, system, Chain.model_validate(section)
            else:
                yield key, parsed, LocalSystem.model_validate(section), chain


def halve(labels: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Whether each page is in the first half: all pages of a writer are in the same one."""
    writers = rng.permutation(np.unique(labels))
    return np.isin(labels, writers[: len(writers) // 2])


def two_fold(
    pages: Sequence[NDArray[np.float32]],
    labels: NDArray[np.str_],
    first: NDArray[np.bool_],
    system: LocalSystem,
    chain: Chain,
    encoded: dict[str, PageVectors],
) -> dict[str, float]:
    """mAP in percent after each step, mean of both halves and all seeds.

    `encoded` keeps the vectors of settings that were tried: those of the chain need no others.
    """
    found: dict[str, list[float]] = {step: [] for step in STEPS}
    for seed in system.seeds:
        for ranked in (first, ~first):
            vlad = build_vlad(system, seed)
            key = f"{vlad.get_params()} {ranked is first}"
            if key not in encoded:
                train, test = (
                    [page for page, inside in zip(pages, of, strict=True) if inside]
                    for of in (~ranked, ranked)
                )
                vlad.fit(train)
                encoded[key] = PageVectors(vlad.transform(train), vlad.transform(test))
            for step, distances in climb(system, chain, encoded[key]):
                scores = evaluate_ranking(distances, labels[ranked])
                found[step].append(scores.mean_average_precision)
    return {step: round(float(np.mean(values)), 2) for step, values in found.items()}


if __name__ == "__main__":
    run(main)
