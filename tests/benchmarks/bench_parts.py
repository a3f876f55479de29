"""How well a search does on parts of a collection: few pages, few hands, little text.

`tests.benchmarks.bench_search` calls it. Each page is a codex of its own, and the cut-offs are the
stated ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from dgmp.encoding.local_descriptors import DescribedPage
from dgmp.metrics import evaluate_ranking
from dgmp.search.background import background_vlad
from dgmp.search.findings import Floats
from dgmp.search.grading import stated_cutoffs
from dgmp.search.index import new_vlad
from dgmp.search.quality import Quality, of_hits
from dgmp.search.scoring import Scoring

# Pages of a part, with 2 to 5 of a hand, and how many parts are drawn.
PAGES = {6: 20, 12: 15, 20: 10, 30: 8, 60: 6, 100: 4, 200: 3}
# Hands of a part, pages of a hand at most, and how many parts are drawn.
HANDS = ((2, 5, 60), (4, 5, 60), (6, 5, 40), (12, 5, 25), (25, 5, 12), (50, 5, 6), (100, 5, 3),
         (100, 2, 5))  # fmt: skip
AMOUNTS = (2500, 600, 300)


def few_pages(places: Sequence[DescribedPage], hands: Sequence[str]) -> None:
    """Vocabularies of few pages themselves against the one of synthetic scribes."""
    names, pages = np.array(hands), [place.vectors for place in places]
    background = background_vlad().transform(pages)
    print(
        "\n### Few pages\n\nWith 2 to 5 pages of a hand. Nearest page right, mAP, and recall: "
        'right and graded "same\nhand likely" of pages with a mate; in brackets the precision of '
        "that grade.\n\n| pages | own vocabulary | synthetic scribes |\n|--:|--:|--:|"
    )
    for count, draws in tqdm(PAGES.items(), desc="few pages", disable=None):
        own, theirs = [], []
        for draw in range(draws):
            rows = drawn_pages(names, count, np.random.default_rng((5, count, draw)))
            few = [pages[row] for row in rows]
            own.append(measured(new_vlad().fit(few).transform(few), names[rows]))
            theirs.append(measured(background[rows], names[rows]))
        print(f"| {count} | {summary(own)} | {summary(theirs)} |", flush=True)


def few_hands(places: Sequence[DescribedPage], hands: Sequence[str]) -> None:
    """Parts by the number of hands and by the text of a page, with one vocabulary."""
    names = np.array(hands)
    heads = (
        f"{count}" if most == 5 else f"{count}, up to {most} pages" for count, most, _ in HANDS
    )
    print(
        "\n### Hands and amount of text\n\nHands with 1 to 5 pages; the uppermost places of each "
        "page. Recall as above, and in brackets the\nprecision.\n\n"
        f"| places | {' | '.join(heads)} |\n|--:|{'--:|' * len(HANDS)}"
    )
    for amount in tqdm(AMOUNTS, desc="amounts", disable=None):
        pages = [uppermost(place, amount) for place in places]
        vectors = new_vlad().fit(pages).transform(pages)
        cells = []
        for number, (count, most, draws) in enumerate(HANDS):
            found = []
            for draw in range(draws):
                rows = drawn_hands(names, count, most, np.random.default_rng((0, number, draw)))
                if len(rows) >= 4:
                    found.append(measured(vectors[rows], names[rows]))
            _, _, recall, precise = pooled(found)
            cells.append(f"{recall:.0f} ({precise:.1f})")
        print(f"| {amount} | {' | '.join(cells)} |", flush=True)


def uppermost(place: DescribedPage, amount: int) -> np.ndarray:
    """Local descriptors of so many places of a page, from the top."""
    return place.vectors[np.argsort(place.positions[:, 1], kind="stable")[:amount]]


def drawn_pages(names: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """So many pages, 2 to 5 of a hand; the last hand may have fewer."""
    found: list[int] = []
    hands = iter(rng.permutation(np.unique(names)))
    while len(found) < count:
        members = rng.permutation(np.flatnonzero(names == next(hands)))
        found += members[: rng.integers(2, 6)].tolist()
    return np.array(found[:count])


def drawn_hands(names: np.ndarray, count: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """1 to `most` pages of each of so many hands."""

    def members() -> Iterator[np.ndarray]:
        for hand in rng.choice(np.unique(names), count, replace=False):
            yield rng.permutation(np.flatnonzero(names == hand))[: rng.integers(1, most + 1)]

    return np.concatenate(list(members()))


def measured(vectors: Floats, hands: np.ndarray) -> tuple[list[Quality], float]:
    """Of one part: what `of_hits` says, and mAP in percent; nan where no page has a mate."""
    scores = Scoring.fit(vectors).scores()
    rows = of_hits(scores, stated_cutoffs(), hands)[:3]
    if not rows[0].of:
        return rows, np.nan
    return rows, evaluate_ranking(-scores, hands).mean_average_precision


def pooled(parts: Sequence[tuple[list[Quality], float]]) -> tuple[float, float, float, float]:
    """Right, mAP, recall and precision in percent; counts are added up over the parts."""
    right, precise, recall = (
        100 * sum(rows[i].right for rows, _ in parts) / max(1, sum(rows[i].of for rows, _ in parts))
        for i in range(3)
    )
    return right, float(np.nanmean([mean for _, mean in parts])), recall, precise


def summary(parts: Sequence[tuple[list[Quality], float]]) -> str:
    """One cell of the table."""
    right, mean, recall, precise = pooled(parts)
    return f"{right:.1f}, {mean:.1f}, {recall:.0f} ({precise:.1f})"
