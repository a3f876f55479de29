"""A search from a folder to its report and to a question, with real processes."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dgmp.scribes import draw_scribe, write_page
from dgmp.search.findings import Hit
from pipeline.scans.picture_files import jobs_of
from pipeline.scans.report_name import name_of
from pipeline.scans.search import search_scans
from pipeline.tools.who import ask
from tests.pipeline.scans.test_describing import settings

ROOT = Path(__file__).parents[3]
HOSTILE = "<img src=x onerror=alert(1)>.png"


def write_scan(file: Path, hand: int, number: int, height: int = 240) -> None:
    scribe = draw_scribe(("Caroline", "Textualis")[hand % 2], np.random.default_rng((0, hand)))
    rng = np.random.default_rng((1, hand, number))
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), write_page(scribe, rng, height=height, width=320, line_pitch=30))


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "my scans"
    for hand in range(4):
        for number in range(4):
            write_scan(folder / f"codex {number % 2}" / f"{hand}{number}.png", hand, number)
    write_scan(folder / "codex 0" / HOSTILE, 0, 9)
    write_scan(folder / "codex 1" / "blot.png", 0, 10, height=16)
    (folder / "codex 1" / "empty.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.fixture(scope="module")
def report(scans, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("reports") / "own"
    before = sorted(scans.rglob("*"))
    chosen = settings(pages=str(scans), most=2500, least=100, evidence=2)
    search_scans(chosen, data=folder.parent / "data", report=folder)
    assert sorted(scans.rglob("*")) == before, "nothing is written beside the scans"
    return folder


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.open(encoding="utf-8")))


def test_nearest_pages_of_other_codices_are_by_the_same_hand(report):
    first = [r for r in rows(report / "hits.csv") if r["rank"] == "1" and r["scope"] == "other"]
    assert len(first) == 17
    assert all(r["codex"] != r["codex of hit"] for r in first)
    right = [Path(r["page"]).name[0] == Path(r["hit"]).name[0] for r in first]
    assert sum(right) >= 13


def test_the_report_names_what_was_left_out_and_escapes_names(report):
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "blot.png" in page
    assert "empty.jpg" in page
    assert "notes.txt" in page
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror" in page


def test_every_picture_of_the_report_is_there(report):
    assert len(list((report / "thumbs").glob("0*.webp"))) == 17
    assert len(list((report / "pages").iterdir())) == 17
    assert len(list((report / "maps").iterdir())) == 17
    drawn = {file.stem for file in (report / "pairs").iterdir()}
    assert len(drawn) >= 17
    assert {"-".join(stem.split("-")[::-1]) for stem in drawn} == drawn
    assert len(json.loads((report / "index" / "index.json").read_text())["scans"]) == 17


@pytest.mark.slow
def test_evidence_and_pictures_do_not_depend_on_the_workers(report, scans, tmp_path):
    chosen = settings(pages=str(scans), most=2500, least=100, evidence=2, workers=2)
    search_scans(chosen, data=report.parent / "data", report=tmp_path / "two")
    for kind in ("thumbs", "pages", "maps", "pairs", "evidence"):
        one, two = (sorted((of / kind).iterdir()) for of in (report, tmp_path / "two"))
        assert [file.name for file in one] == [file.name for file in two]
        assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]


def test_rows_of_a_group_are_drawn_together_and_no_pair_twice():
    rng = np.random.default_rng(0)
    groups = rng.integers(-1, 5, 40)
    hits = [
        [Hit(page, 0, 0, "unsure") for page in rng.choice(40, 3, replace=False).tolist()]
        for _ in range(40)
    ]
    jobs = jobs_of(hits, groups)
    drawn = [row for rows, _ in jobs for row in rows]
    assert sorted(drawn) == list(range(40))
    assert groups[drawn].tolist() == sorted(groups)
    pairs = [pair for _, pairs in jobs for pair in pairs]
    assert all(row in rows for rows, own in jobs for row, _ in own)
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)
    wanted = {frozenset((row, hit.page)) for row in range(40) for hit in hits[row]}
    assert {frozenset(pair) for pair in pairs} == wanted


def test_a_question_is_answered_by_a_page_and_on_the_terminal(report, tmp_path, caplog):
    write_scan(tmp_path / "fragment.png", 2, 20)
    with caplog.at_level("INFO"):
        file = ask(tmp_path / "fragment.png", report)
    assert file == report / "asked" / "fragment.html"
    first = caplog.messages[0]
    assert first.split()[0] == "1"
    assert Path(first).name.startswith("2")
    assert "fragment.png" in file.read_text(encoding="utf-8")


def test_a_question_loads_neither_torch_nor_what_fits(report, tmp_path):
    write_scan(tmp_path / "fragment.png", 2, 20)
    code = (
        "import sys; from pathlib import Path; from pipeline.tools.who import ask; "
        "ask(*map(Path, sys.argv[1:])); print([m for m in sys.modules if m in "
        "('torch', 'sklearn.cluster', 'sklearn.pipeline', 'pydantic', 'pypdfium2')])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "fragment.png"), str(report)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


def test_errors_a_question_with_too_little_writing(report, tmp_path):
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((200, 200), 250, np.uint8))
    with pytest.raises(ValueError, match="too little writing: 0 places were found"):
        ask(tmp_path / "blank.png", report)


def test_judged_pairs_are_counted_and_move_the_cut_offs(report, scans, tmp_path):
    hits = [r for r in rows(report / "hits.csv") if r["scope"] == "other" and r["rank"] == "1"]
    with (tmp_path / "judged.csv").open("w", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(("page", "other", "judgement"))
        table.writerows((r["page"], r["hit"], "same") for r in hits)
    chosen = settings(
        pages=str(scans), most=2500, least=100, evidence=0, judged=str(tmp_path / "judged.csv")
    )
    again = tmp_path / "again"
    search_scans(chosen, data=report.parent / "data", report=again)
    before, after = (
        json.loads((one / "index" / "index.json").read_text())["cutoffs"] for one in (report, again)
    )
    assert after["likely"] < before["likely"]
    assert "judged by a person" in after["rule"]
    assert "judged" in (again / "index.html").read_text(encoding="utf-8")


def test_errors_too_few_pages_leave_the_old_report(report, tmp_path):
    write_scan(tmp_path / "few" / "1.png", 0, 0)
    (tmp_path / "few" / "2.png").write_bytes(b"")
    before = (report / "index.html").read_bytes()
    with pytest.raises(ValueError, match=r"needs 3 pages with writing, found 1 .*\n  2.png: "):
        search_scans(settings(pages=str(tmp_path / "few")), data=tmp_path, report=report)
    assert (report / "index.html").read_bytes() == before


@pytest.mark.parametrize(
    ("pages", "name"),
    [("/a/b/Cod. 7/", "Cod-7"), ("scan.pdf", "scan"), ("..", "scans"), (None, "synthetic")],
)
def test_names_of_reports(pages, name):
    assert name_of(pages) == name
