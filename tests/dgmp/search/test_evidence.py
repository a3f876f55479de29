"""Evidence for a pair of pages, against all shares of its pairs of descriptors."""

import numpy as np
import pytest

from dgmp.encoding import VLAD
from dgmp.encoding.local_descriptors import DescribedPage
from dgmp.encoding.pair_shares import pair_shares
from dgmp.search.evidence import (
    ALIKE,
    APART,
    COVERED,
    LETTERS,
    SORTED_FIRST,
    _from_the_strongest,
    _shares,
    contributions,
    evidence,
)


def page(seed, n=90, spread=2000.0):
    rng = np.random.default_rng(seed)
    return DescribedPage(
        rng.integers(0, 200, (n, 12)).astype(np.uint8),
        rng.uniform(0, spread, (n, 2)).astype(np.float32),
        rng.uniform(2, 20, n).astype(np.float32),
    )


PAGES = [page(seed) for seed in range(6)]


@pytest.fixture(params=[1, 3], scope="module")
def vlad(request):
    settings = {"pooling": "gmp", "residuals": "unit", "dimensions": 8, "centres": 5}
    encoder = VLAD(**settings, vocabularies=request.param)
    return encoder.fit([one.vectors for one in PAGES])


def test_shares_agree_with_those_of_all_pairs(vlad):
    first, second = (contributions(vlad, one) for one in PAGES[:2])
    rows, columns, values = _shares(first, second)
    found = np.zeros((90, 90))
    found[rows, columns] = values
    wanted = pair_shares(vlad, PAGES[0].vectors, PAGES[1].vectors)
    assert np.allclose(found, wanted, atol=1e-4)


def test_the_strongest_pairs_come_first_and_at_different_places(vlad):
    found = evidence(*(contributions(vlad, one) for one in PAGES[:2]), k=10)
    assert found.places.shape == (10, 2, 2)
    assert found.sizes.shape == (10, 2)
    assert (np.diff(found.shares) <= 0).all()
    wanted = pair_shares(vlad, PAGES[0].vectors, PAGES[1].vectors)
    ratios = PAGES[0].sizes[:, None] / PAGES[1].sizes
    wanted[np.maximum(ratios, 1 / ratios) > ALIKE] = 0
    larger = np.maximum(PAGES[0].sizes[:, None], PAGES[1].sizes)
    wanted[COVERED * larger > LETTERS] = 0
    first = np.unravel_index(wanted.argmax(), wanted.shape)
    assert found.shares[0] == pytest.approx(wanted.max(), rel=1e-4)
    assert np.array_equal(found.places[0, 0], PAGES[0].positions[first[0]])
    assert np.array_equal(found.places[0, 1], PAGES[1].positions[first[1]])
    assert found.sizes[0] == pytest.approx([6 * PAGES[i].sizes[first[i]] for i in (0, 1)])
    for side in (0, 1):
        for a in range(10):
            for b in range(a):
                distance = np.linalg.norm(found.places[a, side] - found.places[b, side])
                assert distance >= APART * max(found.sizes[a, side], found.sizes[b, side])


def test_pages_whose_places_are_all_the_same_have_one_pair(vlad):
    crowded = page(7, spread=0.5)
    found = evidence(contributions(vlad, crowded), contributions(vlad, PAGES[0]))
    assert len(found.shares) == 1


def test_a_page_with_itself_matches_each_place_with_itself(vlad):
    own = contributions(vlad, PAGES[0])
    found = evidence(own, own)
    assert np.array_equal(found.places[:, 0], found.places[:, 1])


@pytest.mark.parametrize("n", [0, 10])
def test_a_page_with_too_little_writing_has_none(vlad, n):
    few = DescribedPage(PAGES[0].sift[:n], PAGES[0].positions[:n], PAGES[0].sizes[:n])
    for pair in ((few, PAGES[1]), (PAGES[1], few)):
        found = evidence(*(contributions(vlad, one) for one in pair))
        assert found.places.shape == (0, 2, 2)
        assert len(found.shares) == 0


@pytest.mark.parametrize("count", [0, 5, SORTED_FIRST, SORTED_FIRST + 1, 5 * SORTED_FIRST])
def test_oracle_sorting_the_strongest_first_is_sorting_all(count):
    rng = np.random.default_rng(count)
    shares = rng.integers(0, 50, 2 * count).astype(np.float32)  # many are equal
    fit = rng.permutation(2 * count)[:count]
    expected = fit[np.argsort(-shares[fit], kind="stable")].tolist()
    assert list(_from_the_strongest(shares, fit)) == expected
