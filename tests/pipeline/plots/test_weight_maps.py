import numpy as np
import pytest
import torch

from dgmp.analysis.weight_map import weight_map
from dgmp.learning.inputs import to_images
from dgmp.pooling.layers import DGMP
from pipeline.plots import weight_maps
from pipeline.plots.page_thumbnails import find_cell
from tests.pipeline.plots.conftest import CELL, PATCH, tiny_network


@pytest.fixture
def network(pages):
    return weight_maps.load_network(pages.params, CELL, 0)


def weigh(network, page: np.ndarray) -> weight_maps.Example:
    return weight_maps.weigh(*network, page, size=PATCH, stride=16, name="page")


def binary_page(height: int, width: int) -> np.ndarray:
    ink = np.random.default_rng(1).random((height, width)) < 0.2
    return np.where(ink, 0, 255).astype(np.uint8)


def test_network_is_the_one_that_was_trained(network):
    features, pooling = network
    image = torch.rand(1, 1, PATCH, PATCH)
    assert pooling.value.item() == 123
    with torch.no_grad():
        torch.testing.assert_close(pooling(features(image)), tiny_network()(image))


def test_weights_agree_with_the_oracle(network):
    page = binary_page(64, 96)
    example = weigh(network, page)
    np.testing.assert_array_equal(example.ink, page == 0)
    features, pooling = network
    image = to_images((page == 0)[None].astype(np.uint8))[0]
    one = weight_map(features, pooling, image[:, 32:, 64:])
    # The locations of a patch lie on its pixels 0 and 16.
    np.testing.assert_array_equal(example.by_patch[32::16, 64::16], one)
    whole = weight_map(features, DGMP(6 * 123.0), image)
    np.testing.assert_allclose(example.at_once[::16, ::16], whole)


def test_property_patches_are_weighed_apart(network):
    page = binary_page(64, 64)
    one = weigh(network, page)
    page[:PATCH, :PATCH] = 255
    other = weigh(network, page)
    np.testing.assert_array_equal(one.by_patch[PATCH:], other.by_patch[PATCH:])
    assert (one.at_once[PATCH:] != other.at_once[PATCH:]).any()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((400, 500), (96, 96)), ((70, 500), (64, 96)), ((20, 40), (32, 32)), ((32, 33), (32, 32))],
)
def test_shapes_of_the_middle(shape, expected):
    page = np.full(shape, 255, np.uint8)
    page[shape[0] // 2, shape[1] // 2] = 0
    part = weight_maps.middle(page, PATCH)
    assert part.shape == expected
    assert (part == 0).sum() == 1


def test_cell_is_the_first_dgmp_of_table_2(project):
    assert find_cell(project.params) == CELL
    cells = ["writers-avg-m01", "writers-dgmp-1-m01", CELL]
    assert find_cell(project.set("tables.table2", cells)) == "writers-dgmp-1-m01"


def test_rows_are_the_first_pages_of_the_first_writers_and_columns_views(pages):
    threads = torch.get_num_threads()
    figure = weight_maps.figure(pages.params)
    assert torch.get_num_threads() == threads
    expected = (
        "made-up scribes: DGMP, λ = 10³ (123 after training), cell writers-dgmp-1k-m01, seed 0"
    )
    assert figure.get_suptitle() == expected
    assert [axes.get_title() for axes in figure.axes[:4]] == list(weight_maps.VIEWS)
    assert [axes.get_ylabel() for axes in figure.axes[:12:4]] == ["0", "3", "6"]
