import numpy as np
import pytest

from dgmp.encoding import Whitening
from dgmp.encoding.page_descriptors import l2_normalize


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (8, 8)])
@pytest.mark.parametrize("shrinkage", [0.0, 1e-3, 0.5])
@pytest.mark.parametrize("components", [None, 3])
def test_agrees_with_the_eigenvectors_of_the_covariance(shape, shrinkage, components):
    rng = np.random.default_rng(0)
    train = rng.normal(size=shape) @ rng.normal(size=(shape[1], shape[1])) + 3
    test = rng.normal(size=(6, shape[1]))
    values, vectors = np.linalg.eigh(np.cov(train.T))
    kept = np.argsort(values)[::-1][: components or min(shape[0] - 1, shape[1])]
    projected = (test - train.mean(axis=0)) @ vectors[:, kept]
    expected = l2_normalize(projected / np.sqrt(values[kept] + shrinkage * values.max()))
    whitening = Whitening(components, shrinkage).fit(train)
    whitened = whitening.transform(test)
    signs = np.sign((whitened * expected).sum(axis=0))
    np.testing.assert_allclose(whitened, signs * expected, atol=1e-8)
    np.testing.assert_allclose(whitening.explained_variance_, values[kept], rtol=1e-8)


def test_the_directions_are_white_on_the_training_pages():
    train = np.random.default_rng(1).normal(size=(9, 50))
    whitening = Whitening(shrinkage=0).fit(train)
    spread = (train - whitening.mean_) @ whitening.components_.T
    spread /= np.sqrt(whitening.explained_variance_)
    np.testing.assert_allclose(spread.T @ spread / 8, np.eye(8), atol=1e-10)


def test_no_more_directions_than_the_pages_span():
    rng = np.random.default_rng(2)
    assert len(Whitening(400).fit(rng.normal(size=(7, 50))).components_) == 6
    repeated = np.repeat(rng.normal(size=(4, 50)), 5, axis=0)
    whitening = Whitening(400).fit(repeated)
    assert len(whitening.components_) == 3
    assert np.isfinite(whitening.transform(rng.normal(size=(3, 50)))).all()


def test_single_precision_agrees_with_double():
    rng = np.random.default_rng(3)
    train, test = rng.normal(size=(20, 200)), rng.normal(size=(5, 200))
    double = Whitening().fit(train).transform(test)
    single = Whitening().fit(train.astype(np.float32)).transform(test.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single @ single.T, double @ double.T, atol=1e-5)
