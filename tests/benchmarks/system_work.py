"""Work of the systems of Table IV in the profile `paper`, counted in core-hours.

`python -m tests.benchmarks.count_work` prints it.
"""

from __future__ import annotations

from collections import Counter

from pipeline.shared.settings.params import Params
from pipeline.shared.settings.systems import LocalSystem

TRAINING, TEST = 394 * 3, 720 * 5
"""Pages of ICDAR17-WI that the systems are fitted on, validation pages among them, and ranked."""

RATES = {
    "describe": 0.32,
    "train on patches": 1690.0,
    "activations": 6090.0,
    ("sum", 64, 1): 138.0,
    ("gmp", 64, 1): 119.0,
    ("sum", 64, 5): 75.0,
    ("gmp", 64, 5): 36.0,
    "whiten": 0.7,
    "exemplar SVMs": 21.0,
    "re-rank": 0.45,
}
"""What a core does a second of processor time, with one thread.

Measured once on an Intel Xeon of 2.5 GHz (family 6, model 85), while other programs ran on it.
Pages of 2000 x 1500 pixels with 2500 descriptors; patches of 32 x 32 with 5000 classes; pages
encoded by pooling, entries of a residual and vocabularies; whitening of 12,800 entries fitted on
1182 pages, with the transform of as many; SVMs of a page against 1182, their Gram matrix among it;
re-ranking of 3600 pages of 400 entries.
"""


def core_hours(params: Params) -> dict[str, tuple[str, int, float]]:
    """Unit, amount, and amount a second of each step, for all systems and runs of Table IV."""
    params = params.model_copy(update={"profile": "paper"})  # whose seeds count
    settings = params.active.surrogates
    pages = TRAINING + TEST
    runs = sum(len(params.system_seeds(name)) for name in params.tables.table4)
    encoded: Counter[tuple[str, int, int]] = Counter()
    for name in params.tables.table4:
        system = params.systems[name]
        if isinstance(system, LocalSystem):
            # SIFT has 128 entries, the last volume of the network four times its width.
            width = 4 * settings.width if system.input == "activations" else 128
            kind = system.pooling, system.dimensions or width, system.vocabularies
            encoded[kind] += pages * len(params.system_seeds(name))
    rows = {
        "describe": ("pages", pages, RATES["describe"]),
        "train the network of Cl-S": (
            "patches",
            settings.patches * settings.epochs,
            RATES["train on patches"],
        ),
        "activations of Cl-S": ("patches", settings.per_page * pages, RATES["activations"]),
    }
    for (pooling, width, vocabularies), amount in encoded.items():
        title = f"encode: {pooling}, {vocabularies} × 100 centres, D {width}"
        rows[title] = "pages", amount, RATES[pooling, width, vocabularies]
    return rows | {
        "whiten": ("runs", runs, RATES["whiten"]),
        "exemplar SVMs": ("pages", TEST * runs, RATES["exemplar SVMs"]),
        "re-rank": ("runs", runs, RATES["re-rank"]),
    }


def system_table(params: Params) -> str:
    """One row a step, and their sum."""
    lines = ["| step | of | how many | a core, a second | core-hours |", "|:--|:--|--:|--:|--:|"]
    total = 0.0
    for step, (unit, amount, rate) in core_hours(params).items():
        hours = amount / rate / 3600
        total += hours
        lines.append(f"| {step} | {unit} | {amount:,} | {rate:,g} | {hours:.2f} |")
    return "\n".join([*lines, f"| all | | | | {total:.1f} |"])
