import csv
import json
import re
import shutil
import subprocess
from statistics import mean, stdev

import numpy as np
import pytest
import yaml

from pipeline import compare, ensemble, evaluate, tables
from pipeline.evaluation import comparisons, predictions, results, scored_runs
from pipeline.evaluation.majority_class import largest_class
from pipeline.evaluation.results import Summary
from pipeline.reporting import formats
from pipeline.reporting.table import Column, Entry, Line, Section, Table, rows, stacked


@pytest.fixture
def scored(project):
    evaluate.main()
    ensemble.main()
    compare.main()
    return project


def read_csv(file):
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def built(project):
    published = yaml.safe_load(tables.PUBLISHED.read_text(encoding="utf-8"))
    return {table.name: table for table in tables.build_tables(project.params, published)}


def test_smoke(scored, caplog):
    caplog.set_level("INFO")
    tables.main()
    names = [f"table{n}.{ending}" for n in (1, 2, 3) for ending in ("csv", "md", "tex")]
    assert sorted(file.name for file in scored.reports.iterdir()) == [
        "baseline.csv",
        *names,
        "tables.json",
    ]
    assert "Table II: Global pooling methods" in caplog.text
    assert "Fribourg" not in caplog.text


def test_csv_agrees_with_the_oracle(scored):
    tables.main()
    runs = [run for run, _ in evaluate.measure(scored.params, scored.params.cells)]
    rows = {row["pooling"]: row for row in read_csv(scored.reports / "table1.csv")}
    values = [one.top1 for one in runs if one.cell == "writers-dgmp-1k-m02"]
    row = rows["DGMP, λ = 10³"]
    assert float(row["top1 margin 0.2"]) == pytest.approx(mean(values), abs=1e-4)
    assert float(row["top1 margin 0.2 sd"]) == pytest.approx(stdev(values), abs=1e-4)
    assert row["top1 margin 0.2 paper"] == "72.56"
    assert (row["runs"], row["top1 margin 0.2 collapsed"]) == ("2", "0")
    rows = {row["pooling"]: row for row in read_csv(scored.reports / "table2.csv")}
    cited = rows["oBIF (Tébessa)"]
    assert (cited["mAP"], cited["mAP paper"], cited["runs"]) == ("", "55.6", "")
    assert cited["reference"] == "Fiel et al., ICDAR 2017 [31]"
    rows = read_csv(scored.reports / "table3.csv")
    ensembles = results.read_ensembles(scored.params)
    row = next(row for row in rows if row["pooling"] == "Avg + ℓ²")
    assert float(row["ensemble"]) == pytest.approx(ensembles["scripts-b-avg-l2"], abs=1e-4)
    assert row["ensemble paper"] == "82.2"


def test_differences_from_the_paper_and_intervals_are_in_every_format(scored):
    tables.main()
    row = {row["pooling"]: row for row in read_csv(scored.reports / "table2.csv")}["LSE, r = 10"]
    mean, paper, low, high = (float(row[f"mAP{part}"]) for part in ("", " paper", " low", " high"))
    assert float(row["mAP less paper"]) == pytest.approx(mean - paper, abs=1e-4)
    assert low <= mean <= high
    interval, less = f"[{low:.1f}, {high:.1f}]", f"{mean - paper:+.1f}"
    line = next(
        line
        for line in (scored.reports / "table2.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| LSE")
    )
    assert f"<br>{interval} | 51.4 |" in line
    tex = (scored.reports / "table2.tex").read_text(encoding="utf-8")
    assert rf"{{\scriptsize {interval}}} & {{\scriptsize {less.replace('-', '$-$')}}}" in tex
    assert row["mAP less paper"] != ""
    cited = {row["pooling"]: row for row in read_csv(scored.reports / "table2.csv")}["Unsupervised"]
    assert cited["mAP less paper"] == ""


def test_json_holds_the_numbers_of_the_csv(scored):
    tables.main()
    content = json.loads((scored.reports / "tables.json").read_text(encoding="utf-8"))
    for name in ("table1", "table2", "table3"):
        lines = [line for part in content["tables"][name]["sections"] for line in part["lines"]]
        found = read_csv(scored.reports / f"{name}.csv")
        assert len(lines) == len(found)
        for line, row in zip(lines, found, strict=True):
            assert line["pooling"] == row["pooling"]
            for one in line["scores"]:
                column = " ".join(filter(None, [one["score"], one["group"]]))
                for key, suffix in (("mean", ""), ("less_paper", " less paper"), ("p", " p")):
                    shown = row[column + suffix]
                    assert (None if shown == "" else float(shown)) == one[key]
                assert (one["cell"] is None) == (row["runs"] == "")


def test_json_tells_where_each_cell_comes_from(scored):
    tables.main()
    content = json.loads((scored.reports / "tables.json").read_text(encoding="utf-8"))
    shown = {
        one["cell"]
        for table in content["tables"].values()
        for part in table["sections"]
        for line in part["lines"]
        for one in line["scores"]
        if one["cell"]
    }
    assert shown == content["cells"].keys() == scored.params.cells.keys()
    cell = content["cells"]["writers-dgmp-1k-m02"]
    facts = json.loads(scored.run("writers-dgmp-1k-m02", "runs.json").read_text())
    assert cell["settings"]["pooling"]["lambda_"] == 1000
    assert cell["settings"]["cell"]["margin"] == 0.2
    assert "seed" not in cell["settings"]
    assert cell["data"] == facts[0]["identity"]["data"]
    assert cell["command"] == "dvc repro train@writers-dgmp-1k-m02"
    kept = ("seed", "fingerprint", "weights")
    assert [{key: run[key] for key in kept} for run in cell["runs"]] == [
        {key: fact[key] for key in kept} for fact in facts
    ]
    text = json.dumps(content)
    assert not any(word in text for word in ("commit", "started", "seconds", "processor"))


def test_runs_that_do_not_belong_together(scored):
    name = "writers-max-m02"
    other = json.loads(scored.run(name, "runs.json").read_text())[1]["identity"] | {"data": "x"}
    scored.edit_run(name, 1, identity=other)
    with pytest.raises(
        ValueError, match=rf"{name}/runs\.json has runs of different settings, data"
    ):
        tables.main()
    facts = [{"seed": s, "best_epoch": 1, "validation_score": 1.0} for s in (0, 1)]
    scored.run(name, "runs.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=rf"seed 0 was made of: run `dvc repro -f train@{name}`"):
        tables.main()


def test_table1_has_the_papers_layout(scored):
    table = built(scored)["table1"]
    assert [column.group for column in table.columns[::2]] == [
        "margin 0.1",
        "margin 0.2",
        "margin 0.5",
    ]
    assert [line.label for line in table.sections[0].lines] == [
        "Avg",
        "Max",
        "DGMP, λ = 1",
        "DGMP, λ = 10³",
        "DGMP, λ = 10⁵",
    ]
    assert all(entry.paper for line in table.sections[0].lines for entry in line.entries)


def test_a_cell_that_a_table_does_not_list_leaves_a_gap(scored):
    listed = [name for name in scored.params.tables.table1 if name != "writers-max-m02"]
    scored.set("tables.table1", listed)
    table = built(scored)["table1"]
    row = next(row for row in rows(table, table.sections[0]) if row[0].text == "Max")
    assert [cell.text for cell in row][5:9] == ["–"] * 4
    lines = [line.label for line in stacked(table).sections[1].lines]
    assert "Max" not in lines
    assert len(lines) == len(stacked(table).sections[0].lines) - 1


def test_margins_stand_one_below_the_other_where_there_is_little_width(scored):
    table = built(scored)["table1"]
    narrow = stacked(table)
    assert [column.group for column in narrow.columns] == ["", ""]
    assert [section.title.rpartition(", ")[2] for section in narrow.sections] == [
        "margin 0.1",
        "margin 0.2",
        "margin 0.5",
    ]
    for before, line in enumerate(table.sections[0].lines):
        entries = [e for section in narrow.sections for e in section.lines[before].entries]
        assert entries == list(line.entries)
    lines = [line for line in formats.to_markdown(table).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {7}
    assert r"\begin{tabular}{lrrrrr}" in formats.to_latex(table)
    assert stacked(built(scored)["table2"]) == built(scored)["table2"]


def test_markdown(scored):
    tables.main()
    text = (scored.reports / "table3.md").read_text(encoding="utf-8")
    assert "made-up scripts & 50% more (seeds 0, 1, 2)" in text
    assert "measured on CLaMM16 and CLaMM17: not on this profile's data" in text
    assert "| T-DeepCNN<br>cited: Cloppet et al., ICDAR 2017 [20] | – | – | – | 85.2 | – |" in text
    for block in text.split("Measured on")[1:]:
        table = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in table}) == 1
        assert sum("**" in line.split("|")[2] for line in table) >= 1
    assert "†" not in text


def test_the_paper_profile_says_that_data_are_the_same(scored):
    text = formats.to_markdown(built(scored)["table2"])
    assert "not on this profile's data" in text
    (scored.data).rename("data/paper")
    scored.set("profiles.paper.writers.seeds", [0, 1])
    for task in ("scripts_a", "scripts_b"):
        scored.set(f"profiles.paper.{task}.seeds", [0, 1, 2])
    scored.set("profile", "paper")
    text = formats.to_markdown(built(scored)["table2"])
    assert "measured on ICDAR17-WI: the data of this profile" in text


def table_of(*means, decimals=1):
    lines = tuple(
        Line(f"p{i}", (Entry(Summary(value, None, 1, 0), 1.0),), 1) for i, value in enumerate(means)
    )
    return Table("t", "T", "t", (Column("mAP"),), (Section("s", lines),), (), decimals)


def test_all_best_values_as_printed_are_bold():
    text = formats.to_markdown(table_of(50.04, 50.01, 49.9))
    assert text.count("**50.0**") == 2
    assert "| 49.9 |" in text


def test_nothing_is_bold_without_measured_values():
    line = Line("cited", (Entry(None, 3.0),), reference="somebody")
    table = Table("t", "T", "t", (Column("mAP"),), (Section("s", (line,)),), (), 1)
    assert "**" not in formats.to_markdown(table)


def test_a_star_marks_what_the_test_tells_from_average(scored):
    # In every run the maximum ranks better than average does, for every writer.
    name = "writers-max-m02"
    for seed in scored.params.active.writers.seeds:
        scored.edit_arrays("writers-avg-m02", f"seed{seed}.npz", shuffle)
        scored.edit_arrays(name, f"seed{seed}.npz", separate)
    evaluate.main()
    compare.main()
    tables.main()
    found = comparisons.read_comparisons(scored.params)
    assert found[name, "mAP"].p_holm < 0.05
    starred = {
        (line.label, column.group, column.score)
        for line in built(scored)["table1"].sections[0].lines
        for column, entry in zip(built(scored)["table1"].columns, line.entries, strict=True)
        if entry.differs
    }
    assert ("Max", "margin 0.2", "mAP") in starred
    assert not [label for label, _, _ in starred if label == "Avg"]
    text = (scored.reports / "table1.md").read_text(encoding="utf-8")
    assert text.count(r" \*") == len(starred) + 1
    assert r"- \* Differs from Avg on the same data and at the same margin: p < 0.05" in text
    row = {row["pooling"]: row for row in read_csv(scored.reports / "table1.csv")}["Max"]
    one = found[name, "mAP"]
    shown = [row[f"mAP margin 0.2 {part}"] for part in ("low", "high", "less Avg", "p")]
    assert [float(value) for value in shown] == pytest.approx(
        [one.low, one.high, one.difference, one.p_holm], abs=1e-4
    )


def separate(arrays):
    writers = np.unique(arrays["labels"], return_inverse=True)[1]
    arrays["descriptors"] = np.eye(8, dtype=np.float32)[writers]


def shuffle(arrays):
    arrays["descriptors"] = np.random.default_rng(5).normal(size=(24, 6)).astype(np.float32)


def test_collapsed_runs_bear_a_dagger_and_a_note_with_their_number(scored):
    scored.edit_run("writers-max-m05", 1, collapsed=True)
    scored.edit_run("scripts-b-max", 0, collapsed=True)
    scored.edit_run("scripts-b-max", 2, collapsed=True)
    evaluate.main()
    tables.main()
    text = (scored.reports / "table1.md").read_text(encoding="utf-8")
    of_max = [line for line in text.splitlines() if line.startswith("| Max")]
    daggers = [["†" in cell for cell in row.split("|")[2:-2]] for row in of_max]
    assert daggers == [[False] * 4, [False] * 4, [True, False] * 2]
    note = "† Max, margin 0.5: 1 of 2 runs collapsed"
    assert text.count(note) == 1
    text = (scored.reports / "table3.md").read_text(encoding="utf-8")
    assert "† (b) made-up scripts_b (seeds 0, 1, 2), Max: 2 of 3 runs collapsed" in text
    row = next(
        row
        for row in read_csv(scored.reports / "table3.csv")
        if row["pooling"] == "Max" and row["data"].startswith("(b)")
    )
    assert row["accuracy collapsed"] == "2"
    tex = (scored.reports / "table3.tex").read_text(encoding="utf-8")
    assert r"\textsuperscript{\textdagger}" in tex


@pytest.mark.skipif(
    not any(map(shutil.which, ("pdflatex", "tectonic"))), reason="no LaTeX is installed"
)
def test_latex_compiles(scored):
    scored.edit_run("writers-max-m05", 1, collapsed=True)
    evaluate.main()
    tables.main()
    inputs = "".join(rf"\input{{table{n}.tex}}" for n in (1, 2, 3))
    document = (
        rf"\documentclass{{article}}\usepackage{{booktabs,graphicx}}\begin{{document}}{inputs}"
    )
    (scored.reports / "all.tex").write_text(document + r"\end{document}", encoding="utf-8")
    latex = shutil.which("pdflatex")
    command = [latex, "-interaction=nonstopmode", "-halt-on-error"] if latex else ["tectonic"]
    ended = subprocess.run(
        [*command, "all.tex"], cwd=scored.reports, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert "Missing character" not in (scored.reports / "all.log").read_text(errors="replace")
    assert (scored.reports / "all.pdf").stat().st_size > 10_000


def balanced(text):
    text = re.sub(r"\\[\\{}&%$#_]", "", text)
    depth = 0
    for sign in text:
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    return depth == 0


def test_latex_is_well_formed(scored):
    scored.edit_run("writers-max-m05", 1, collapsed=True)
    evaluate.main()
    for name, table in built(scored).items():
        text = formats.to_latex(table)
        # Signs that pdflatex knows without further packages: Latin-1, as in Tébessa.
        assert all(ord(sign) < 256 for sign in text), name
        assert balanced(text)
        assert text.count(r"\begin{") == text.count(r"\end{")
        body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
        columns = re.search(r"\\begin\{tabular\}\{(l r*)\}|\\begin\{tabular\}\{(lr*)\}", text)
        width = len(columns[1] or columns[2])
        for line in body.splitlines()[1:]:
            if line.startswith((r"\midrule", r"\cmidrule")):
                continue
            assert line.endswith(r"\\")
            spans = [int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", line)]
            assert len(re.findall(r"(?<!\\)&", line)) + 1 + sum(spans) == width, line
    assert r"made-up scripts \& 50\% more" in text
    assert r"scripts\_b" in text


def test_latex_escapes_every_special_character():
    escaped = formats.latex_escape(r"a&b%c$d#e_f{g}h~i^j\k")
    assert escaped == (
        r"a\&b\%c\$d\#e\_f\{g\}h\textasciitilde{}i\textasciicircum{}j\textbackslash{}k"
    )


def test_baseline_stands_beside_the_trained_mean(scored):
    tables.main()
    rows = {row["name"]: row for row in read_csv(scored.reports / "baseline.csv")}
    assert list(rows) == list(scored.params.untrained)
    runs = [run for run, _ in evaluate.measure(scored.params, scored.params.cells)]
    row = rows["writers-dgmp-1k-untrained"]
    values = [one.mAP for one in runs if one.cell == "writers-dgmp-1k-m01"]
    assert row["trained_cell"] == "writers-dgmp-1k-m01"
    assert float(row["trained_mAP"]) == pytest.approx(mean(values), abs=1e-4)
    assert (row["accuracy"], row["trained_accuracy"], row["trained_runs"]) == ("", "", "2")
    row = rows["scripts-b-avg-untrained"]
    assert (row["trained_cell"], row["mAP"]) == ("scripts-b-avg", "")
    assert float(row["accuracy"]) < float(row["trained_accuracy"])


def test_baseline_without_a_trained_counterpart(scored):
    cell = {"task": "writers", "pooling": "gem", "margin": 0.1}
    scored.set("poolings.gem", {"name": "gem"})
    scored.set("untrained", {"writers-avg-untrained": cell})
    file = scored.data / "evaluate" / "untrained.csv"
    file.write_text(file.read_text().replace("writers,avg,", "writers,gem,"))
    tables.main()
    row = read_csv(scored.reports / "baseline.csv")[0]
    assert (row["trained_cell"], row["trained_mAP"], row["trained_runs"]) == ("", "", "")
    assert float(row["mAP"]) > 0


def test_tables_take_no_stale_or_missing_run(scored):
    scored.set("profiles.scribes.writers.seeds", [0, 1, 5])
    with pytest.raises(ValueError, match="no row for cell writers-avg-m01, seed 5"):
        tables.main()
    scored.set("profiles.scribes.writers.seeds", [1])
    with pytest.raises(ValueError, match="no row of cell writers-avg-m01, mAP, for seeds 1 and"):
        tables.main()
    compare.main()
    table = built(scored)["table2"]
    runs = scored_runs.read_runs(
        scored.data / "evaluate" / "scores.csv", scored.params.cells, scored.params
    )
    only = next(one.mAP for one in runs if one.cell == "writers-avg-m01")
    summary = table.sections[0].lines[0].entries[0].measured
    assert summary == Summary(only, None, 1, 0)


def test_tables_that_cannot_be_shown(scored):
    listed = list(scored.params.tables.table1)
    scored.set("tables.table1", [])
    with pytest.raises(ValueError, match=r"tables\.table1 lists no cell"):
        built(scored)
    scored.set("tables.table1", listed)
    scored.set("tables.table2", ["writers-avg-m01", "scripts-a-avg"])
    with pytest.raises(ValueError, match=r"tables\.table2: scripts-a-avg is of task scripts_a"):
        built(scored)
    scored.set("tables.table2", ["writers-avg-m01", "writers-avg-m02"])
    labels = [line.label for line in built(scored)["table2"].sections[0].lines[:2]]
    assert labels == ["Avg, margin 0.1", "Avg, margin 0.2"]
    twin = dict(scored.params.cells["writers-avg-m01"])
    scored.set("cells.writers-avg-m02", twin)
    scored.set("cells.writers-avg-m02.pooling_multiplier", 7)
    evaluate.main()
    compare.main()
    with pytest.raises(ValueError, match="writers-avg-m01 and writers-avg-m02 have the same"):
        built(scored)


def test_published_numbers_fit_together(project):
    published = yaml.safe_load(tables.PUBLISHED.read_text(encoding="utf-8"))
    numbers = published["cells"]
    for table, cells in project.params.tables:
        assert list(numbers[table]) == list(cells)
    for name, rounded in numbers["table2"].items():
        if name in numbers["table1"]:
            for score, value in rounded.items():
                assert value == pytest.approx(numbers["table1"][name][score], abs=0.05001)
    best = max(numbers["table1"], key=lambda name: numbers["table1"][name]["mAP"])
    assert best == "writers-dgmp-1k-m01"
    assert published["data"].keys() == published["cited"].keys()


def test_notes_say_what_is_drawn(scored):
    notes = " ".join(built(scored)["table3"].notes)
    assert "over pages like those" in notes
    assert "test over pages, Holm" in notes
    file = scored.data / "compare" / "comparisons.csv"
    text = re.sub(r"(?m)^(scripts-b.*),pages,", r"\1,manuscripts,", file.read_text())
    file.write_text(text)
    notes = " ".join(built(scored)["table3"].notes)
    assert "over pages and manuscripts like those" in notes
    assert "over writers like those" in " ".join(built(scored)["table2"].notes)


def test_the_largest_class_is_no_run_and_never_the_best(scored):
    def larger(arrays):
        # Two of three are of the first class, and every page is taken for the last.
        arrays["labels"][arrays["labels"] == arrays["classes"][1]] = arrays["classes"][0]
        arrays["logits"] = np.tile([0.0, 0.0, 1.0], (30, 1))

    for name, cell in {**scored.params.cells, **scored.params.untrained}.items():
        if cell.task == "scripts_a":
            for seed in predictions.seeds_of(name, cell, scored.params):
                scored.edit_arrays(name, f"seed{seed}.npz", larger)
    evaluate.main()
    ensemble.main()
    compare.main()
    text = formats.to_markdown(built(scored)["table3"])
    assert "| Always the largest class | 66.7 | – | 66.7 | – | – |" in text
    assert "| Always the largest class | 33.3 | – | 33.3 | – | – |" in text
    assert "- Always the largest class: the share of the test pages" in text
    assert text.count("**33.3") >= 2
    assert "Always" not in formats.to_markdown(built(scored)["table2"])


def test_the_largest_class_needs_the_scored_pages(scored):
    file = scored.data / "evaluate" / "pages.csv"
    file.write_text("cell,file,label\n")
    with pytest.raises(ValueError, match=r"pages\.csv has no pages of scripts-a-avg, .*: run `dvc"):
        largest_class(scored.params, "scripts_a")
    file.write_text("cell,seed\nscripts-a-avg,0\n")
    with pytest.raises(ValueError, match=r"pages\.csv is damaged"):
        largest_class(scored.params, "scripts_a")
    file.unlink()
    with pytest.raises(ValueError, match=r"pages\.csv is missing: run `dvc repro evaluate`"):
        largest_class(scored.params, "scripts_a")
