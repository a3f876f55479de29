import matplotlib.image
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from dgmp.analysis.weight_map import weight_map
from dgmp.images.reading import write_bilevel
from dgmp.learning.models import DescriptorNet, Standardize, build_backbone
from dgmp.learning.writer_retrieval import to_images
from dgmp.pooling.layers import DGMP
from pipeline.plots import weight_maps as gallery
from pipeline.plots.trained_network import load_network
from pipeline.shared.page_lists import Page, write_pages

CELL, SIZE, STRIDE = "writers-dgmp-1k-m01", 32, 16


@pytest.fixture
def trained(project):
    """The made-up project with binary pages and the weights of a tiny DGMP network."""
    project.set("profiles.scribes.backbone.width", 2)
    project.set("profiles.scribes.patches.size", SIZE)
    rng = np.random.default_rng(0)
    folder = project.data / "binarize"
    folder.mkdir()
    pages = [Page(f"w{w}-{p}.png", f"w{w}", "test") for w in (4, 2, 3, 1) for p in (2, 1)]
    for page in pages:
        ink = rng.random((100, 70)) < 0.2
        write_bilevel(folder / page.file, np.where(ink, 0, 255).astype(np.uint8))
    write_pages(folder / "pages.csv", [Page("none.png", "w0", "train"), *pages])
    save_file(network().state_dict(), project.run(CELL, "seed0.safetensors"))
    return project


def network() -> DescriptorNet:
    torch.manual_seed(0)
    backbone = build_backbone("narrow", 2, last_stride=1)
    return DescriptorNet(Standardize(0.8, 0.4), backbone, DGMP(123.0)).eval()


def test_smoke(trained):
    gallery.main()
    picture = matplotlib.image.imread(trained.reports / "figure8.png")
    assert min(picture.shape[:2]) > 1000
    assert "<svg" in (trained.reports / "figure8.svg").read_text(encoding="utf-8")
    names = sorted(file.name for file in trained.reports.iterdir())
    assert names == ["figure8.png", "figure8.svg"]
    # Ink is black, and weights above and below average's are orange and purple.
    red, _, blue, _ = np.moveaxis(picture, 2, 0)
    assert (picture[..., :3].max(axis=2) == 0).any()
    assert (red > blue + 0.5).any()
    assert (blue > red + 0.15).any()  # white and grey have no difference


def test_files_are_the_same_every_time(trained):
    gallery.main()
    first = {file.name: file.read_bytes() for file in trained.reports.iterdir()}
    gallery.main()
    assert first == {file.name: file.read_bytes() for file in trained.reports.iterdir()}


def test_network_is_the_one_that_was_trained(trained):
    features, pooling = load_network(trained.params, CELL, 0)
    image = torch.rand(1, 1, SIZE, SIZE)
    assert pooling.value.item() == 123
    with torch.no_grad():
        torch.testing.assert_close(pooling(features(image)), network()(image))


def test_weights_agree_with_the_oracle(trained):
    features, pooling = load_network(trained.params, CELL, 0)
    ink = np.random.default_rng(1).random((64, 96)) < 0.2
    page = np.where(ink, 0, 255).astype(np.uint8)
    example = gallery.weigh(features, pooling, page, size=SIZE, stride=STRIDE, name="page")
    np.testing.assert_array_equal(example.ink, ink)
    image = to_images(ink[None].astype(np.uint8))[0]
    one = weight_map(features, pooling, image[:, 32:, 64:])
    # The locations of a patch lie on its pixels 0 and 16.
    np.testing.assert_array_equal(example.by_patch[32::16, 64::16], one)
    whole = weight_map(features, DGMP(6 * 123.0), image)
    np.testing.assert_allclose(example.at_once[::16, ::16], whole)


def test_property_patches_are_weighed_apart(trained):
    features, pooling = load_network(trained.params, CELL, 0)
    page = np.where(np.random.default_rng(1).random((64, 64)) < 0.2, 0, 255).astype(np.uint8)
    changed = page.copy()
    changed[:SIZE, :SIZE] = 255
    one, other = (
        gallery.weigh(features, pooling, each, size=SIZE, stride=STRIDE, name="page")
        for each in (page, changed)
    )
    np.testing.assert_array_equal(one.by_patch[SIZE:], other.by_patch[SIZE:])
    assert (one.at_once[SIZE:] != other.at_once[SIZE:]).any()


def test_pages_are_the_first_of_the_first_writers(trained):
    pages = [Page(f"{w}{p}", w, split) for w in "dbca" for p, split in ((2, "test"), (1, "test"))]
    chosen = gallery.choose_pages([Page("a0", "a", "train"), *pages])
    assert [page.file for page in chosen] == ["a1", "b1", "c1"]
    assert len(gallery.choose_pages(pages[:2])) == 1


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((400, 500), (96, 96)), ((70, 500), (64, 96)), ((20, 40), (32, 32)), ((32, 33), (32, 32))],
)
def test_shapes_of_the_middle(shape, expected):
    page = np.full(shape, 255, np.uint8)
    page[shape[0] // 2, shape[1] // 2] = 0
    part = gallery.middle(page, SIZE)
    assert part.shape == expected
    assert (part == 0).sum() == 1


def test_cell_is_the_first_dgmp_of_table_2(trained):
    assert gallery.find_cell(trained.params) == CELL
    trained.set("tables.table2", ["writers-avg-m01", "writers-dgmp-1-m01", CELL])
    assert gallery.find_cell(trained.params) == "writers-dgmp-1-m01"
    trained.set("tables.table2", ["writers-avg-m01"])
    with pytest.raises(ValueError, match=r"tables\.table2 lists no writers cell of a dgmp pooling"):
        gallery.main()


def test_shapes_of_the_figure_rows_are_pages_and_columns_views(trained):
    features, pooling = load_network(trained.params, CELL, 0)
    page = np.full((64, 64), 255, np.uint8)
    example = gallery.weigh(features, pooling, page, size=SIZE, stride=STRIDE, name="a page")
    figure = gallery.draw([example, example], SIZE, "a title")
    assert figure.get_suptitle() == "a title"
    assert [axes.get_title() for axes in figure.axes[:4]] == list(gallery.VIEWS)
    assert figure.axes[4].get_ylabel() == "a page"


def test_errors_name_the_file_and_the_remedy(trained):
    remedy = f"run `dvc repro train@{CELL}`"
    file = trained.run(CELL, "seed0.safetensors")
    trained.set("profiles.scribes.backbone.width", 3)
    with pytest.raises(ValueError, match=rf"seed0\.safetensors does not fit .*: {remedy}"):
        gallery.main()
    file.write_bytes(b"cut off")
    with pytest.raises(ValueError, match=rf"seed0\.safetensors does not fit .*: {remedy}"):
        gallery.main()
    file.unlink()
    with pytest.raises(ValueError, match=rf"seed0\.safetensors is missing: {remedy}"):
        gallery.main()
    assert not trained.reports.exists()


def test_errors_no_test_pages():
    with pytest.raises(ValueError, match="no test pages"):
        gallery.choose_pages([Page("a.png", "a", "train")])
