import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from dgmp.encoding.democratic import democratic_weights
from dgmp.encoding.local_descriptors import LocalDescriptors
from dgmp.encoding.residual_pooling import _batches
from dgmp.encoding.vlad import PAGES_AT_ONCE, VLAD, draw
from dgmp.pooling.cholesky import NumericalWarning

SMALL = {"centres": 7, "sample": 400, "least": 5}
POOLINGS = ["sum", "gmp", "democratic"]


def pages_of(seed: int = 0, counts: tuple[int, ...] = (60, 90, 40), width: int = 12) -> list:
    rng = np.random.default_rng(seed)
    return [rng.random((count, width), dtype=np.float32) for count in counts]


def looped(vlad: VLAD, page: np.ndarray) -> np.ndarray:
    """A page's row, descriptor by descriptor and centre by centre, in double precision."""
    parts = []
    for vocabulary in vlad.vocabularies_.astype(np.float64):
        groups: list[list[np.ndarray]] = [[] for _ in vocabulary]
        for vector in (page.astype(np.float64) - vlad.mean_) @ vlad.projection_:
            k = min(range(len(vocabulary)), key=lambda k: np.sum((vector - vocabulary[k]) ** 2))
            residual = vector - vocabulary[k]
            if vlad.residuals == "unit":
                residual = residual / np.linalg.norm(residual)
            groups[k].append(residual)
        for group in groups:
            if not group:
                parts.append(np.zeros(vocabulary.shape[1]))
                continue
            phi = np.stack(group)
            if vlad.pooling == "sum":
                weights = np.ones(len(phi))
            elif vlad.pooling == "gmp":
                ridge = vlad.lambda_ * (np.mean(np.sum(phi**2, axis=1)) if vlad.relative else 1)
                weights = np.linalg.solve(phi @ phi.T + ridge * np.eye(len(phi)), np.ones(len(phi)))
            else:
                weights = democratic_weights(torch.from_numpy(phi.T)[None])[0].numpy()
            parts.append(weights @ phi)
    return np.concatenate(parts)


@pytest.mark.parametrize("dimensions", [None, 5])
@pytest.mark.parametrize("residuals", ["raw", "unit"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_oracle_loops(pooling, residuals, dimensions):
    pages = pages_of()
    vlad = VLAD(
        **SMALL, pooling=pooling, residuals=residuals, dimensions=dimensions, vocabularies=2
    ).fit(pages)
    rows = vlad.transform(pages)
    assert rows.dtype == np.float32
    assert rows.shape == (3, 2 * 7 * (dimensions or 12))
    for page, row in zip(pages, rows, strict=True):
        np.testing.assert_allclose(row, looped(vlad, page), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("lambda_", [0.01, 1, 100])
@pytest.mark.parametrize("relative", [False, True])
def test_oracle_ridge_parameters(lambda_, relative):
    pages = pages_of()
    vlad = VLAD(**SMALL, pooling="gmp", lambda_=lambda_, relative=relative).fit(pages)
    for page, row in zip(pages, vlad.transform(pages), strict=True):
        np.testing.assert_allclose(row, looped(vlad, page), rtol=1e-3, atol=1e-4)


def test_relative_ridge_parameter_does_not_depend_on_the_scale_of_descriptors():
    pages = pages_of()
    small = VLAD(**SMALL, pooling="gmp", lambda_=0.1, relative=True).fit(pages)
    large = clone(small).fit(pages)
    large.vocabularies_ = small.vocabularies_ * 8
    rows, scaled = small.transform(pages), large.transform([8 * page for page in pages])
    np.testing.assert_allclose(scaled * 8, rows, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("relative", [False, True])
def test_descriptors_on_their_centre_and_alone_give_no_nan(pooling, relative):
    pages = pages_of()
    vlad = VLAD(**SMALL, pooling=pooling, relative=relative, residuals="unit").fit(pages)
    page = np.concatenate([vlad.vocabularies_[0], pages[0][:2]])
    row = vlad.transform([page])[0]
    assert np.isfinite(row).all()
    assert row.any()
    assert not vlad.transform([vlad.vocabularies_[0]]).any()


def test_repeated_descriptors_leave_gmp_and_multiply_the_sum():
    pages = pages_of(counts=(50, 50), width=40)  # independent within a centre
    repeated = [page.repeat(10, axis=0) for page in pages]
    total = VLAD(**SMALL).fit(pages)
    np.testing.assert_allclose(
        total.transform(repeated), 10 * total.transform(pages), rtol=1e-4, atol=1e-4
    )
    gmp = VLAD(**SMALL, pooling="gmp", lambda_=0.01).fit(pages)
    rows = gmp.transform(pages)
    change = np.linalg.norm(gmp.transform(repeated) - rows) / np.linalg.norm(rows)
    assert change < 0.02


@pytest.mark.parametrize("lambda_", [0.1, 1, 100])
def test_ten_times_the_descriptors_are_a_tenth_of_lambda(lambda_):
    pages = pages_of()
    repeated = [page.repeat(10, axis=0) for page in pages]
    gmp = VLAD(**SMALL, pooling="gmp", lambda_=lambda_).fit(pages)
    tenth = VLAD(**SMALL, pooling="gmp", lambda_=lambda_ / 10).fit(pages)
    np.testing.assert_allclose(
        gmp.transform(repeated), tenth.transform(pages), rtol=0.001, atol=0.001
    )


@pytest.mark.parametrize("pooling", POOLINGS)
def test_order_does_not_matter(pooling):
    pages = pages_of(counts=(60, 90, 40, 3))
    vlad = VLAD(**SMALL, pooling=pooling, vocabularies=2).fit(pages)
    rows = vlad.transform(pages)
    np.testing.assert_allclose(vlad.transform(pages[::-1])[::-1], rows, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(vlad.transform(pages[1:2])[0], rows[1], rtol=1e-3, atol=1e-5)
    many = vlad.transform(pages * PAGES_AT_ONCE)
    np.testing.assert_allclose(many[-4:], rows, rtol=1e-3, atol=1e-5)
    mixed = [np.random.default_rng(1).permutation(page) for page in pages]
    np.testing.assert_allclose(vlad.transform(mixed), rows, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("count", [2, 60, 700])
@pytest.mark.parametrize(("lambda_", "relative"), [(0.1, False), (1.0, False), (0.5, True)])
def test_oracle_one_page_by_numpy_is_as_by_torch(lambda_, relative, count):
    pages = pages_of(counts=(60, 90, 40))
    page = pages_of(1, (count,))[0]
    settings = SMALL | {"least": 1, "vocabularies": 2, "lambda_": lambda_, "relative": relative}
    vlad = VLAD(**settings, pooling="gmp").fit(pages)
    alone, (row, _) = vlad.transform([page]), vlad.transform([page, pages[0]])
    np.testing.assert_allclose(alone[0], row, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(alone[0], looped(vlad, page), rtol=1e-4, atol=1e-6)


def test_one_page_whose_system_is_singular_is_left_to_torch():
    vlad = VLAD(**SMALL | {"centres": 1}, pooling="gmp", lambda_=1e-30).fit(pages_of())
    vlad.vocabularies_ = np.zeros((1, 1, 12), np.float32)
    page = np.eye(12, dtype=np.float32)[np.zeros(5, np.intp)]
    with pytest.warns(NumericalWarning):
        alone = vlad.transform([page])
    with pytest.warns(NumericalWarning):
        np.testing.assert_allclose(alone[0], vlad.transform([page, page])[1], rtol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_several_vocabularies_are_concatenated(pooling):
    pages = pages_of()
    vlad = VLAD(**SMALL, pooling=pooling, vocabularies=3, dimensions=6).fit(pages)
    parts = []
    for vocabulary in vlad.vocabularies_:
        one = VLAD(**SMALL, pooling=pooling, dimensions=6).fit(pages)
        one.vocabularies_ = vocabulary[None]
        parts.append(one.transform(pages))
    np.testing.assert_array_equal(vlad.transform(pages), np.hstack(parts))
    assert not np.allclose(vlad.vocabularies_[0], vlad.vocabularies_[1])


@pytest.mark.parametrize("pooling", POOLINGS)
def test_weighted_residuals_add_up_to_the_row(pooling):
    pages = pages_of()
    vlad = VLAD(**SMALL, pooling=pooling, vocabularies=2).fit(pages)
    parts = vlad.weights(pages[0])
    assert parts.centres.shape == parts.weights.shape == (2, 60)
    assert parts.residuals.shape == (2, 60, 12)
    rows = np.zeros((2, 7, 12))
    for v in range(2):
        for i in range(60):
            rows[v, parts.centres[v, i]] += parts.weights[v, i] * parts.residuals[v, i]
    np.testing.assert_allclose(rows.ravel(), vlad.transform(pages[:1])[0], rtol=1e-3, atol=1e-4)
    if pooling == "sum":
        assert (parts.weights == 1).all()


def test_pages_without_enough_descriptors_give_zeros():
    pages = [*pages_of(), np.empty((0, 12), np.float32), pages_of(5, (4,))[0]]
    vlad = VLAD(**SMALL, pooling="gmp").fit(pages)
    rows = vlad.transform(pages)
    assert rows[:3].any(axis=1).all()
    assert not rows[3:].any()
    assert not vlad.weights(pages[4]).weights.any()
    assert vlad.weights(pages[3]).residuals.shape == (1, 0, 12)


def test_vocabularies_are_arrays_that_repeat_with_the_seed():
    pages = pages_of()
    first, again, other = (VLAD(**SMALL, dimensions=4, seed=seed).fit(pages) for seed in (0, 0, 1))
    for name, shape in (("mean_", (12,)), ("projection_", (12, 4)), ("vocabularies_", (1, 7, 4))):
        array = getattr(first, name)
        assert array.dtype == np.float32
        assert array.shape == shape
        np.testing.assert_array_equal(array, getattr(again, name))
    assert not np.allclose(first.vocabularies_, other.vocabularies_)


def test_oracle_projection_is_that_of_the_covariance():
    pages = pages_of(counts=(100, 100))
    vlad = VLAD(**SMALL, dimensions=3).fit(pages)
    points = np.concatenate(pages).astype(np.float64)
    vectors = np.linalg.eigh(np.cov(points.T))[1]
    projector = vectors[:, -3:] @ vectors[:, -3:].T
    np.testing.assert_allclose(vlad.projection_ @ vlad.projection_.T, projector, atol=1e-4)
    np.testing.assert_allclose(vlad.mean_, points.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("most", [3, 10, 50, 77, 1000])
def test_samples_take_equally_many_of_each_page(most):
    counts = (2, 30, 0, 45)
    pages = [np.full((n, 1), i) for i, n in enumerate(counts)]
    drawn = np.bincount(draw(pages, most, np.random.default_rng(0))[:, 0], minlength=4)
    assert drawn.sum() <= most
    share = drawn.max()
    np.testing.assert_array_equal(drawn, np.minimum(counts, share))
    assert share == 45 or np.minimum(counts, share + 1).sum() > most


def test_samples_hold_no_descriptor_twice():
    drawn = draw([np.arange(50)[:, None]], 30, np.random.default_rng(0))
    assert len(np.unique(drawn)) == 30


@pytest.mark.parametrize("seed", range(5))
def test_batches_hold_every_descriptor_once_and_are_little_padded(seed):
    rng = np.random.default_rng(seed)
    nearest = (rng.random(300) ** 3 * 20).astype(np.intp)
    seen = []
    for which, members in _batches(nearest, 25):
        for centre, group in zip(which, members, strict=True):
            group = group[group >= 0]
            assert (nearest[group] == centre).all()
            seen.extend(group.tolist())
        assert (members[:, 0] >= 0).all()
    assert sorted(seen) == list(range(300))


def test_a_pipeline_from_pages_to_rows():
    rng = np.random.default_rng(0)
    noise = [(rng.random((20, 25)) < 0.5).repeat(5, 0).repeat(5, 1) for _ in range(3)]
    pages = [np.where(page, np.uint8(0), np.uint8(255)) for page in noise]
    chain = make_pipeline(
        LocalDescriptors(most=100), VLAD(centres=4, dimensions=8), FunctionTransformer(np.sign)
    )
    rows = chain.fit_transform(pages)
    assert rows.shape == (3, 32)
    assert clone(chain).set_params(vlad__pooling="gmp").fit_transform(pages).shape == (3, 32)


def test_parameters_are_those_of_the_constructor():
    vlad = VLAD(centres=3, pooling="gmp", lambda_=5)
    assert clone(vlad).get_params() == vlad.get_params()
    assert vlad.set_params(lambda_=6).lambda_ == 6


@pytest.mark.parametrize("method", ["transform", "weights"])
def test_not_fitted(method):
    with pytest.raises(NotFittedError):
        getattr(VLAD(), method)(pages_of())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pooling": "max"}, "unknown pooling 'max'; known: sum, gmp, democratic"),
        ({"residuals": "l2"}, "unknown residuals 'l2'; known: raw, unit"),
        ({"lambda_": 0}, "lambda_ must be positive and finite, got 0"),
        ({"lambda_": float("nan")}, "lambda_ must be positive and finite, got nan"),
        ({"centres": 0}, "centres must be at least 1, got 0"),
        ({"vocabularies": 0}, "vocabularies must be at least 1, got 0"),
        ({"dimensions": 0}, "dimensions must be None or at least 1, got 0"),
        ({"dimensions": 13}, "dimensions must be at most 12 for a sample of 190"),
        ({"centres": 500}, "a vocabulary of 500 centres needs as many .* sample of 190 from 3"),
        ({"sample": 6}, "a vocabulary of 7 centres needs as many .* sample of 6 from 3 pages"),
    ],
)
def test_bad_parameters(change, message):
    with pytest.raises(ValueError, match=message):
        VLAD(**{**SMALL, **change}).fit(pages_of())


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        ([], "there are no pages"),
        (np.zeros((9, 12), np.float32), r"page 0 must hold .* got float32 of shape \(12,\)"),
        ([np.zeros((9, 12)), np.zeros((9, 11))], "of page 1 have 11 entries, not 12"),
        ([np.zeros((9, 12)), np.full((9, 12), np.nan)], "page 1 are not all finite in float32"),
        ([np.full((9, 12), 1e300)], "page 0 are not all finite in float32"),
        ([np.full((9, 12), "a")], "page 0 must hold local descriptors"),
    ],
)
def test_bad_pages(pages, message):
    with pytest.raises(ValueError, match=message):
        VLAD(**SMALL).fit(pages)
    fitted = VLAD(**SMALL).fit(pages_of())
    with pytest.raises(ValueError, match=message):
        fitted.transform(pages)
