import csv
import itertools

import numpy as np
import pytest

from dgmp.metrics import evaluate_classification, evaluate_retrieval
from pipeline import compare, ensemble, evaluate
from pipeline.evaluation import comparisons, predictions, results
from pipeline.shared.page_lists import read_pages, write_pages


@pytest.fixture
def scored(project):
    evaluate.main()
    ensemble.main()
    return project


def rows(file):
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_smoke(scored):
    compare.main()
    found = rows(scored.data / "compare" / "comparisons.csv")
    expected = [
        (name, metric)
        for name, cell in scored.params.cells.items()
        for metric in comparisons.METRICS[cell.task]
    ]
    assert sorted((row["cell"], row["metric"]) for row in found) == sorted(expected)
    for row in found:
        assert float(row["low"]) <= float(row["score"]) <= float(row["high"])
        is_baseline = scored.params.cells[row["cell"]].pooling == "avg"
        assert (row["baseline"] == "") == (row["p"] == "") == (row["p_holm"] == "") == is_baseline
        if not is_baseline:
            assert 0 < float(row["p"]) <= float(row["p_holm"]) <= 1
            assert float(row["difference_low"]) <= float(row["difference"])
            assert float(row["difference"]) <= float(row["difference_high"])
    assert {row["groups"] for row in found if row["metric"] == "mAP"} == {"8"}
    assert {row["queries"] for row in found if row["metric"] == "mAP"} == {"24"}
    assert {row["groups"] for row in found if row["metric"] == "ensemble"} == {"30"}


def test_rows_are_those_of_the_tables(scored):
    # The mean over queries of the means over runs is the mean over runs of the scores.
    runs = [run for run, _ in evaluate.measure(scored.params, scored.params.cells)]
    ensembles = results.read_ensembles(scored.params)
    for one in compare.compare(scored.params, compare.read_samples(scored.params)):
        if one.metric == "ensemble":
            expected = ensembles[one.cell]
        else:
            expected = np.mean([getattr(run, one.metric) for run in runs if run.cell == one.cell])
        assert one.score == pytest.approx(expected, abs=1e-5)
        baseline = "-".join([*one.cell.split("-")[:1], "avg", one.cell.split("-")[-1]])
        if one.cell.startswith("writers"):
            assert one.baseline == (None if one.cell == baseline else baseline)


def test_p_agrees_with_the_oracle(scored):
    # All signs of the eight writers, from the prediction files on.
    params = scored.params
    sums = np.zeros(8)
    for name, sign in (("writers-max-m02", 1), ("writers-avg-m02", -1)):
        for seed in params.active.writers.seeds:
            with np.load(params.data / "train" / name / f"seed{seed}.npz") as arrays:
                scores = evaluate_retrieval(arrays["descriptors"], arrays["labels"])
                for writer in range(8):
                    own = arrays["labels"] == f"writer {writer}"
                    sums[writer] += sign * scores.average_precision[own].sum()
    totals = [abs(np.dot(signs, sums)) for signs in itertools.product([1, -1], repeat=8)]
    expected = np.mean([total >= abs(sums.sum()) - 1e-9 for total in totals])
    compare.main()
    found = comparisons.read_comparisons(params)["writers-max-m02", "mAP"]
    assert found.p == pytest.approx(expected, abs=1e-6)
    assert found.difference == pytest.approx(100 * sums.sum() / 24 / 2, abs=1e-5)


def test_holm_counts_the_poolings_of_one_score_task_and_margin(scored):
    compare.main()
    found = comparisons.read_comparisons(scored.params)
    family = [
        one for one in found.values() if (one.baseline, one.metric) == ("writers-avg-m01", "mAP")
    ]
    assert len(family) == 6
    least = min(family, key=lambda one: one.p)
    assert least.p_holm == pytest.approx(min(1, 6 * least.p), abs=1e-5)


def test_a_cell_more_leaves_the_others_alone(scored):
    before = compare.compare(scored.params, compare.read_samples(scored.params))
    settings = {name: cell.model_dump() for name, cell in scored.params.cells.items()}
    del settings["writers-lse-m01"]
    scored.set("tables.table2", [n for n in scored.params.tables.table2 if "lse" not in n])
    scored.set("cells", settings)
    after = compare.compare(scored.params, compare.read_samples(scored.params))
    kept = [one for one in before if one.cell != "writers-lse-m01"]
    assert [(o.cell, o.metric, o.low, o.high, o.p) for o in after] == [
        (o.cell, o.metric, o.low, o.high, o.p) for o in kept
    ]


def test_a_task_without_average_pooling_has_intervals_alone(scored):
    cells = {n: c.model_dump() for n, c in scored.params.cells.items() if n != "scripts-a-avg"}
    scored.set("tables.table3", [n for n in scored.params.tables.table3 if n != "scripts-a-avg"])
    scored.set("cells", cells)
    compare.main()
    one = comparisons.read_comparisons(scored.params)["scripts-a-max", "accuracy"]
    assert (one.baseline, one.difference, one.p, one.p_holm) == (None, None, None, None)
    assert one.low < one.score < one.high


def test_pages_agree_with_the_predictions(scored):
    found = rows(scored.data / "evaluate" / "pages.csv")
    file = scored.data / "train" / "scripts-b-max" / "seed2.npz"
    with np.load(file) as arrays:
        scores = evaluate_classification(arrays["logits"], arrays["labels"], arrays["classes"])
        own = [row for row in found if (row["cell"], row["seed"]) == ("scripts-b-max", "2")]
        assert [row["file"] for row in own] == arrays["files"].tolist()
        assert [row["predicted"] for row in own] == arrays["classes"][scores.predictions].tolist()
    assert {row["average_precision"] for row in own} == {""}
    own = [row for row in found if (row["cell"], row["seed"]) == ("writers-avg-m05", "0")]
    with np.load(scored.data / "train" / "writers-avg-m05" / "seed0.npz") as arrays:
        scores = evaluate_retrieval(arrays["descriptors"], arrays["labels"])
    np.testing.assert_allclose(
        [float(row["average_precision"]) for row in own], scores.average_precision, atol=1e-9
    )
    assert [row["top1"] == "1" for row in own] == scores.top1_hits.tolist()


def test_queries_without_a_relevant_page_are_left_out(scored):
    def single(arrays):
        arrays["labels"] = np.array([*arrays["labels"][:-1], "nobody"])

    for name, cell in {**scored.params.cells, **scored.params.untrained}.items():
        if cell.task == "writers":
            for seed in predictions.seeds_of(name, cell, scored.params):
                scored.edit_arrays(name, f"seed{seed}.npz", single)
    evaluate.main()
    compare.main()
    one = comparisons.read_comparisons(scored.params)["writers-max-m01", "mAP"]
    assert (one.queries, one.groups) == (23, 8)


def test_missing_stale_and_damaged_files_are_named(scored):
    file = scored.data / "compare" / "comparisons.csv"
    with pytest.raises(ValueError, match=r"comparisons\.csv is missing: run `dvc repro compare`"):
        comparisons.read_comparisons(scored.params)
    compare.main()
    file.write_text("cell,metric\nwriters-avg-m01,mAP\n")
    with pytest.raises(ValueError, match=r"comparisons\.csv is damaged"):
        comparisons.read_comparisons(scored.params)
    scored.set("profiles.scribes.writers.seeds", [0, 1, 5])
    with pytest.raises(ValueError, match="no pages of writers-avg-m01, seed 5: run `dvc repro eva"):
        compare.main()
    scored.set("profiles.scribes.writers.seeds", [0])
    compare.main()
    scored.set("profiles.scribes.writers.seeds", [0, 1])
    with pytest.raises(ValueError, match="no row of cell writers-avg-m01, mAP, for seeds 0 1 and"):
        comparisons.read_comparisons(scored.params)
    pages = scored.data / "ensemble" / "pages.csv"
    pages.write_text("something\nelse\n")
    with pytest.raises(ValueError, match=r"ensemble/pages\.csv is damaged"):
        compare.main()
    pages.unlink()
    with pytest.raises(ValueError, match=r"ensemble/pages\.csv is missing: run `dvc repro ensem"):
        compare.main()


def test_pages_of_one_source_are_drawn_together(scored):
    alone = {(one.cell, one.metric): one for one in made(scored)}
    assert {one.drawn for one in alone.values()} == {"writers", "pages"}
    file = scored.data / "acquire" / "scripts_a.csv"
    pages = read_pages(file)
    write_pages(
        file, [p._replace(group=f"m{i // 5}") for i, p in enumerate(pages[:-2])] + pages[-2:]
    )
    labels = {"labels": "l.csv", "group": None}
    scored.set(
        "profiles.scribes.acquire",
        {"source": "folder", "folder": "f", "seed": 0, "validation_fraction": 0.1}
        | {"writers": labels, "scripts_b": labels, "scripts_a": labels | {"group": "manuscript"}},
    )
    grouped = {(one.cell, one.metric): one for one in made(scored)}
    for key, one in grouped.items():
        if scored.params.cells[one.cell].task == "scripts_a":
            # Six sources, and the two pages without one.
            assert (one.queries, one.groups, one.drawn) == (30, 8, "manuscripts")
            wrong = one.score < 100
            assert ((one.low, one.high) != (alone[key].low, alone[key].high)) == wrong
            assert one.score == alone[key].score
        else:
            assert one == alone[key]


def made(project):
    return compare.compare(project.params, compare.read_samples(project.params))


def test_page_lists_of_an_older_form_or_of_other_pages(scored):
    file = scored.data / "acquire" / "scripts_b.csv"
    pages = read_pages(file)
    write_pages(file, pages[1:])
    with pytest.raises(ValueError, match=rf"does not list the test page {pages[0].file}: run `dvc"):
        compare.main()
    file.write_text("file,label,split\n")
    with pytest.raises(ValueError, match=r"scripts_b\.csv has no column group: run `dvc repro acq"):
        compare.main()
