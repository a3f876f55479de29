import json
import re
import shutil
import subprocess
from functools import partial

import numpy as np
import pandas as pd
import pytest

from pipeline import compare, evaluate, tables
from pipeline.evaluation.comparison_tests import read_comparisons
from pipeline.evaluation.predictions import seeds_of
from pipeline.evaluation.results import Summary, read_results
from pipeline.reporting import formats
from pipeline.reporting.build import build_tables, read_measured
from pipeline.reporting.findings import comparison_rows
from pipeline.reporting.table import Column, Entry, Line, Section, Table, rows, stacked

read_csv = partial(pd.read_csv, dtype=str, keep_default_na=False)


def built(project):
    return {table.name: table for table in build_tables(project.params)}


def written(project, name):
    """A file of the stage tables, as text; tables in CSV with their rows by pooling."""
    tables.main()
    file = project.reports / "tables" / name
    if file.suffix == ".csv":
        return read_csv(file).set_index("pooling", drop=False)
    return file.read_text(encoding="utf-8")


def edit_scores(project, **changes):
    """Change columns of scores.csv in the rows of (cell, seed)."""
    file = project.data / "evaluate" / "scores.csv"
    scores = pd.read_csv(file)
    for column, at in changes.items():
        for (cell, seed), value in at.items():
            scores.loc[(scores["cell"] == cell) & (scores["seed"] == seed), column] = value
    scores.to_csv(file, index=False)


@pytest.fixture
def collapsed(scored):
    edit_scores(
        scored,
        collapsed={
            ("writers-max-m05", 1): True,
            ("scripts-b-max", 0): True,
            ("scripts-b-max", 2): True,
        },
    )
    return scored


def test_smoke(scored, caplog):
    caplog.set_level("INFO")
    tables.main()
    names = [f"table{n}.{ending}" for n in (1, 2, 3, 4) for ending in ("csv", "md", "tex")]
    files = (scored.reports / "tables").iterdir()
    assert sorted(file.name for file in files) == [*names, "tables.json", "untrained.csv"]
    assert "Table II: Global pooling methods" in caplog.text
    assert "Fribourg" not in caplog.text


def test_csv_agrees_with_the_scores(scored):
    results = read_results(scored.params)
    row, expected = (
        written(scored, "table1.csv").loc["DGMP, λ = 10³"],
        results["writers-dgmp-1k-m02", "top1"],
    )
    assert float(row["top1 margin 0.2"]) == pytest.approx(expected.mean, abs=1e-4)
    assert float(row["top1 margin 0.2 sd"]) == pytest.approx(expected.sd, abs=1e-4)
    assert row["top1 margin 0.2 paper"] == "72.56"
    assert (row["runs"], row["top1 margin 0.2 collapsed"]) == ("2", "0")
    rows = written(scored, "table2.csv")
    cited = rows.loc["Triplet Network (Fribourg)"]
    assert (cited["mAP"], cited["mAP paper"], cited["runs"]) == ("", "30.7", "")
    assert (cited["mAP less paper"], cited["reference"]) == ("", "Fiel et al., ICDAR 2017 [31]")
    ours = rows.loc["oBIF (Tébessa), raw"]
    assert (ours["mAP paper"], ours["runs"]) == ("55.6", "1")
    assert float(ours["mAP"]) == pytest.approx(results["obif/raw", "mAP"].mean, abs=1e-4)
    row = written(scored, "table4.csv").loc["SIFT, GMP"]
    expected = results["sift-gmp/whitened", "top1"]
    assert float(row["top1 whitened"]) == pytest.approx(expected.mean, abs=1e-4)
    assert (row["runs"], row["seconds"]) == ("5", "6.0")
    row = written(scored, "table3.csv").loc["Avg + ℓ²"]
    expected = results["scripts-b-avg-l2", "ensemble"]
    assert float(row["ensemble"]) == pytest.approx(expected.mean, abs=1e-4)
    assert row["ensemble paper"] == "82.2"


def test_differences_from_the_paper_and_intervals_are_in_every_format(scored):
    row = written(scored, "table2.csv").loc["LSE, r = 10"]
    mean, paper, low, high = (float(row[f"mAP{part}"]) for part in ("", " paper", " low", " high"))
    assert float(row["mAP less paper"]) == pytest.approx(mean - paper, abs=1e-4)
    assert low <= mean <= high
    interval, less = f"[{low:.1f}, {high:.1f}]", f"{mean - paper:+.1f}"
    assert re.search(
        rf"(?m)^\| LSE.*<br>{re.escape(interval)} \| 51.4 \|", written(scored, "table2.md")
    )
    tex = written(scored, "table2.tex")
    assert rf"{{\scriptsize {interval}}} & {{\scriptsize {less.replace('-', '$-$')}}}" in tex


def test_json_holds_the_numbers_of_the_csv(scored):
    content = json.loads(written(scored, "tables.json"))
    for name in ("table1", "table2", "table3", "table4"):
        lines = [line for part in content["tables"][name]["sections"] for line in part["lines"]]
        found = read_csv(scored.reports / "tables" / f"{name}.csv").to_dict("records")
        for line, row in zip(lines, found, strict=True):
            assert line["pooling"] == row["pooling"]
            for one in line["scores"]:
                column = " ".join(filter(None, [one["score"], one["group"]]))
                for key, suffix in (("mean", ""), ("less_paper", " less paper"), ("p", " p")):
                    shown = row[column + suffix]
                    assert (None if shown == "" else float(shown)) == one[key]
                assert (one["cell"] is None) == (one["mean"] is None or row["runs"] == "")


def test_json_holds_the_lineage_of_each_cell(scored):
    content = json.loads(written(scored, "tables.json"))
    shown = set(re.findall(r'"cell": "([^"]+)"', json.dumps(content["tables"])))
    systems = {name for name in shown if "/" in name}
    assert content["cells"].keys() == scored.params.cells.keys()
    assert shown - systems == content["cells"].keys() - set(scored.params.sweep)
    cell = content["cells"]["writers-dgmp-1k-m02"]
    facts = json.loads(scored.run("writers-dgmp-1k-m02", "runs.json").read_text())
    assert cell["settings"]["pooling"]["lambda_"] == 1000
    assert cell["settings"]["cell"]["margin"] == 0.2
    assert "seed" not in cell["settings"]
    assert cell["data"] == facts[0]["parts"]["data"]
    assert cell["command"] == "dvc repro train@writers-dgmp-1k-m02"
    kept = ("seed", "fingerprint", "weights", "best_epoch", "validation_score")
    assert cell["runs"] == [{key: fact[key] for key in kept} for fact in facts]
    text = json.dumps(content)
    assert not any(f'"{word}"' in text for word in ("commit", "started", "seconds", "processor"))


def test_table1_is_laid_out_as_in_the_paper(scored):
    table = built(scored)["table1"]
    groups = [f"margin {margin}" for margin in (0.1, 0.2, 0.5)]
    assert [column.group for column in table.columns[::2]] == groups
    lines = table.sections[0].lines
    labels = ["Avg", "Max", "DGMP, λ = 1", "DGMP, λ = 10³", "DGMP, λ = 10⁵"]
    assert [line.label for line in lines] == labels
    assert all(entry.paper for line in lines for entry in line.entries)
    # Where there is little width, the margins stand one below the other.
    narrow = stacked(table)
    assert [column.group for column in narrow.columns] == ["", ""]
    assert [section.title.rpartition(", ")[2] for section in narrow.sections] == groups
    for before, line in enumerate(lines):
        entries = [e for section in narrow.sections for e in section.lines[before].entries]
        assert entries == list(line.entries)
    shown = [line for line in formats.to_markdown(table).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in shown} == {7}
    assert r"\begin{tabular}{lrrrrr}" in formats.to_latex(table)
    assert stacked(built(scored)["table2"]) == built(scored)["table2"]


def test_a_cell_that_a_table_does_not_list_leaves_a_gap(scored):
    listed = [name for name in scored.params.tables.table1 if name != "writers-max-m02"]
    scored.set("tables.table1", listed)
    table = built(scored)["table1"]
    row = next(row for row in rows(table, table.sections[0]) if row[0].text == "Max")
    assert [cell.text for cell in row][5:9] == ["–"] * 4
    first, second, _ = ([line.label for line in part.lines] for part in stacked(table).sections)
    assert second == [label for label in first if label != "Max"]


def test_markdown(scored):
    text = written(scored, "table3.md")
    assert "made-up scripts & 50% more (seeds 0, 1, 2)" in text
    assert "measured on CLaMM16 and CLaMM17: not on this profile's data" in text
    assert "| T-DeepCNN<br>cited: Cloppet et al., ICDAR 2017 [20] | – | – | – | 85.2 | – |" in text
    for block in text.split("Measured on")[1:]:
        table = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in table}) == 1
        assert sum("**" in line.split("|")[2] for line in table) >= 1
    assert "†" not in text


def test_the_paper_profile_says_that_data_are_the_same(scored):
    scored.data.rename("data/paper")
    scored.set("profile", "paper")
    text = formats.to_markdown(built(scored)["table2"])
    assert "measured on ICDAR17-WI: the data of this profile" in text


def table_of(*lines):
    return Table("t", "T", "t", (Column("mAP"),), (Section("s", lines),), 1)


def test_all_best_values_as_printed_are_bold():
    means = (50.04, 50.01, 49.9)
    lines = (Line(f"p{m}", (Entry(Summary(m, None, 1, 0), 1.0),), 1) for m in means)
    text = formats.to_markdown(table_of(*lines))
    assert text.count("**50.0**") == 2
    assert "| 49.9 |" in text
    cited = Line("cited", (Entry(None, 3.0),), reference="somebody")
    assert "**" not in formats.to_markdown(table_of(cited))


def separate(arrays):
    writers = np.unique(arrays["labels"], return_inverse=True)[1]
    arrays["descriptors"] = np.eye(8, dtype=np.float32)[writers]


def shuffle(arrays):
    arrays["descriptors"] = np.random.default_rng(5).normal(size=(24, 6)).astype(np.float32)


def test_a_star_marks_significant_differences(scored):
    # In every run the maximum ranks better than average does, for every writer.
    name = "writers-max-m02"
    for seed in scored.params.active.writers.seeds:
        scored.edit_arrays("writers-avg-m02", f"seed{seed}.npz", shuffle)
        scored.edit_arrays(name, f"seed{seed}.npz", separate)
    evaluate.main()
    compare.main()
    one = read_comparisons(scored.params)[name, "mAP"]
    assert one.p_holm < 0.05
    table = built(scored)["table1"]
    starred = {
        (line.label, column.group, column.score)
        for line in table.sections[0].lines
        for column, entry in zip(table.columns, line.entries, strict=True)
        if entry.differs
    }
    assert ("Max", "margin 0.2", "mAP") in starred
    assert not [label for label, _, _ in starred if label == "Avg"]
    text = written(scored, "table1.md")
    assert text.count(r" \*") == len(starred) + 1
    assert r"- \* Significantly different from Avg on the same data and at the same" in text
    row = written(scored, "table1.csv").loc["Max"]
    shown = [float(row[f"mAP margin 0.2 {part}"]) for part in ("low", "high", "less baseline", "p")]
    assert shown == pytest.approx([one.low, one.high, one.difference, one.p_holm], abs=1e-4)


def test_collapsed_runs_bear_a_dagger_and_a_note_with_their_number(collapsed):
    text = written(collapsed, "table1.md")
    of_max = [line for line in text.splitlines() if line.startswith("| Max")]
    daggers = [["†" in cell for cell in row.split("|")[2:-2]] for row in of_max]
    assert daggers == [[False] * 4, [False] * 4, [True, False] * 2]
    assert text.count("† Max, margin 0.5: 1 of 2 runs collapsed") == 1
    text = written(collapsed, "table3.md")
    assert "† (b) made-up scripts_b (seeds 0, 1, 2), Max: 2 of 3 runs collapsed" in text
    assert written(collapsed, "table3.csv").loc["Max", "accuracy collapsed"].tolist() == ["0", "2"]
    assert r"\textsuperscript{\textdagger}" in written(collapsed, "table3.tex")


@pytest.mark.skipif(
    not any(map(shutil.which, ("pdflatex", "tectonic"))), reason="no LaTeX is installed"
)
def test_latex_compiles(collapsed):
    tables.main()
    folder = collapsed.reports / "tables"
    inputs = "".join(rf"\input{{table{n}.tex}}" for n in (1, 2, 3))
    document = (
        rf"\documentclass{{article}}\usepackage{{booktabs,graphicx}}\begin{{document}}{inputs}"
    )
    (folder / "all.tex").write_text(document + r"\end{document}", encoding="utf-8")
    latex = shutil.which("pdflatex")
    command = [latex, "-interaction=nonstopmode", "-halt-on-error"] if latex else ["tectonic"]
    ended = subprocess.run(
        [*command, "all.tex"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert "Missing character" not in (folder / "all.log").read_text(errors="replace")
    assert (folder / "all.pdf").stat().st_size > 10_000


def balanced(text):
    text = re.sub(r"\\[\\{}&%$#_]", "", text)
    depth = 0
    for sign in text:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    return depth == 0


def test_latex_is_well_formed(collapsed):
    found = built(collapsed)
    for name, table in found.items():
        text = formats.to_latex(table)
        # Signs that pdflatex knows without further packages: Latin-1, as in Tébessa.
        assert all(ord(sign) < 256 for sign in text), name
        assert balanced(text)
        assert text.count(r"\begin{") == text.count(r"\end{")
        assert rf"\label{{tab:{name}}}" in text
        body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
        lines = [line for line in body.splitlines() if line not in (r"\toprule", r"\midrule")]
        width = 2 * len(stacked(table).columns) + 2 if name != "table4" else 5
        assert all(line.endswith(r"\\") for line in lines)
        assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in lines} == {width}
        # The same cells as in Markdown.
        for section in stacked(table).sections:
            for row in rows(stacked(table), section):
                for cell in row:
                    assert formats.latex_escape(cell.text) in body
                    assert formats.latex_escape(cell.detail) in body
        assert all(formats.latex_escape(note) in text for note in table.notes)
    text = formats.to_latex(found["table3"])
    assert r"made-up scripts \& 50\% more" in text
    assert r"scripts\_b" in text


def test_latex_escapes_every_special_character():
    escaped = formats.latex_escape(r"a&b%c$d#e_f{g}h~i^j\k")
    assert escaped == (
        r"a\&b\%c\$d\#e\_f\{g\}h\textasciitilde{}i\textasciicircum{}j\textbackslash{}k"
    )


def test_the_untrained_network_has_a_file_of_its_own(scored):
    edit_scores(scored, pooling={("scripts-a-avg-untrained", 0): "gem"})
    rows = written(scored, "untrained.csv").set_index("name")
    assert list(rows.index) == list(scored.params.untrained)
    row, means = rows.loc["writers-dgmp-1k-untrained"], read_results(scored.params)
    assert row["trained_cell"] == "writers-dgmp-1k-m01"
    assert row["trained_mAP"] == f"{means['writers-dgmp-1k-m01', 'mAP'].mean:.4f}"
    assert (row["accuracy"], row["trained_accuracy"], row["trained_runs"]) == ("", "", "2")
    row = rows.loc["scripts-a-avg-untrained"]
    assert (row["trained_cell"], row["trained_accuracy"], row["trained_runs"]) == ("", "", "")


@pytest.mark.parametrize(
    ("table", "names", "message"),
    [
        ("table1", [], r"tables\.table1 lists no cell: list at least one"),
        ("table1", ["writers-avg-m01"] * 2, "writers-avg-m01 and writers-avg-m01 have the same"),
        (
            "table2",
            ["writers-avg-m01", "scripts-a-avg"],
            r"tables\.table2: scripts-a-avg is of task scripts_a, but this table shows writers",
        ),
    ],
)
def test_tables_that_cannot_be_shown(scored, table, names, message):
    scored.set(f"tables.{table}", names)
    with pytest.raises(ValueError, match=message):
        built(scored)


def test_cells_are_told_apart_by_margin_or_refused(scored):
    scored.set("tables.table2", ["writers-avg-m01", "writers-avg-m02"])
    labels = [line.label for line in built(scored)["table2"].sections[0].lines[:2]]
    assert labels == ["Avg, margin 0.1", "Avg, margin 0.2"]
    edit_scores(scored, margin={("writers-avg-m02", 0): 0.1, ("writers-avg-m02", 1): 0.1})
    with pytest.raises(ValueError, match="writers-avg-m01 and writers-avg-m02 have the same"):
        built(scored)


def test_a_task_that_a_table_does_not_list_has_no_section(scored):
    scored.set("tables.table3", ["scripts-b-avg"])
    table = built(scored)["table3"]
    assert [section.title for section in table.sections] == ["made-up scripts_b (seeds 0, 1, 2)"]
    assert "measured on CLaMM17:" in table.notes[1]


def test_published_numbers_fit_together(scored):
    published = read_measured(scored.params).published
    numbers = published["cells"]
    for table, cells in scored.params.tables:
        assert table == "table4" or list(numbers[table]) == list(cells)
    for name, rounded in numbers["table2"].items():
        if name in numbers["table1"]:
            for score, value in rounded.items():
                assert value == pytest.approx(numbers["table1"][name][score], abs=0.05001)
    best = max(numbers["table1"], key=lambda name: numbers["table1"][name]["mAP"])
    assert best == "writers-dgmp-1k-m01"
    assert published["data"].keys() == published["cited"].keys()


def test_notes_say_what_is_drawn(scored):
    file = scored.data / "compare" / "comparisons.csv"
    assert "test over pages, with Holm" in " ".join(built(scored)["table3"].notes)
    file.write_text(re.sub(r"(?m)^(scripts-b.*),pages,", r"\1,manuscripts,", file.read_text()))
    assert "resampling the pages and manuscripts of" in " ".join(built(scored)["table3"].notes)
    assert "resampling the writers of the test set" in " ".join(built(scored)["table2"].notes)


def test_the_majority_class_is_no_run_and_never_the_best(scored):
    def larger(arrays):
        # Two of three are of the first class, and every page is taken for the last.
        arrays["labels"][arrays["labels"] == arrays["classes"][1]] = arrays["classes"][0]
        arrays["logits"] = np.tile([0.0, 0.0, 1.0], (30, 1))

    for name, cell in {**scored.params.cells, **scored.params.untrained}.items():
        for seed in seeds_of(name, cell, scored.params) if cell.task == "scripts_a" else ():
            scored.edit_arrays(name, f"seed{seed}.npz", larger)
    evaluate.main()
    compare.main()
    text = formats.to_markdown(built(scored)["table3"])
    assert "| Majority class | 66.7 | – | 66.7 | – | – |" in text
    assert "| Majority class | 33.3 | – | 33.3 | – | – |" in text
    assert "- Majority class: the accuracy of a classifier" in text
    assert text.count("**33.3") >= 2
    assert "Majority" not in formats.to_markdown(built(scored)["table2"])


def test_differences_say_from_what(scored):
    def less(table, section):
        return {row[0].text: row[0].detail for row in comparison_rows(table.sections[section])}

    tables = built(scored)
    assert set(less(tables["table2"], 0).values()) == {"less Avg"}
    assert less(tables["table2"], 1)["SIFT, GMP, E-SVM"] == "less SIFT, VLAD, E-SVM"
    assert less(tables["table3"], 0)["SIFT, GMP, linear SVM"] == "less SIFT, VLAD, linear SVM"
    assert less(tables["table4"], 0)["DGMP network"] == "less Avg network"
    note = "Systems are compared with another one instead: SIFT, GMP, E-SVM with SIFT, VLAD, E-SVM"
    assert any(one.startswith(note) for one in tables["table2"].notes)
    assert not any("instead" in one for one in tables["table1"].notes)
