import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from dgmp.scans.scan import Scan
from dgmp.scribes import draw_scribe, write_page
from dgmp.search.assembly import findings_of
from dgmp.search.described import DescribedScan, describe_scan
from dgmp.search.index import Index

HANDS, PAGES = 6, 3


def page_of(hand: int, number: int) -> np.ndarray:
    scribe = draw_scribe(
        ("Caroline", "Textualis", "Cursiva")[hand % 3], np.random.default_rng((0, hand))
    )
    rng = np.random.default_rng((1, hand, number))
    return write_page(scribe, rng, height=240, width=320, line_pitch=30)


@pytest.fixture(scope="module")
def described() -> list[DescribedScan]:
    return [describe_scan(page_of(i // PAGES, i % PAGES)) for i in range(HANDS * PAGES)]


@pytest.fixture(scope="module")
def scans() -> list[Scan]:
    return [
        Scan(f"{i}.png", Path(f"{i}.png"), codex=f"codex {i % PAGES}", hand=f"hand {i // PAGES}",
             layout=Path("x.xml") if i == 0 else None)
        for i in range(HANDS * PAGES)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def index(described, scans) -> Index:
    return Index.fit(scans, described)


def test_smoke_few_pages_take_the_background_and_find_their_mates(index):
    assert index.vocabulary == "background"
    scores = index.scoring.scores()
    nearest = np.nanargmax(scores, axis=1)
    hands = np.arange(HANDS * PAGES) // PAGES
    assert np.mean(hands[nearest] == hands) > 0.9


def test_a_vocabulary_of_the_pages_themselves(described, scans):
    own = Index.fit(scans, described, vocabulary="own")
    assert own.vocabulary == "own"
    assert own.vlad.vocabularies_.shape == (1, 100, 64)


def test_oracle_a_page_asked_again_has_its_scores(index):
    image = page_of(2, 1)
    hits, described = index.query(image, hits=30)
    row = 2 * PAGES + 1
    assert hits[0].page == row
    others = {hit.page: hit.score for hit in hits if hit.page != row}
    expected = index.scoring.scores()[row]
    # As a further page it is compared with itself, too, which shifts its scores a little.
    pairs = np.array([(score, expected[page]) for page, score in others.items()])
    assert np.corrcoef(pairs.T)[0, 1] > 0.95
    assert np.abs(pairs[:, 0] - pairs[:, 1]).max() < 1.5
    np.testing.assert_array_equal(described.local.sift, index.places[row].sift)


def test_a_new_page_of_a_known_hand_is_found(index):
    hits, _ = index.query(page_of(4, PAGES))
    assert hits[0].page // PAGES == 4
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(0 <= hit.place <= 1 for hit in hits)


def test_a_query_may_be_a_file(index, tmp_path):
    file = tmp_path / "fragment.png"
    cv2.imwrite(str(file), page_of(4, PAGES))
    assert index.query(file).hits == index.query(page_of(4, PAGES)).hits


def test_a_blank_query_finds_nothing(index):
    assert index.query(np.full((200, 200), 250, np.uint8)).hits == []


def test_saved_and_loaded_it_answers_alike(index, scans, tmp_path):
    findings = findings_of(
        index.scoring.scores(), [s.codex for s in scans], hands=[s.hand for s in scans]
    )
    graded = index.graded(findings)
    graded.save(tmp_path / "report" / "index")
    loaded = Index.load(tmp_path / "report")
    assert loaded.scans == graded.scans
    assert loaded.shapes == graded.shapes
    assert loaded.cutoffs == findings.cutoffs
    assert loaded.query(page_of(1, PAGES)).hits == graded.query(page_of(1, PAGES)).hits
    np.testing.assert_array_equal(loaded.places[3].positions, index.places[3].positions)
    assert [len(page.sift) for page in loaded.places[2:4]] == [
        len(page.sift) for page in index.places[2:4]
    ]


def test_oracle_adding_a_page_is_fitting_with_it_but_for_the_vocabulary(index, scans, described):
    extra = describe_scan(page_of(5, PAGES))
    more = index.add([Scan("new.png", Path("new.png"))], [extra])
    assert len(more.scans) == len(scans) + 1
    whole = Index.fit(more.scans, [*described, extra], vocabulary="background")
    np.testing.assert_allclose(more.scoring.scores(), whole.scoring.scores(), atol=1e-4)
    np.testing.assert_allclose(more.different, whole.different, atol=1e-4)
    assert more.query(page_of(5, PAGES)).hits[0].page == len(scans)


def test_errors_adding_a_blank_page(index):
    blank = describe_scan(np.full((200, 200), 250, np.uint8))
    with pytest.raises(ValueError, match="too little writing"):
        index.add([Scan("blank", Path("blank"))], [blank])


def test_errors_scans_without_pages(described, scans):
    with pytest.raises(ValueError, match="18 scans need as many pages, got 1"):
        Index.fit(scans, described[:1])


@pytest.mark.parametrize("harm", ["missing", "format", "json", "arrays", "version"])
def test_errors_a_damaged_index_is_named(index, tmp_path, harm):
    folder = tmp_path / "index"
    if harm != "missing":
        index.save(folder)
    if harm == "format":
        values = json.loads((folder / "index.json").read_text())
        (folder / "index.json").write_text(json.dumps(values | {"format": "dgmp.search 0"}))
    elif harm == "version":
        values = json.loads((folder / "index.json").read_text())
        del values["shapes"]
        (folder / "index.json").write_text(json.dumps(values))
    elif harm == "json":
        (folder / "index.json").write_text("{")
    elif harm == "arrays":
        (folder / "arrays.safetensors").write_bytes(b"\0" * 20)
    with pytest.raises(ValueError, match=r"make the index again") as caught:
        Index.load(folder)
    assert str(folder) in str(caught.value)
