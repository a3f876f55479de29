"""Layers of settings: defaults, the paper's protocol, that of the authors' code, and its table."""

import copy
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from dvc.utils.serialize import modify_yaml

from pipeline.shared.settings.base import Task
from pipeline.shared.settings.layers import SHARED, with_defaults, with_protocol
from pipeline.shared.settings.params import Params, ParamsError, load_params

ROOT = Path(__file__).parents[4]
SETTINGS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
OVERLAY: dict[str, Any] = SETTINGS["protocols"]["authors-code"]


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def at(tree: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Params]:
    """Load params.yaml with some values of dotted keys changed or added."""

    def with_changes(profile: str, protocol: str = "paper", **changes: Any) -> Params:
        settings = copy.deepcopy(SETTINGS) | {"profile": profile, "protocol": protocol}
        for key, value in changes.items():
            *path, last = key.split("__")
            section = settings
            for part in path:
                section = section.setdefault(part, {})
            section[last] = value
        file = tmp_path / "params.yaml"
        file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        return load_params(file)

    return with_changes


def test_the_papers_values(load):
    """Section IV of the paper, and where it is silent the authors' code."""
    params = load("paper")
    profile = params.active
    # IV-C: ResNet-50, pretrained on ImageNet, all of it trained.
    assert profile.backbone.name == "resnet50"
    assert {profile.schedule(task).trainable for task in get_args(Task)} == {None}
    # IV-C.1: patches of 400 x 400, stride 256, overlapping at test time too; Canny, 2000.
    patches = profile.patches
    assert (patches.size, patches.stride, patches.threshold) == (400, 256, 2000)
    assert patches.test_stride is None
    assert (patches.margin_right, patches.end, patches.train_on_validation) == (0, "inclusive", 0)
    assert patches.sigma == 3  # the authors' test side
    # IV-C.1: P, K, hard batch, standardized, learning rate, decay, epochs, best model.
    writers = profile.writers
    assert (writers.writers_per_batch, writers.patches_per_writer) == (14, 4)
    assert (writers.mining, writers.standardize, writers.resize) == ("hardest", True, None)
    assert (writers.learning_rate, writers.weight_decay) == (2e-4, 1e-5)
    assert (writers.epochs, writers.decay_start) == (300, 150)
    assert (writers.tested_model, writers.validate_every) == ("best", 1)
    assert writers.keep_pooling_multiplier
    assert writers.last_stride == 2
    # IV-C.1: 40 of 394 writers for validation.
    assert round(394 * profile.acquire.validation_fraction) == 40
    # Silent; authors' code: all poolings normalised, mean over violating triplets, squared
    # Euclidean, no weight decay on lambda, an epoch is all patches.
    assert (writers.normalize, writers.reduction, writers.distance) == (
        True,
        "active",
        "sqeuclidean",
    )
    assert (writers.pooling_weight_decay, writers.steps_per_epoch) == (0, None)
    for scripts in (profile.scripts_a, profile.scripts_b):
        # IV-C.2: 384 pixels, stride one, learning rate, five runs, ranges of the augmentation.
        assert (scripts.crop, scripts.last_stride, scripts.learning_rate) == (384, 1, 4e-4)
        assert len(scripts.seeds) == 5
        ranges = scripts.augmentation
        assert (ranges.scale_min, ranges.scale_max) == (0.08, 1)
        assert (ranges.aspect_min, ranges.aspect_max) == (0.75, 1.33)
        assert (ranges.rotation, ranges.brightness, ranges.contrast) == (5, 0.1, 0.1)
        assert scripts.weight_decay == 1e-5
        assert (scripts.mean, scripts.sd, scripts.validation_drops_last) == (None, None, False)
        # Silent; authors' code: batches, torchvision's transforms, weight decay on lambda.
        assert (scripts.batch_size, scripts.head_multiplier) == (28, 1)
        assert (scripts.resampling, ranges.jitter) == ("bilinear", "shuffled")
        assert (ranges.rotation_sampling, ranges.corners) == ("nearest", "black")
        assert scripts.pooling_weight_decay == 1e-5
    # IV-C.2: decay from 30 and 16; the authors' code: 120 and 65 epochs.
    assert (profile.scripts_a.epochs, profile.scripts_a.decay_start) == (120, 30)
    assert (profile.scripts_b.epochs, profile.scripts_b.decay_start) == (65, 16)


def test_the_papers_cells(load):
    """Tables I-III: margins, lambda, alpha and r at the start, multipliers of their rates."""
    params = load("paper")
    poolings = params.poolings
    writers = {
        name: cell
        for name, cell in params.cells.items()
        if cell.task == "writers" and name not in params.sweep
    }
    assert {cell.margin for cell in writers.values()} == {0.1, 0.2, 0.5}
    lambdas = {poolings[c.pooling].lambda_ for c in writers.values() if "dgmp" in c.pooling}
    assert lambdas == {1, 1e3, 1e5}
    assert (poolings["mixed"].alpha, poolings["lse"].r) == (0.5, 10)
    rates = {
        "writers": {"dgmp": 1000, "mixed": 10, "lse": 10},
        "scripts_a": {"dgmp": 1},
        "scripts_b": {"dgmp": 100},
    }
    for cell in params.cells.values():
        pooling = poolings[cell.pooling]
        assert pooling.multiplier == rates[cell.task].get(pooling.name)
        if cell.task != "writers" and pooling.name == "dgmp":
            assert pooling.lambda_ == 5000


@pytest.mark.parametrize(("path", "value"), list(leaves(OVERLAY)), ids=lambda v: str(v))
def test_every_switch_changes_a_value_and_is_in_the_table(path, value, load):
    section = path[0]
    base, changed = load("paper"), load("paper", "authors-code")
    key = re.sub(r"^(scripts)_[ab]|^(titles)\..*", r"\1\2.*", ".".join(path)).replace(".*.", "_*.")
    key = key if section != "titles" else "titles.*"
    place = (lambda p: p) if section in SHARED else (lambda p: p.active)

    def found(params: Params) -> Any:
        tree = place(params).model_dump(by_alias=True)
        found = at(tree, path)
        return list(found) if isinstance(found, tuple) else found

    assert found(changed) == value
    assert found(base) != value
    table = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if line.startswith("| ") and f"`{key}` ◆" in line]
    assert len(rows) == 1, key


def test_the_table_knows_no_other_switches_of_the_protocol():
    table = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"`([^`]+)` ◆", table))
    paths = {".".join(path) for path, _ in leaves(OVERLAY)}
    known = {re.sub(r"^scripts_[ab]", "scripts_*", path) for path in paths}
    assert shown == {re.sub(r"^titles\..*", "titles.*", path) for path in known}


def test_keys_of_the_table_exist():
    table = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if line.startswith("| ") and line.count("|") == 6]
    keys = {key for row in rows[1:] for key in re.findall(r"`([^`]+)`", row.split("|")[-2])}
    settings = {".".join(path) for path, _ in leaves(with_defaults(SETTINGS))}
    assert len(keys) > 40
    for key in keys:
        wanted = re.escape(key).replace(r"\*", "[^.]*")
        assert [one for one in settings if re.match(rf"(profiles\.paper\.)?{wanted}(\.|$)", one)], (
            key
        )


def test_the_rest_of_the_settings_is_the_papers(load):
    base, changed = (load("paper", name).model_dump() for name in ("paper", "authors-code"))
    paths = {path if path[0] in SHARED else ("profiles", "paper", *path)
             for path, _ in leaves(OVERLAY)} | {("protocol",)}  # fmt: skip
    for path, value in leaves(base):
        if path not in paths:
            assert at(changed, path) == value, path


@pytest.mark.parametrize("profile", ["scribes", "manuscripts", "folder"])
def test_small_profiles_have_the_papers_protocol_alone(load, profile):
    assert load(profile).protocol == "paper"
    with pytest.raises(ParamsError, match="protocol: 'authors-code' goes with profile paper alone,"
                       f" got profile '{profile}': set protocol to paper, and single"):  # fmt: skip
        load(profile, "authors-code")


WRITERS = "protocols__authors-code__writers"


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("protocol", "author", "protocol: Input should be 'paper' or 'authors-code', got 'author'"),
        (f"{WRITERS}__minning", 1, "protocols.authors-code.writers.minning: unknown key; allowed "),
        (f"{WRITERS}__mining", "easy", "protocols.authors-code.writers.mining: Input should be 'h"),
        (f"{WRITERS}__seeds", [0, 0], "protocols.authors-code.writers.seeds: each seed once"),
        (
            "protocols__authors-code__writer",
            {},
            "protocols.authors-code.writer: unknown key; allow",
        ),
        ("protocols__authors-code__patches", None, "protocols.authors-code.patches: Input should"),
        (
            "protocols__authors-code__cells__scripts-b-avg",
            {"pooling": "avg-l2"},
            "protocols.authors-code.cells.scripts-b-avg.pooling: is the same under all protocols",
        ),
        (
            "protocols__authors-code__cells__scripts-b-avg",
            7,
            "protocols.authors-code.cells.scripts-b-avg: Input should be a valid dictionary",
        ),
        (
            "protocols__authors-code__scripts_a__mean",
            None,
            "protocols.authors-code.scripts_a: mean",
        ),
        ("protocols__author", {}, "protocols.author: unknown key; allowed here: paper, authors-"),
    ],
)
@pytest.mark.parametrize("profile", ["scribes", "paper"])
def test_errors_in_an_overlay_are_named_whatever_the_profile(load, profile, key, value, complaint):
    with pytest.raises(ParamsError) as caught:
        load(profile, **{key: value})
    message = str(caught.value).partition("params.yaml: ")[2]
    assert message.startswith(complaint), message
    assert "\n" not in message


def test_errors_a_cell_of_the_chosen_protocol_that_is_not_there(load):
    other = {"protocols__authors-code__cells__scripts-b-dgmp": {"pooling_multiplier": 1}}
    # It may have been taken out of the tables.
    for profile in ("scribes", "paper"):
        assert load(profile, **other).protocol == "paper"
    with pytest.raises(ParamsError) as caught:
        load("paper", "authors-code", **other)
    complaint = "protocols.authors-code.cells.scripts-b-dgmp: unknown key; allowed here: writers-"
    assert complaint in str(caught.value)


def test_switching_changes_two_lines_of_the_settings(tmp_path):
    # What `dvc exp run -S profile=paper -S protocol=authors-code` does to the file.
    before = (ROOT / "params.yaml").read_text(encoding="utf-8")
    file = tmp_path / "params.yaml"
    file.write_text(before, encoding="utf-8")
    with modify_yaml(str(file)) as settings:
        settings |= {"profile": "paper", "protocol": "authors-code"}
    after = file.read_text(encoding="utf-8")
    lines = zip(before.splitlines(), after.splitlines(), strict=True)
    assert [new for old, new in lines if old != new] == ["profile: paper", "protocol: authors-code"]


def test_property_an_overlay_leaves_the_settings_as_they_are():
    before = copy.deepcopy(SETTINGS)
    laid = with_protocol(with_defaults(SETTINGS), "authors-code")
    assert before == SETTINGS
    laid["profiles"]["paper"]["writers"]["seeds"].append(9)
    assert before == SETTINGS
    assert with_protocol(with_defaults(SETTINGS), "paper") == with_defaults(SETTINGS)


@pytest.mark.parametrize(
    ("profile", "protocol"),
    [
        ("scribes", "paper"),
        pytest.param("manuscripts", "paper", marks=pytest.mark.slow),
        pytest.param("paper", "paper", marks=pytest.mark.slow),
        ("paper", "authors-code"),
    ],
)
def test_dvc_reruns_what_an_overlay_touches(tmp_path, profile, protocol):
    shutil.copyfile(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    settings = copy.deepcopy(SETTINGS) | {"profile": profile, "protocol": protocol}
    text = yaml.safe_dump(settings, sort_keys=False)
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    with Repo.init(str(tmp_path), no_scm=True) as repo:
        for stage in repo.index.stages:
            params = [dep for dep in stage.deps if isinstance(dep, ParamsDependency)]
            keys = {key for dep in params for key in dep.params}
            # The same under all protocols: what comes before patches.
            early = stage.name in ("acquire", "binarize", "weights")
            # What reads scores depends on the protocol by way of the stages before.
            late = {"evaluate", "compare", "tables", "figures", "report", "metrics"}
            expected = set() if early else {f"protocols.{protocol}"}
            found = {key for key in keys if key.startswith("protocol")}
            assert found == expected or (stage.name in late and not found), stage.name
            for dep in params:
                dep.save()  # an empty overlay is a value like others
