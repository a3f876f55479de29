"""Made-up findings about pages of synthetic scribes, and the report of them."""

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from dgmp.scans.scan import Refused, Scan
from dgmp.scribes import SCRIPT_TYPES, draw_scribe, write_page
from dgmp.search.findings import Codex, Cutoffs, Evidence, Findings, Hit, Quality
from pipeline.scans import picture_names, pictures
from pipeline.scans.report import write_report
from pipeline.scans.tables import write_tables

HOSTILE = (
    '<img src=x onerror="document.title=1">.png',
    "</script><script>document.title=1</script>",
    "\"' onmouseover='document.title=1' \u2028 {{ 7 * 7 }} & &lt;",
    "fol\udce9 12.png",  # as an old file name that is no UTF-8
)
CODICES = ("Codex A", "Codex <b>B</b>", 'C "& <!--')
HANDS = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 0, 0, 3, 3, 3, 4, 4, 4, 1, 1, 4, 5, 4]
CUTOFFS = Cutoffs(0.75, 0.4, "Cut-offs <i>made up</i> for the test.")


@dataclass
class MadeUp:
    scans: list[Scan]
    findings: Findings
    shapes: list[tuple[int, int]]
    pages: list[np.ndarray] = field(default_factory=list)


def make_findings(codex, hand, rng, *, near=10, with_evidence=4, shape=(300, 220)) -> Findings:
    """Findings from points around one point a hand, with ten hits a page and random evidence."""
    codex, hand = np.array(codex), np.array(hand)
    n = len(codex)
    points = rng.normal(size=(hand.max() + 1, 24))[hand] + 0.35 * rng.normal(size=(n, 24))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    scores = (points @ points.T).astype(np.float32)
    scores = (scores + scores.T) / 2
    np.fill_diagonal(scores, np.nan)
    other = codex[:, None] != codex
    among = np.sort(scores[other]) if other.any() else np.sort(scores[~np.isnan(scores)])

    def hits(row, allowed):
        order = [int(i) for i in np.argsort(-scores[row]) if allowed[i] and i != row][:near]
        found = scores[row, order]
        place = np.searchsorted(among, found) / len(among)
        return [
            Hit(i, float(s), float(p), CUTOFFS.grade(float(s)))
            for i, s, p in zip(order, found, place, strict=True)
        ]

    distances = np.clip(1 - np.nan_to_num(scores, nan=1.0), 0, None).astype(float)
    tree = linkage(squareform(distances, checks=False), "complete")
    flat = fcluster(tree, 1 - CUTOFFS.likely, "distance")
    large = sorted(
        (g for g in set(flat) if (flat == g).sum() > 1), key=lambda g: -(flat == g).sum()
    )
    groups = np.array([large.index(g) if g in large else -1 for g in flat])
    codices = []
    for name in dict.fromkeys(codex.tolist()):
        rows = np.flatnonzero(codex == name).tolist()
        novelty = np.zeros(len(rows), np.float32)
        novelty[1:] = [1 - scores[a, b] for a, b in pairwise(rows)]
        changes = [at for at in range(1, len(rows)) if novelty[at] > 0.6]
        single = [at for at, row in enumerate(rows) if groups[row] < 0]
        codices.append(Codex(name, rows, novelty, changes, single))
    high, wide = shape
    all_hits = [hits(row, other[row]) for row in range(n)]
    evidence = {
        (row, hit.page): Evidence(
            places=rng.uniform((30, 30), (wide - 30, high - 30), (6, 2, 2)).astype(np.float32),
            sizes=rng.uniform(16, 30, (6, 2)).astype(np.float32),
            shares=np.linspace(0.1, 0.02, 6, dtype=np.float32),
        )
        for row, of_row in enumerate(all_hits)
        for hit in of_row[:with_evidence]
    }
    return Findings(
        scores,
        CUTOFFS,
        all_hits,
        [hits(row, np.ones(n, bool)) for row in range(n)],
        groups,
        tree,
        codices,
        evidence,
        [Quality("nearest page is by the same <hand>", 20, 24), Quality("never asked", 0, 0)],
    )


def write_pictures(folder: Path, pages, findings: Findings) -> None:
    named = {row for pair in findings.evidence for row in pair}

    def put(name: str, content: bytes) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)

    for row, page in enumerate(pages):
        put(picture_names.thumb(row), pictures.thumbnail(page))
        put(picture_names.preview(row), pictures.preview(page))
        if row in named:
            positions = np.argwhere(page < 120)[:, ::-1]
            drawn = pictures.weight_map(positions, np.ones(len(positions)), page.shape)
            put(picture_names.weights(row), drawn)
    for (row, hit), one in findings.evidence.items():
        strip = pictures.letter_pairs(one, pages[row], pages[hit])
        put(picture_names.pairs(row, hit), strip)


@pytest.fixture(scope="session")
def made_up() -> MadeUp:
    """24 pages of six hands in three codices, with hostile names."""
    rng = np.random.default_rng(5)
    scribes = [draw_scribe(script, rng) for script in list(SCRIPT_TYPES)[:6]]
    pages = [write_page(scribes[h], rng, height=300, width=220, line_pitch=24) for h in HANDS]
    scans = [
        Scan(
            f"{HOSTILE[row // 5]} {row}" if row % 5 == 0 and row // 5 < 4 else f"f{row:03d}.png",
            Path(f"{row}.png"),
            codex=CODICES[row // 8],
            hand=f"scribe <{HANDS[row]}>" if row % 2 else "",
            order=row % 8,
            note=HOSTILE[0] if row == 3 else "",
        )
        for row in range(24)
    ]
    findings = make_findings([scan.codex for scan in scans], HANDS, rng)
    return MadeUp(scans, findings, [page.shape for page in pages], pages)


@pytest.fixture(scope="session")
def report(made_up, tmp_path_factory) -> Path:
    """The folder of its report."""
    folder = tmp_path_factory.mktemp("report")
    write_pictures(folder, made_up.pages, made_up.findings)
    (folder / picture_names.set_aside(0)).write_bytes(
        pictures.thumbnail(made_up.pages[0] // 8 + 220)
    )
    write_report(
        folder,
        title=f"Report {HOSTILE[0]}",
        scans=made_up.scans,
        shapes=made_up.shapes,
        too_little=[Scan(HOSTILE[1], Path("x.png"), note=HOSTILE[0])],
        refused=[Refused(HOSTILE[1], f"broken: {HOSTILE[2]}")],
        findings=made_up.findings,
        about={"Method <x>": HOSTILE[1], "Time": "3 s"},
    )
    write_tables(folder, made_up.scans, made_up.findings)
    return folder
