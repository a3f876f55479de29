import itertools

import numpy as np
import pytest

from dgmp.metrics import evaluate_retrieval
from pipeline import compare, evaluate
from pipeline.evaluation.comparison_tests import read_comparisons
from pipeline.evaluation.predictions import seeds_of
from pipeline.evaluation.results import read_results
from pipeline.shared.page_lists import read_pages, write_pages
from pipeline.shared.settings.systems import STEPS


def again(project):
    evaluate.main()
    compare.main()
    return read_comparisons(project.params)


def test_smoke(scored):
    found = read_comparisons(scored.params)
    systems = {key: one for key, one in found.items() if "/" in one.cell}
    found = {key: one for key, one in found.items() if key not in systems}
    assert set(found) == {
        (name, metric)
        for name, cell in scored.params.cells.items()
        for metric in (("mAP", "top1") if cell.task == "writers" else ("accuracy", "ensemble"))
    }
    assert {key for key in systems if key[1] == "top1"} == {
        (f"{name}/{step}", "top1") for name in scored.params.systems for step in STEPS
    }
    for one in systems.values():
        name, step = one.cell.split("/")
        baseline = scored.params.baselines.get(name)
        assert one.baseline == (None if baseline is None else f"{baseline}/{step}")
        assert (one.p is None) == (baseline is None)
    # The mean over queries of the means over runs is the mean over runs of the scores.
    results = read_results(scored.params)
    for key, one in found.items():
        assert one.score == pytest.approx(results[key].mean, abs=1e-5)
        assert one.low <= one.score <= one.high
        task, *_, end = one.cell.split("-")
        expected = f"writers-avg-{end}" if task == "writers" else f"{one.cell[:9]}-avg"
        assert one.baseline == (None if one.cell == expected else expected)
        if one.baseline is None:
            assert one.difference is one.difference_low is one.p is one.p_holm is None
        else:
            assert 0 < one.p <= one.p_holm <= 1
            assert one.difference_low <= one.difference <= one.difference_high
    sizes = {one.metric: (one.queries, one.groups, one.drawn) for one in found.values()}
    assert sizes["mAP"] == sizes["top1"] == (24, 8, "writers")
    assert sizes["accuracy"] == sizes["ensemble"] == (30, 30, "pages")


def test_p_agrees_with_the_oracle(scored):
    # All signs of the eight writers, from the prediction files on.
    sums = np.zeros(8)
    for name, sign in (("writers-max-m02", 1), ("writers-avg-m02", -1)):
        for seed in scored.params.active.writers.seeds:
            with np.load(scored.run(name, f"seed{seed}.npz")) as arrays:
                scores = evaluate_retrieval(arrays["descriptors"], arrays["labels"])
                for writer in range(8):
                    own = arrays["labels"] == f"writer {writer}"
                    sums[writer] += sign * scores.average_precision[own].sum()
    totals = [abs(np.dot(signs, sums)) for signs in itertools.product([1, -1], repeat=8)]
    expected = np.mean([total >= abs(sums.sum()) - 1e-9 for total in totals])
    found = read_comparisons(scored.params)["writers-max-m02", "mAP"]
    assert found.p == pytest.approx(expected, abs=1e-6)
    assert found.difference == pytest.approx(100 * sums.sum() / 24 / 2, abs=1e-5)


def test_holm_counts_the_poolings_of_one_score_task_and_margin(scored):
    found = read_comparisons(scored.params).values()
    family = [one for one in found if (one.baseline, one.metric) == ("writers-avg-m01", "mAP")]
    assert len(family) == 8  # of Tables I and II, and of the sweep
    least = min(family, key=lambda one: one.p)
    assert least.p_holm == pytest.approx(min(1, 8 * least.p), abs=1e-5)


def without(project, name):
    """The project without a cell."""
    cells = {n: cell.model_dump() for n, cell in project.params.cells.items() if n != name}
    for table, names in project.params.tables:
        if table != "table4":
            project.set(f"tables.{table}", [one for one in names if one != name])
    project.set("cells", cells)


def test_a_cell_more_leaves_the_others_alone(scored):
    before = read_comparisons(scored.params)
    without(scored, "writers-lse-m01")
    after = again(scored)
    kept = [one for one in before.values() if one.cell != "writers-lse-m01"]
    assert [(o.cell, o.metric, o.low, o.high, o.p) for o in after.values()] == [
        (o.cell, o.metric, o.low, o.high, o.p) for o in kept
    ]


def test_a_task_without_average_pooling_has_intervals_alone(scored):
    without(scored, "scripts-a-avg")
    one = again(scored)["scripts-a-max", "accuracy"]
    assert (one.baseline, one.difference, one.p, one.p_holm) == (None, None, None, None)
    assert one.low < one.score < one.high


def test_queries_without_a_relevant_page_are_left_out(scored):
    def single(arrays):
        arrays["labels"] = np.array([*arrays["labels"][:-1], "nobody"])

    for name, cell in {**scored.params.cells, **scored.params.untrained}.items():
        for seed in seeds_of(name, cell, scored.params) if cell.task == "writers" else ():
            scored.edit_arrays(name, f"seed{seed}.npz", single)
    one = again(scored)["writers-max-m01", "mAP"]
    assert (one.queries, one.groups) == (23, 8)


LISTS = {"labels": "l.csv", "group": None}
OF_A_FOLDER = {"source": "folder", "folder": "f", "writers": LISTS, "scripts_b": LISTS} | {
    "scripts_a": LISTS | {"group": "manuscript"}
}
OF_THE_BENCHMARK = {"source": "benchmark", "incomplete": "stop"}


@pytest.mark.parametrize("acquire", [OF_A_FOLDER, OF_THE_BENCHMARK])
def test_pages_of_one_source_are_drawn_together(scored, acquire):
    alone = read_comparisons(scored.params)
    file = scored.data / "acquire" / "scripts_a.csv"
    pages = read_pages(file)
    grouped = [page._replace(group=f"m{i // 5}") for i, page in enumerate(pages[18:-2])]
    write_pages(file, pages[:18] + grouped + pages[-2:])
    scored.set("profiles.scribes.acquire", acquire | {"seed": 0, "validation_fraction": 0.1})
    compare.main()
    for key, one in read_comparisons(scored.params).items():
        task = scored.params.cells[one.cell].task if "/" not in one.cell else one.cell.split("/")[1]
        if task == "scripts_a":
            # Six sources, and the two pages without one.
            assert (one.queries, one.groups, one.drawn) == (30, 8, "manuscripts")
            wrong = one.score < 100
            assert ((one.low, one.high) != (alone[key].low, alone[key].high)) == wrong
            assert one.score == alone[key].score
        else:
            assert one == alone[key]
