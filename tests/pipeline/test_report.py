import pytest

from pipeline import compare, ensemble, evaluate, report, tables
from pipeline.pages import Page, write_pages


@pytest.fixture
def scored(project):
    evaluate.main()
    ensemble.main()
    compare.main()
    (project.data / "acquire").mkdir()
    for task in report.TASKS:
        pages = [
            Page(f"{i}.png", f"label {i % 4}", ("train", "val", "test")[i % 3]) for i in range(24)
        ]
        write_pages(project.data / "acquire" / f"{task}.csv", pages)
    return project


def test_smoke(scored):
    tables.main()
    report.main()
    assert "<h1>Deep Generalized Max Pooling</h1>" in (scored.reports / "index.html").read_text()
