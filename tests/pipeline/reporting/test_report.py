import json
import re
from html import unescape
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline import report
from pipeline.evaluation.comparison_tests import Comparison
from pipeline.evaluation.results import Summary, read_results, read_scores
from pipeline.reporting import embedded_figures, findings
from pipeline.reporting.build import build_tables
from pipeline.reporting.machines import duration
from pipeline.reporting.page import TEMPLATES
from pipeline.reporting.secondary_scores import secondary_scores
from pipeline.reporting.table import MAJORITY, Column, Entry, Line, Section, Table, rows

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def write_record(project, weights, **changes):
    record = {
        "weights": weights,
        "started": "2019-09-20T10:00:00+00:00",
        "seconds": 90.0,
        "resumed_after": None,
        "git": {"commit": COMMIT, "changed": []},
        "system": "Linux",
        "processor": "Abacus 3000",
        "cores": 2,
        "device": {"type": "cpu", "threads": 1},
        "processes": 1,
        "python": "3.12.1",
    }
    folder = project.data / "runs" / str(changes.get("folder", weights)) / "result"
    folder.mkdir(parents=True)
    text = json.dumps(record | changes | {"libraries": {"secret": "1"}})
    (folder / "provenance.json").write_text(text, encoding="utf-8")


def runs_of(project, name):
    return json.loads(project.run(name, "runs.json").read_text(encoding="utf-8"))


def page_of(project):
    report.main()
    return (project.reports / "index.html").read_text(encoding="utf-8")


def plain(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def draw_picture(file: Path, height=60, width=90):
    file.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file)


def test_smoke(scored):
    page = page_of(scored)
    assert page.startswith("<!DOCTYPE html>")
    assert "made-up scripts &amp; 50% more" in page
    assert "undefined" not in page.lower()
    assert "<figure" not in page
    assert "#figures" not in page
    for name in scored.params.cells:
        assert f"<code>dvc exp run -S profile=scribes train@{name}</code>" in page
    counts = re.findall(r'data-head="(Training|Validation|Test)">(.*?)</td>', page)
    assert counts[0] == ("Training", "12 pages<small>4 writers</small>")
    assert counts.count(("Test", "30 pages<small>3 classes</small>")) == 2


def test_shows_every_cell_of_the_tables_with_the_notes_below(scored):
    page = page_of(scored)
    parts = re.split(r'<h3 id="(table\d)"', page.partition('id="tests"')[0])
    for table in build_tables(scored.params):
        below = parts[parts.index(table.name) + 1]
        for section in table.sections:
            for row in rows(table, section):
                for cell in row[1:]:
                    detail = f"<small>{cell.detail}</small>" if cell.detail else ""
                    assert f">{cell.text}{detail}</td>" in below
        assert all(plain(below).count(note) == 1 for note in table.notes)


def test_figures_headings_and_language_are_for_all_readers_and_need_no_network(scored):
    for name in ("figure8", "figure2", "figure4"):
        draw_picture(scored.reports / f"figures/{name}.png")
    page = page_of(scored)
    assert re.findall(r'<figure id="(\w+)">', page) == ["figure2", "figure4", "figure8"]
    sources = re.findall(r'\bsrc="([^"]{0,22})', page)
    assert sources == ["data:image/png;base64,"] * 3
    assert re.findall(r"<link[^>]*>", page) == ['<link rel="icon" href="data:,">']
    assert not re.search(r"url\(|@import|<script", page)
    alternatives = re.findall(r'<img\b[^>]* alt="([^"]*)"', page)
    assert [len(text) > 20 for text in alternatives] == [True] * 3
    assert '<html lang="en">' in page
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(below <= above + 1 for above, below in pairwise(levels))
    assert all('scope="' in head for head in re.findall(r"<th\b[^>]*>", page))
    names = re.findall(r'\bid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(names)


def test_says_what_the_starting_weights_give_alone(scored):
    means = read_results(scored.params)
    before, after = (
        means[name, "mAP"].mean for name in ("writers-dgmp-1k-untrained", "writers-dgmp-1k-m01")
    )
    assert f"DGMP, λ = 10³: {before:.1f} and {after:.1f};" in plain(page_of(scored))


def test_says_what_intervals_and_p_leave_out(scored):
    tests = plain(page_of(scored).split('id="tests"')[1].split("<h2")[0])
    for said in (
        "gallery is held fixed",
        "about 90 of 100",
        "for one comparison",
        "rely on p",
        "start from one published network",
    ):
        assert said in tests


def test_says_which_epochs_were_tested(scored):
    assert "best validation epoch (4), scripts with those of the best" in plain(page_of(scored))
    file = scored.data / "evaluate" / "scores.csv"
    text = file.read_text()
    for name, epoch in (("writers-max-m02", 1), ("scripts-a-max", 6)):
        text = re.sub(rf"(?m)^({name},.*?),4,", rf"\1,{epoch},", text)
    file.write_text(text)
    assert "the best validation epoch (1 to 4), scripts" in plain(page_of(scored))


def test_secondary_scores_agree_with_the_oracle(scored):
    writers, _, scripts_b = secondary_scores(scored.params)
    scores = read_scores(scored.params)
    of_lse = scores[scores["cell"] == "writers-lse-m01"]
    values = dict(zip(writers.heads, dict(writers.rows)["LSE, r = 10"], strict=True))
    assert values["hard top-2"] == pytest.approx(of_lse["hard_top2"].mean())
    assert values["soft top-10"] == pytest.approx(of_lse["soft_top10"].mean())
    own = scores.loc[scores["cell"] == "scripts-b-avg-l2", "balanced_accuracy"]
    assert dict(scripts_b.rows)["Avg + ℓ²"][1] == pytest.approx(own.mean())
    page = page_of(scored)
    assert f"<td>{values['precision@4']:.1f}</td>" in page
    assert page.count("balanced accuracy</th>") == 2
    # Two margins are told apart, and a task without a row is left out.
    scored.set("tables.table2", ["writers-avg-m01", "writers-avg-m02"])
    scored.set("tables.table3", ["scripts-b-avg"])
    first, _ = secondary_scores(scored.params)
    assert [label for label, _ in first.rows] == ["Avg, margin 0.1", "Avg, margin 0.2"]


def test_tells_commit_machine_and_time_where_they_are_known(scored):
    runs = [one for name in scored.params.cells for one in runs_of(scored, name)]
    for one in runs:
        write_record(scored, one["weights"])
    # Of equal runs the newest counts.
    old = {"processor": "old", "started": "2018-01-01T00:00:00+00:00"}
    write_record(scored, runs[0]["weights"], folder="z", **old)
    html = page_of(scored)
    page = plain(html)
    assert f"commit {COMMIT[:12]}" in page
    assert "Abacus 3000, 2 cores, no GPU" in page
    assert f"{duration(len(runs) * 90)} of training" in page
    assert not any(word in page for word in ("with changes", "Not recorded", "old, 2 cores"))
    found = json.loads((scored.reports / "provenance.json").read_text(encoding="utf-8"))
    assert found.keys() == scored.params.cells.keys()
    assert found["scripts-a-max"]["2"]["git"]["commit"] == COMMIT
    assert "libraries" not in found["scripts-a-max"]["2"]
    assert page_of(scored) == html


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (["dgmp/pooling/ridge.py"], [f"{COMMIT[:12]} with changes", "(with local changes)"]),
        (["README.md", ".gitignore", "docs/paper.md", "data/README.md"], [COMMIT[:12]]),
        (None, ["not in a git repository", "In a clone of the repository:"]),
    ],
)
def test_tells_what_is_not_known_and_changes_of_what_runs_depend_on(scored, changed, said):
    first = runs_of(scored, "writers-avg-m01")[0]["weights"]
    git = None if changed is None else {"commit": COMMIT, "changed": changed}
    write_record(scored, first, git=git)
    page = plain(page_of(scored))
    assert all(one in page for one in said)
    assert ("with changes" in page) == ("with changes" in said[0])
    runs = sum(len(runs_of(scored, name)) for name in scored.params.cells)
    assert f"Machine, commit and time of {runs - 1} runs" in page
    found = json.loads((scored.reports / "provenance.json").read_text(encoding="utf-8"))
    assert found["writers-avg-m01"]["1"] is None


def test_a_damaged_figure(scored):
    (scored.reports / "figures").mkdir(parents=True)
    (scored.reports / "figures/figure4.png").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"figure4\.png is no picture"):
        report.main()
    assert not (scored.reports / "index.html").exists()


def test_large_pictures_are_made_smaller(tmp_path):
    draw_picture(tmp_path / "figure1.png", 1000, 3000)
    (tmp_path / "figure1.svg").write_bytes(b" " * 500_000)
    (figure,) = embedded_figures.read_figures(tmp_path)
    assert (figure.width, figure.height) == (3000, 1000)
    assert len(figure.source) < 4 / 3 * 1600 * 534 * 1.1  # a byte a pixel, and the table of colours
    draw_picture(tmp_path / "figure1.png")
    (figure,) = embedded_figures.read_figures(tmp_path)
    assert figure.source == embedded_figures.data_uri(
        (tmp_path / "figure1.png").read_bytes(), "png"
    )
    (tmp_path / "figure1.svg").write_text("<svg/>")
    (figure,) = embedded_figures.read_figures(tmp_path)
    assert figure.source.startswith("data:image/svg+xml;base64,")


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))


def test_contrast_of_both_schemes():
    css = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    schemes = [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in css.split("@media")[:2]]
    assert len(schemes) == 2
    for scheme in schemes:
        for text, ground in product(("ink", "soft", "accent"), ("paper", "band")):
            light, dark = sorted((luminance(scheme[text]), luminance(scheme[ground])))[::-1]
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground, scheme)


def test_deviations_from_the_papers_settings_are_listed(scored):
    page = plain(page_of(scored))
    assert "epochs, writers 300 5 of 40 batches" in page
    assert "patches of writers’ pages 400 px, every 256 px 224 px, every 128 px" in page
    scored.set("profiles.scribes.patches.size", 400)
    scored.set("profiles.scribes.patches.stride", 256)
    assert "patches of writers’ pages" not in plain(page_of(scored))


def compared(mean, difference, p):
    interval = (mean - 1, mean + 1)
    tested = ("avg", difference, -9.0, 9.0, p, p)
    return Comparison("c", "mAP", mean, *interval, 9, 3, "writers", *tested)


def small_table(difference, p, *, group=""):
    mean = Summary(50 + difference, None, 1, 0)
    entry = Entry(mean, 54.8, compared(50, difference, p), p < 0.05)
    lines = (
        Line("Avg", (Entry(Summary(50.0, None, 1, 0), 50.4),), 1),
        Line("DGMP, λ = 10³", (entry,), 1),
    )
    return Table("t", "Table", "t", (Column("mAP", group),), (Section("scribes", lines),), 1)


@pytest.mark.parametrize(
    ("difference", "p", "said"),
    [
        (-6.3, 0.0001, "is 6.3 points below Avg (significant, p < 0.001)"),
        (6.3, 0.04, "is 6.3 points above Avg (significant, p = 0.040)"),
        (0.7, 0.61, "is 0.7 points above Avg (not significant, p = 0.61)"),
        (0.01, 1.0, "is level with Avg (not significant, p = 1.00)"),
    ],
)
def test_findings_say_what_the_test_says(difference, p, said):
    (found,) = findings.findings(small_table(difference, p))
    text = found.text.replace("\N{NO-BREAK SPACE}", " ")
    assert f"“DGMP, λ = 10³” {said}; in the paper it is 4.4 points above it." in text
    leader = "Avg has" if difference < 0 else "“DGMP, λ = 10³” has"
    assert text.startswith(leader if abs(difference) > 0.1 else "Avg and “DGMP, λ = 10³” have")
    assert found.where == "Table, scribes"


def test_findings_count_the_cells_of_a_grid():
    (found,) = findings.findings(small_table(-6.3, 0.0001, group="margin 0.1"))
    assert found.text == (
        "DGMP has a higher mAP than Avg in 0 of 1 cells. It is significantly higher in 0 and "
        "significantly lower in 1. In the paper it is higher in 1 of 1."
    )


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (48.0, "48.0; intervals of all poolings lie above it."),
        (49.5, "49.5; intervals of Avg contain it or lie below it."),
        (60.0, "60.0; intervals of all poolings contain it or lie below it."),
    ],
)
def test_findings_tell_of_the_majority_class(rate, said):
    def line(label, mean):
        entry = Entry(Summary(mean, 1.0, 2, 0), None, compared(mean, 0.0, 1.0))
        return Line(label, (entry, entry), 2)

    majority = Line(MAJORITY, 2 * (Entry(Summary(rate, None, 0, 0)),))
    section = Section("scripts", (line("Avg", 50.0), line("Max", 52.0), majority))
    columns = (Column("accuracy"), Column("ensemble"))
    (found,) = findings.findings(Table("t", "T", "t", columns, (section,), 1))
    assert found.text.startswith("Max has the highest mean accuracy, 52.0.")
    assert found.text.count(f"The majority class has an accuracy of {said}") == 1


def test_leads_bear_their_verdict():
    shown = {
        p: next(findings.comparison_rows(small_table(difference, p).sections[0]))[1]
        for difference, p in ((-6.3, 0.01), (2.0, 0.02), (2.0, 0.5))
    }
    assert (shown[0.01].text, shown[0.01].bold) == ("−6.3, lower", True)
    assert (shown[0.02].text, shown[0.02].bold) == ("+2.0, higher", True)
    assert (shown[0.5].text, shown[0.5].bold) == ("+2.0", False)
    assert shown[0.5].detail.startswith("[−9.0, +9.0] p")
