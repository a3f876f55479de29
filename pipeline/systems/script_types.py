"""Script types by an encoding of local descriptors and a linear SVM, after FAU [18]."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from dgmp.encoding import PowerNorm
from pipeline.shared.settings.base import SCRIPT_TASKS
from pipeline.shared.settings.params import Params
from pipeline.shared.settings.systems import LocalSystem
from pipeline.systems.encoding import build_vlad
from pipeline.systems.local_store import LocalStore

log = logging.getLogger(__name__)


def classify_scripts(params: Params, name: str, system: LocalSystem, folder: Path) -> None:
    """Write <task>-seed<k>.npz for each script task and seed: logits, classes, labels and files.

    C is the first of `script_c` with the best accuracy on the pages of val; the SVM is then
    fitted on train and val, as are the local descriptors' clusters.
    """
    for task in SCRIPT_TASKS:
        source = params.data / system.input / task
        stores = {split: LocalStore(source, (split,)) for split in ("train", "val", "test")}
        if not len(stores["train"]):
            continue
        labels = {
            split: np.array([page.label for page in store.pages]) for split, store in stores.items()
        }
        for seed in system.seeds:
            vlad = build_vlad(system, seed)
            vlad.fit(LocalStore(source, ("train", "val")))
            norm = PowerNorm(system.power)
            rows = {split: norm.fit_transform(vlad.transform(s)) for split, s in stores.items()}
            rows = in_span(rows, ("train", "val"))
            c = _best_c(system.script_c or (1.0,), rows, labels)
            train = np.concatenate([rows["train"], rows["val"]])
            svm = _svm(c).fit(train, np.concatenate([labels["train"], labels["val"]]))
            np.savez(
                folder / f"{task}-seed{seed}.npz",
                logits=_logits(svm, rows["test"]),
                classes=svm.classes_,
                labels=labels["test"],
                files=np.array([page.file for page in stores["test"].pages]),
            )
            log.info("%s, %s seed %d: C = %g", name, task, seed, c)


def in_span(
    rows: dict[str, NDArray[np.floating]], fitted_on: tuple[str, ...]
) -> dict[str, NDArray[np.floating]]:
    """Coordinates of all pages in the span of some of them.

    A linear SVM fitted on those has its weights in their span, so that it is the same one, in as
    many dimensions as there are pages. With 400 pages of 12,800 dimensions and C = 1 it takes 0.1 s
    instead of 7.
    """
    with threadpool_limits(limits=1, user_api="blas"):  # more are slow on a busy machine
        basis, _ = np.linalg.qr(np.concatenate([rows[split] for split in fitted_on]).T)
    return {split: one @ basis for split, one in rows.items()}


def _best_c(
    tried: tuple[float, ...],
    rows: dict[str, NDArray[np.floating]],
    labels: dict[str, NDArray[np.str_]],
) -> float:
    if not len(labels["val"]):
        return tried[0]
    accuracy = [
        _svm(c).fit(rows["train"], labels["train"]).score(rows["val"], labels["val"]) for c in tried
    ]
    return tried[int(np.argmax(accuracy))]


def _svm(c: float) -> LinearSVC:
    # The dual has as many variables as pages, the primal as many as dimensions.
    return LinearSVC(C=c, class_weight="balanced", dual=True, random_state=0, max_iter=20_000)


def _logits(svm: LinearSVC, rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, classes); of two classes, scikit-learn gives one column."""
    found = svm.decision_function(rows)
    both: NDArray[np.floating] = found if found.ndim == 2 else np.stack([-found, found], axis=1)
    return both.astype(np.float32)
