import json
import shutil

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline

from dgmp.encoding import VLAD, ExemplarSVM, LocalDescriptors, PowerNorm, Whitening, load, save

RNG = np.random.default_rng(0)
TRAIN, TEST = RNG.normal(size=(2, 20, 50)).astype(np.float32)
NAMES = np.repeat(list("abcde"), 4)


def chain():
    return make_pipeline(PowerNorm(0.4), Whitening(7), ExemplarSVM(C=2.5)).fit(TRAIN)


@pytest.fixture
def folder(tmp_path):
    save(chain(), tmp_path / "chain")
    return tmp_path / "chain"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("estimator", [PowerNorm(0.4), Whitening(9, 0.01), ExemplarSVM(C=3.0)])
def test_loaded_estimators_transform_to_the_same_bits(tmp_path, estimator, dtype):
    estimator.fit(TRAIN.astype(dtype))
    save(estimator, tmp_path / "saved")
    loaded = load(tmp_path / "saved")
    assert type(loaded) is type(estimator)
    assert loaded.get_params() == estimator.get_params()
    np.testing.assert_array_equal(loaded.transform(TEST), estimator.transform(TEST))
    with pytest.raises(ValueError, match="features"):
        loaded.transform(TEST[:, 1:])


def test_a_pipeline(folder):
    loaded = load(folder)
    assert [name for name, _ in loaded.steps] == ["powernorm", "whitening", "exemplarsvm"]
    np.testing.assert_array_equal(loaded.transform(TEST), chain().transform(TEST))


def test_groups_and_pages_without_names(tmp_path):
    for names in (NAMES, NAMES.astype(object), np.arange(20) // 4, None):
        svm = ExemplarSVM().fit(TRAIN, groups=names)
        save(svm, tmp_path / "saved")
        encoded = load(tmp_path / "saved").transform(TEST, groups=names)
        np.testing.assert_array_equal(encoded, svm.transform(TEST, groups=names))


def test_not_fitted(tmp_path):
    save(Whitening(5), tmp_path / "saved")
    assert load(tmp_path / "saved").fit(TRAIN).components_.shape == (5, 50)


def test_nothing_is_pickled(folder):
    assert sorted(file.name for file in folder.iterdir()) == [
        "arrays.safetensors",
        "estimator.json",
    ]
    values = json.loads((folder / "estimator.json").read_text(encoding="utf-8"))
    assert values["format"] == "dgmp.encoding 1"


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (PCA(), "a PCA cannot be saved, only ExemplarSVM, LocalDescriptors"),
        (make_pipeline(PowerNorm(), PCA()), "a PCA cannot be saved"),
        (Whitening(components=slice(3)), "Whitening.components is a slice"),
        (TRAIN, "an estimator"),
    ],
)
def test_what_cannot_be_saved_leaves_what_was_there(folder, estimator, message):
    with pytest.raises(ValueError, match=message):
        save(estimator, folder)
    assert len(load(folder).steps) == 3


def test_a_folder_of_other_files_is_not_removed(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="holds other files"):
        save(PowerNorm(), tmp_path)
    assert (tmp_path / "thesis.tex").exists()
    with pytest.raises(ValueError, match="is a file"):
        save(PowerNorm(), tmp_path / "thesis.tex")


def truncate(folder):
    file = folder / "arrays.safetensors"
    file.write_bytes(file.read_bytes()[:-10])


def edit(old, new):
    def damage(folder):
        file = folder / "estimator.json"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "estimator.json is missing: give a folder that dgmp.encoding.save wrote"),
        (lambda f: (f / "estimator.json").unlink(), "estimator.json is missing"),
        (lambda f: (f / "arrays.safetensors").unlink(), "arrays.safetensors is missing"),
        (truncate, r"arrays.safetensors cannot be read \(.*fit and save again"),
        (edit("{", "["), "estimator.json is no JSON"),
        (edit("dgmp.encoding 1", "dgmp.encoding 9"), "'dgmp.encoding 1', got 'dgmp.encoding 9'"),
        (edit('"content"', '"contents"'), "does not describe an estimator"),
        (edit('"Whitening"', '"os.system"'), "got 'os.system'"),
        (edit('"shrinkage"', '"shrink"'), "does not describe .*shrink"),
        (edit('"array": "', '"array": "x'), "does not describe .*KeyError"),
        (edit('"mean_"', '"transform"'), "no fitted attribute: 'transform'"),
    ],
)
def test_a_damaged_folder(folder, damage, message):
    damage(folder)
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_a_file_that_is_no_dictionary(folder):
    (folder / "estimator.json").write_text("[1]")
    with pytest.raises(ValueError, match="must have the format"):
        load(folder)


def test_an_encoder_of_local_descriptors(tmp_path):
    pages = list(np.random.default_rng(1).normal(size=(6, 80, 8)).astype(np.float32))
    vlad = VLAD(centres=5, dimensions=6, pooling="gmp", lambda_=2.5, vocabularies=2).fit(pages)
    save(make_pipeline(LocalDescriptors(most=100), vlad), tmp_path / "saved")
    descriptors, loaded = (step for _, step in load(tmp_path / "saved").steps)
    assert descriptors.get_params() == LocalDescriptors(most=100).get_params()
    assert loaded.get_params() == vlad.get_params()
    np.testing.assert_array_equal(loaded.transform(pages), vlad.transform(pages))
