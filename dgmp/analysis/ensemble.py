"""Ensembles of classifiers, section IV-C.2 of the paper.

Each function takes the last linear layer's outputs of M models for the same n pages and C
classes, and returns (n, C) scores whose largest is the prediction, ready for
`dgmp.metrics.evaluate_classification`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax

Floats = NDArray[np.float64]


def average_probabilities(logits: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """Average the models' softmax outputs, "each weighted by its validation accuracy".

    Args:
        logits: (M, n, C).
        weights: (M,) validation accuracies, in any unit; None weighs all models the same, and
            so do accuracies that are all zero, since they tell no model from another.

    Returns:
        (n, C) probabilities.

    Raises:
        ValueError: on shapes that do not match, values that are not finite, negative weights.

    The second model is surer, but the first one counts three times as much.

    >>> models = np.log([[[0.6, 0.4]], [[0.2, 0.8]]])
    >>> average_probabilities(models).round(3).tolist()
    [[0.4, 0.6]]
    >>> average_probabilities(models, weights=[90.0, 30.0]).round(3).tolist()
    [[0.5, 0.5]]
    """
    outputs = _require_models(logits)
    shares = np.ones(len(outputs)) if weights is None else np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(outputs),):
        raise ValueError(
            f"weights must be ({len(outputs)},), one for each model, got shape {shares.shape}"
        )
    if not np.isfinite(shares).all() or (shares < 0).any():
        raise ValueError(f"weights must be finite and not negative, got {shares.tolist()}")
    if not shares.any():
        shares = np.ones(len(outputs))
    averaged: Floats = np.tensordot(shares / shares.sum(), softmax(outputs, axis=-1), axes=1)
    return averaged


def majority_vote(logits: ArrayLike) -> Floats:
    """Votes of the models; among classes with equal votes the larger summed probability wins.

    Args:
        logits: (M, n, C).

    Returns:
        (n, C) number of votes, plus half the mean probability, which only ever decides ties.

    Raises:
        ValueError: as `average_probabilities`.

    One vote each; the second model is the surer one.

    >>> majority_vote(np.log([[[0.6, 0.4]], [[0.2, 0.8]]])).round(3).tolist()
    [[1.2, 1.3]]
    """
    outputs = _require_models(logits)
    votes = outputs.argmax(axis=2)[..., None] == np.arange(outputs.shape[2])
    return votes.sum(axis=0) + average_probabilities(outputs) / 2


def _require_models(logits: ArrayLike) -> Floats:
    outputs = np.asarray(logits, dtype=np.float64)
    if outputs.ndim != 3 or not outputs.size:
        raise ValueError(
            f"logits must be (models, pages, classes) of at least one each, got shape "
            f"{outputs.shape}"
        )
    bad = np.flatnonzero(~np.isfinite(outputs).all(axis=(1, 2)))
    if len(bad):
        raise ValueError(f"logits of model {bad[0]} are not finite")
    return outputs
