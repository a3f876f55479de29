"""The page of a query, which is a single file."""

import re

import pytest

from dgmp.search.findings import Hit
from pipeline.scans.query_page import Look, write_query_page
from tests.pipeline.scans.conftest import CUTOFFS, HOSTILE


def write(file, made_up, hits, looks, evidence, letters) -> str:
    write_query_page(
        file,
        title="Who",
        name=HOSTILE[0],
        look=Look((300, 220), b"own"),
        hits=hits,
        scans=made_up.scans,
        looks=looks,
        evidence=evidence,
        letters=letters,
        cutoffs=CUTOFFS,
        about={},
    )
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("grade", "answer"),
    [
        ("same hand likely", "Likely by the hand of"),
        ("unsure", "Perhaps, but not surely"),
        ("no match here", "No page here is by this hand"),
    ],
)
def test_the_answer_says_how_sure_it_is(tmp_path, made_up, grade, answer):
    hit = Hit(9, 0.5, 0.9876, grade)
    page = write(tmp_path / "q.html", made_up, [hit], {9: Look((10, 10), b"hit")}, {}, {})
    assert answer in page
    assert "score 0.50, higher than 98.8 % of the pairs of different codices" in page
    assert "src=x" not in re.sub(r"&lt;.*?&gt;", "", re.sub(r"(?s)<script.*?</script>", "", page))
    assert [p.name for p in tmp_path.iterdir()] == ["q.html"]


def test_without_hits_there_is_a_page_as_well(tmp_path, made_up):
    assert "no page to compare it with" in write(tmp_path / "q.html", made_up, [], {}, {}, {})


def test_missing_pictures_are_named(tmp_path, made_up):
    hit = Hit(9, 0.5, 0.9, "unsure")
    name = re.escape(made_up.scans[9].name)
    with pytest.raises(ValueError, match=rf"without a look: \['{name}'\]"):
        write(tmp_path / "q.html", made_up, [hit], {}, {}, {})
    evidence = {9: next(iter(made_up.findings.evidence.values()))}
    with pytest.raises(ValueError, match=rf"without letters: \['{name}'\]"):
        write(tmp_path / "q.html", made_up, [hit], {9: Look((9, 9), b"")}, evidence, {})
