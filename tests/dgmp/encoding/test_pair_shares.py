"""Shares of pairs of local descriptors in the cosine of two pages."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from dgmp.encoding import VLAD, PowerNorm, Whitening
from dgmp.encoding.pair_shares import pair_shares

RNG = np.random.default_rng(0)
PAGES = [RNG.normal(size=(n, 6)).astype(np.float32) + RNG.normal(size=6) for n in range(20, 50, 2)]
ENCODERS = {
    "sum": VLAD(centres=4, least=5),
    "gmp": VLAD(centres=4, pooling="gmp", residuals="unit", least=5),
    "multi-vlad": VLAD(centres=3, dimensions=4, pooling="gmp", vocabularies=3, least=5),
}


@pytest.fixture(params=ENCODERS)
def vlad(request):
    return ENCODERS[request.param].fit(PAGES)


def rows_of(vlad, power):
    return PowerNorm(power).transform(vlad.transform(PAGES).astype(float))


@pytest.mark.parametrize("power", [0.5, 0.3, 1.0])
@pytest.mark.parametrize("white", [False, True])
def test_shares_sum_to_the_cosine(vlad, power, white):
    rows = rows_of(vlad, power)
    whitening = Whitening(components=9).fit(rows) if white else None
    if white:
        rows = whitening.transform(rows)
    for a, b in ((0, 1), (3, 9), (5, 5)):
        shares = pair_shares(vlad, PAGES[a], PAGES[b], power=power, whitening=whitening)
        assert shares.shape == (len(PAGES[a]), len(PAGES[b]))
        assert shares.sum() == pytest.approx(rows[a] @ rows[b], abs=1e-5)


@pytest.mark.parametrize("white", [False, True])
def test_shares_agree_with_whole_rows_pair_by_pair(vlad, white):
    power = 0.5
    whitening = Whitening().fit(rows_of(vlad, power)) if white else None
    added = []
    for page in PAGES[:2]:
        found = vlad.weights(page)
        whole = np.zeros((len(page), *vlad.vocabularies_.shape))
        for v in range(len(vlad.vocabularies_)):
            for i in range(len(page)):
                part = float(found.weights[v, i]) * found.residuals[v, i].astype(float)
                whole[i, v, found.centres[v, i]] = part
        whole = whole.reshape(len(page), -1)
        row = whole.sum(axis=0)
        powered = np.sign(row) * np.abs(row) ** power
        parts = [np.where(row == 0, 0, one * powered / np.where(row == 0, 1, row)) for one in whole]
        parts = [one / np.linalg.norm(powered) for one in parts]
        if white:
            first = whitening.explained_variance_[0]
            for i, one in enumerate(parts):
                centred = one - whitening.mean_ / len(page)
                parts[i] = np.array(
                    [
                        direction @ centred / np.sqrt(variance + whitening.shrinkage * first)
                        for direction, variance in zip(
                            whitening.components_, whitening.explained_variance_, strict=True
                        )
                    ]
                )
            length = np.linalg.norm(np.sum(parts, axis=0))
            parts = [one / length for one in parts]
        added.append(parts)
    shares = pair_shares(vlad, *PAGES[:2], power=power, whitening=whitening)
    for i, one in enumerate(added[0]):
        for j, other in enumerate(added[1]):
            assert shares[i, j] == pytest.approx(one @ other, abs=1e-7)


def test_a_part_is_gradient_times_input_by_the_degree():
    # The row after power norm, before its length is divided out, as a function of one weight.
    vlad, power, page = ENCODERS["gmp"].fit(PAGES), 0.5, PAGES[0]
    found = vlad.weights(page)
    row = vlad.transform([page])[0].reshape(vlad.vocabularies_.shape).astype(float)
    step, i = 1e-4, 3
    part = np.zeros_like(row)
    part[0, found.centres[0, i]] = found.weights[0, i] * found.residuals[0, i]

    def along(t):
        moved = row + t * part
        return np.sign(moved) * np.abs(moved) ** power

    gradient = (along(step) - along(-step)) / (2 * step)
    normed = along(0) / np.linalg.norm(along(0))
    expected = (gradient / power * normed).sum() / np.linalg.norm(along(0))
    assert pair_shares(vlad, page, page)[i].sum() == pytest.approx(expected, rel=1e-3)


def test_swapped_pages_have_the_same_shares():
    vlad = ENCODERS["sum"].fit(PAGES)
    there, back = pair_shares(vlad, *PAGES[:2]), pair_shares(vlad, *PAGES[1::-1])
    np.testing.assert_allclose(there, back.T, atol=1e-12)


@pytest.mark.parametrize("white", [False, True])
def test_a_page_without_information_shares_nothing(white):
    vlad = ENCODERS["gmp"].fit(PAGES)
    whitening = Whitening().fit(rows_of(vlad, 0.5)) if white else None
    for few in (PAGES[1][:4], PAGES[1][:0]):
        shares = pair_shares(vlad, PAGES[0], few, whitening=whitening)
        assert shares.shape == (len(PAGES[0]), len(few))
        assert not shares.any()


def test_bad_input():
    vlad = ENCODERS["sum"].fit(PAGES)
    with pytest.raises(ValueError, match="power must be a positive number"):
        pair_shares(vlad, *PAGES[:2], power=0)
    with pytest.raises(ValueError, match="have 3 entries, not 6"):
        pair_shares(vlad, PAGES[0], PAGES[1][:, :3])
    other = Whitening().fit(RNG.normal(size=(5, 7)))
    with pytest.raises(ValueError, match=r"rows of 7 entries, the encoder's have 24: give"):
        pair_shares(vlad, *PAGES[:2], whitening=other)
    with pytest.raises(NotFittedError):
        pair_shares(vlad, *PAGES[:2], whitening=Whitening())
