import numpy as np
import pytest

from dgmp.encoding import load
from dgmp.encoding.pair_shares import pair_shares
from pipeline.plots import matching_descriptors
from pipeline.plots.matching_descriptors import draw
from pipeline.plots.matching_pairs import (
    APART,
    PAIRS,
    Match,
    Pair,
    distinct_pairs,
    find_system,
    read_matches,
)
from pipeline.systems.local_store import LocalStore


def test_the_system_is_the_first_pooled_by_gmp(project):
    assert find_system(project.params)[0] == "sift-gmp"
    project.set("systems.sift-gmp.pooling", "democratic")
    assert find_system(project.params)[0] == "unsupervised-gmp"


def test_matches_agree_with_the_oracle(described):
    folder = described.data / "encode" / "sift-gmp"
    with np.load(folder / "seed0.npz") as archive:
        raw, labels = archive["raw"].astype(float), archive["labels"]
    files = LocalStore(described.data / "describe" / "writers", ("test",))
    names = [page.file for page in files.pages]
    precision = []
    for query in range(len(raw)):
        order = [page for page in np.argsort(raw[query], kind="stable") if page != query]
        hits = [rank for rank, page in enumerate(order, 1) if labels[page] == labels[query]]
        precision.append(100 * np.mean([(i + 1) / rank for i, rank in enumerate(hits)]))
    matches = list(read_matches(described.params))
    similar = np.sort(raw, axis=1)[:, 1] < 1
    expected = np.sort(np.array(precision)[similar])[[-1, -1 - round((similar.sum() - 1) / 2), 0]]
    assert expected[0] > expected[2]
    assert [match.precision for match in matches] == pytest.approx(expected.tolist())
    for match in matches:
        query, page = (names.index(name) for name in match.files)
        assert match.precision == pytest.approx(precision[query])
        assert page == min((d, p) for p, d in enumerate(raw[query]) if p != query)[1]
        assert match.right == (labels[query] == labels[page])
        assert match.similarity == pytest.approx(1 - raw[query, page], abs=1e-5)
        shares = pair_shares(load(folder / "encoder"), files[query], files[page])
        shares *= 100 / shares.sum()
        assert match.positive == pytest.approx(shares[shares > 0].sum(), rel=1e-4)
        assert match.pairs[0].share == pytest.approx(shares.max(), rel=1e-4)
        own = [files.read("positions", one).tolist() for one in (query, page)]
        for pair in match.pairs:
            i, j = (own[side].index(pair.places[side].tolist()) for side in (0, 1))
            assert pair.share == pytest.approx(shares[i, j], rel=1e-4)
            assert pair.sizes[1] == files.read("sizes", page)[j]
        for side in (0, 1):
            places = np.array([pair.places[side] for pair in match.pairs])
            gaps = np.linalg.norm(places[:, None] - places, axis=2) + 1e9 * np.eye(len(places))
            assert gaps.min() >= APART * 100  # pages of 100 x 70 pixels


def test_queries_without_a_similar_page_are_left_out(described):
    file = described.data / "encode" / "sift-gmp" / "seed0.npz"
    with np.load(file) as archive:
        arrays = dict(archive)
    arrays["raw"] = np.where(np.eye(len(arrays["raw"])), 0, 2.0)
    np.savez(file, **arrays)
    assert not list(read_matches(described.params))
    (text,) = matching_descriptors.figure(described.params).texts[-1:]
    assert text.get_text() == "no test page is similar to another one"


def test_pairs_are_the_largest_ones_at_places_of_their_own():
    rng = np.random.default_rng(0)
    shares, first, second = rng.normal(size=(40, 30)), rng.random((40, 2)), rng.random((30, 2))
    oracle = []
    for flat in np.argsort(-shares.ravel()):
        i, j = (int(one) for one in np.unravel_index(flat, shares.shape))
        if shares[i, j] <= 0 or len(oracle) == 6:
            break
        near = (
            np.linalg.norm(first[i] - first[k]) < 0.2 or np.linalg.norm(second[j] - second[m]) < 0.2
            for k, m in oracle
        )
        if not any(near):
            oracle.append((i, j))
    assert distinct_pairs(shares, first, second, count=6, apart=0.2) == oracle
    assert not distinct_pairs(-np.ones((2, 3)), first[:2], second[:3], count=6, apart=0.2)


def match(*, right):
    pages = tuple(np.full((60, 40 + side), 255, np.uint8) for side in (0, 1))
    pages[0][20:23, 10:13] = 0
    pairs = (
        Pair(np.array([[11.0, 21.0], [30.0, 40.0]]), np.array([2.0, 4.0]), 12.34),
        Pair(np.array([[30.0, 50.0], [5.0, 5.0]]), np.array([90.0, 1.0]), 5.0),
    )
    return Match(("query", "found"), pages, right, 75.0, 0.5, 310.0, 2.0, pairs)


def test_a_row_shows_the_pages_the_pairs_and_their_shares():
    figure = draw([match(right=True), match(right=False)], "t")
    query, found, first, second = figure.axes[:4]
    assert query.get_ylabel() == "AP 75 %, cosine 0.50\nshares: +310 −210 %"
    assert query.get_title() == "query"
    assert found.get_title() == "✓ found"
    assert figure.axes[5].get_title() == "✗ found"
    assert [first.get_title(), second.get_title()] == ["12.3 %", "5.0 %"]
    for axes, places in ((query, [(11, 21), (30, 50)]), (found, [(30, 40), (5, 5)])):
        numbers = [(text.get_text(), tuple(text.xy)) for text in axes.texts]
        assert numbers == [("1", places[0]), ("2", places[1])]
    # Both crops of a pair are on one scale; the ink of the query is in the middle of the first one.
    crops = [np.asarray(image.get_array()) for image in first.images]
    assert [crop.shape for crop in crops] == [(24, 24)] * 2
    assert crops[0][11:14, 11:14].all()
    assert crops[0].sum() == 9
    assert not crops[1].any()
    # No crop is larger than the pages, however large its keypoint.
    assert second.images[0].get_array().shape == (60, 60)


def test_more_pairs_than_fit_are_never_shown():
    assert len(matching_descriptors.COLOURS) == PAIRS == 2 * matching_descriptors.COLUMNS
