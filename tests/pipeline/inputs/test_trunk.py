"""The stage trunk: activations of all patches and views of pages."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dgmp.images.patches import PatchWriter
from dgmp.learning.inputs import Activations, ActivationsOfViews, InkPatches
from pipeline import trunk as stage
from pipeline.inputs.network import network_parts
from pipeline.inputs.task_data import image_inputs, load_inputs
from pipeline.shared.provenance import digest_of
from pipeline.shared.settings.params import Params, ParamsError
from tests.pipeline.training.toy import files_of

TRUNK = Path("data/scribes/trunk")


def run(task: str) -> dict[str, bytes]:
    """The files of the stage."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["trunk", task])
        stage.main()
    return files_of(TRUNK / task)


def array(task: str, split: str) -> np.ndarray:
    return np.load(TRUNK / task / f"{split}.npy")


def test_shapes_and_summary(frozen):
    frozen()
    # Three of the five blocks: a stem to a quarter, stages of 8 and 16 channels, the second halves.
    files = run("writers")
    assert set(files) == {"train.npy", "val.npy", "test.npy", "summary.json"}
    assert {array("writers", split).shape for split in ("train", "val", "test")} == {(18, 16, 4, 4)}
    # Four of five, for three views of each training page and one of the others.
    run("scripts_a")
    assert array("scripts_a", "train").shape == (8, 3, 32, 2, 2)
    assert array("scripts_a", "val").shape == array("scripts_a", "test").shape == (8, 32, 2, 2)
    for task, trainable in (("writers", 2), ("scripts_a", 1)):
        assert array(task, "train").dtype == np.float16
        summary = json.loads((TRUNK / task / "summary.json").read_text(encoding="utf-8"))
        digest = digest_of([TRUNK / task / f"{split}.npy" for split in ("test", "train", "val")])
        assert summary == {"trainable": trainable, "sha256": digest}


def of_images(params: Params, task: str, images: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return network_parts(params, task).preparation(images).numpy()


@pytest.mark.parametrize("task", ["writers", "scripts_a"])
def test_oracle_activations_are_those_of_single_images(frozen, task):
    params = frozen()
    run(task)
    images, rows = image_inputs(params, task).test, [7, 0, 5]
    expected = np.concatenate([of_images(params, task, images([row])) for row in rows])
    assert expected.std() > 0.1
    np.testing.assert_allclose(array(task, "test")[rows], expected, rtol=2e-3, atol=2e-3)


def test_property_views_of_a_page_differ_and_are_the_same_again(frozen):
    frozen()
    first = run("scripts_a")
    views = array("scripts_a", "train")
    flat = views.reshape(24, -1)
    assert len(np.unique(flat, axis=0)) == 24
    # The first views stay when there are more of them.
    frozen(scripts_a__views=5)
    run("scripts_a")
    np.testing.assert_array_equal(array("scripts_a", "train")[:, :3], views)
    frozen()
    assert run("scripts_a") == first


@pytest.mark.slow
def test_property_two_processes_write_the_same_bytes(frozen):
    frozen()
    alone = run("scripts_a")
    frozen(workers=2)
    assert run("scripts_a") == alone


def test_without_a_trunk_there_is_only_a_note(frozen):
    frozen()
    run("writers")
    params = frozen(writers__trainable=None)
    assert set(run("writers")) == {"summary.json"}
    assert json.loads((TRUNK / "writers/summary.json").read_text()) == {"trainable": None}
    inputs = load_inputs(params, "writers")
    assert all(isinstance(one, InkPatches) for one in (inputs.train, inputs.val, inputs.test))
    patches = Path("data/scribes/patches/writers")
    assert set(inputs.files) == set(patches.iterdir())


@pytest.mark.parametrize(
    ("task", "kind"), [("writers", Activations), ("scripts_a", ActivationsOfViews)]
)
def test_inputs_are_the_activations_with_pages_and_labels_of_the_images(frozen, task, kind):
    params = frozen()
    run(task)
    inputs, images = load_inputs(params, task), image_inputs(params, task)
    assert isinstance(inputs.train, kind)
    for split in ("train", "val", "test"):
        one, other = getattr(inputs, split), getattr(images, split)
        assert one.labels.tolist() == other.labels.tolist()
        np.testing.assert_array_equal(one.array, array(task, split))
        if split != "train" or task == "writers":
            assert one.pages.tolist() == other.pages.tolist()
    assert inputs.classes.tolist() == images.classes.tolist()
    # Activations are told by the digest in the summary, pages and labels by their lists.
    lists = {Path(f"data/scribes/patches/{task}/{split}.csv") for split in ("train", "val", "test")}
    assert set(inputs.files) == {TRUNK / task / "summary.json", *lists}


def test_fallback_a_split_without_patches(frozen):
    file = Path("data/scribes/patches/writers/val")
    params = frozen()
    with PatchWriter(file.with_suffix(".npy"), file.with_suffix(".csv"), 32):
        pass
    run("writers")
    inputs = load_inputs(params, "writers")
    assert len(inputs.val.array) == len(inputs.val.pages) == 0
    assert len(inputs.test.array) == 18


def test_errors(frozen):
    params = frozen()
    with pytest.raises(ParamsError, match=r"one of writers, scripts_a, scripts_b, got \['w'\]"):
        run("w")
    run("writers")
    (TRUNK / "writers/val.npy").unlink()
    with pytest.raises(ValueError, match=r"writers/val.npy is missing: run the stage trunk"):
        load_inputs(params, "writers")
