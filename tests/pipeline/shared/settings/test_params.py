import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from dgmp import POOLINGS
from pipeline.shared.settings.base import Settings
from pipeline.shared.settings.cells import PoolingName
from pipeline.shared.settings.params import Params, ParamsError, load_params

ROOT = Path(__file__).parents[4]
SETTINGS = (ROOT / "params.yaml").read_text(encoding="utf-8")
AUGMENTATION = "profiles.scribes.scripts_a.augmentation"


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Params]:
    """Load params.yaml with a dotted key set to another value, or removed (`...`)."""

    def with_change(key: str = "profile", value: Any = "scribes") -> Params:
        settings = yaml.safe_load(SETTINGS)
        *path, last = key.split(".")
        section = settings
        for part in path:
            section = section[part]
        if value is ...:
            del section[last]
        else:
            section[last] = value
        file = tmp_path / "params.yaml"
        file.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        return load_params(file)

    return with_change


def test_params_know_the_names_of_the_layer():
    assert set(get_args(PoolingName)) == set(POOLINGS)


@pytest.mark.parametrize("profile", ["scribes", "manuscripts", "folder", "paper"])
def test_smoke_profiles(load, profile):
    params = load("profile", profile)
    assert params.active is getattr(params.profiles, profile)
    assert params.data == Path("data") / profile
    assert params.reports == Path("reports") / profile
    for task in ("writers", "scripts_a", "scripts_b"):
        assert params.active.schedule(task) is getattr(params.active, task)


def test_the_default_profile_is_the_embedded_one():
    assert load_params(ROOT / "params.yaml").profile == "scribes"


def test_lambda_is_the_name_in_the_file(load):
    assert load("pooling.lambda", 250).pooling.lambda_ == 250


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("profile", "scribe", "'scribes', 'manuscripts', 'folder' or 'paper', got 'scribe'"),
        ("pooling.name", "dgpm", "'dgmp', 'gem', 'lse', 'max', 'mixed' or 'sum', got 'dgpm'"),
        ("poolings.avg.name", "mean", "'avg', 'avg_l2', 'dgmp',"),
        ("pooling.lamda", 5, "unknown key; allowed here: name, lambda, alpha, r, p, multi"),
        ("pooling.lambda_", 5, "unknown key; allowed here: name, lambda, alpha, r, p"),
        ("pooling.lambda", -1, "greater than 0, got -1"),
        ("pooling.lambda", "x", "valid number, unable to parse string as a number, got 'x'"),
        ("train.margn", 1, "unknown key; allowed here: task, margin, seed, multiplier"),
        ("train", 3, "valid dictionary"),
        ("cells", None, "valid dictionary, got None"),
        ("cells.writers-avg-m01.pooling", "ag", "'ag' is not one of poolings: avg, avg-l2, max"),
        ("cells.writers-avg-m01.task", "writer", "'writers', 'scripts_a' or 'scripts_b', got"),
        ("profiles.scribe", {}, "unknown key; allowed here: scribes, manuscripts, folder, paper"),
        ("defaults.workers", 0, "greater than or equal to 1, got 0"),
        ("defaults.workers", 1.5, "valid integer"),
        ("profiles.scribes.writers.epochs", ..., "Field required"),
        ("defaults.writers.seeds", 3, "got 3"),
        ("defaults.writers.seeds", [], "at least 1 item"),
        ("defaults.writers.patches_per_writer", 1, "greater than or equal to 2, got 1"),
        ("profiles.scribes.writers.crop", 1, "unknown key; allowed here: seeds, epochs,"),
        ("profiles.scribes.backbone.name", "vgg", "'resnet50' or 'narrow', got 'vgg'"),
        ("profiles.scribes.acquire.folder", "x", "unknown key; allowed here: source, seed,"),
        ("profiles.scribes.acquire.writers.heigth", 3, "unknown key; allowed here: height, width"),
        ("profiles.folder.acquire.writers.label", "", "unknown key; allowed here: labels, gr"),
        (f"{AUGMENTATION}.scale_min", 2, "less than 1, got 2"),
    ],
)
def test_errors_are_one_line_with_the_key_and_what_is_allowed(load, key, value, complaint):
    with pytest.raises(ParamsError) as caught:
        load(key, value)
    assert complaint in complaint_of(caught.value)
    assert complaint_of(caught.value).startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("pooling.lambda", None, "pooling: name dgmp goes with a number for lambda"),
        ("poolings.mixed.multiplier", ..., "poolings.mixed: needs a multiplier of the learning ra"),
        ("train.multiplier.gem", ..., "train.multiplier.gem: Field required"),
        ("cells.writers-avg-m01.margin", ..., "cells.writers-avg-m01: margin goes with task wri"),
        ("cells.scripts-a-avg.margin", 0.1, "cells.scripts-a-avg: margin goes with task writers"),
        ("tables.table1", ["writers-av"], "tables.table1: 'writers-av' is not one of cells"),
        (
            "untrained.scripts-a-avg",
            {"task": "scripts_a", "pooling": "avg"},
            "untrained.scripts-a-avg: the name is taken by one of cells",
        ),
        ("profiles.scribes.acquire.source", "web", "profiles.scribes.acquire"),
        (
            "profiles.scribes.scripts_a.views",
            None,
            "profiles.scribes.scripts_a: views must be a number where trainable is one",
        ),
        # The same run twice would halve the deviation in the tables.
        ("defaults.writers.seeds", [0, 0], "defaults.writers.seeds"),
        ("defaults.writers.seeds", [0, -1], "defaults.writers.seeds"),
    ],
)
def test_errors_of_settings_that_do_not_go_together(load, key, value, complaint):
    with pytest.raises(ParamsError) as caught:
        load(key, value)
    assert complaint_of(caught.value).startswith(complaint)


def complaint_of(error: ParamsError) -> str:
    """The one, short line of an error without the path of the file."""
    message = str(error).partition("params.yaml: ")[2]
    assert message.count("\n") == 0
    assert len(message) < 600
    return message


def test_errors_are_all_told_at_once(tmp_path):
    wrong = SETTINGS.replace("profile: scribes", "profile: scribe").replace("sigma:", "sgima:")
    file = tmp_path / "params.yaml"
    file.write_text(wrong, encoding="utf-8")
    with pytest.raises(ParamsError) as caught:
        load_params(file)
    lines = str(caught.value).splitlines()
    # profile; unknown: the default and the paper's own; missing: in each of the four profiles.
    assert len(lines) == 1 + 2 + 4
    assert all(line.startswith(f"{file}: ") for line in lines)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "params.yaml is missing: run from the top of the repository"),
        ("a: [1", "params.yaml is not valid YAML: "),
        ("- 1\n", "params.yaml must hold a mapping of settings, got list"),
        ("", "params.yaml must hold a mapping of settings, got NoneType"),
    ],
)
def test_errors_of_the_file(tmp_path, content, complaint):
    file = tmp_path / "params.yaml"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ParamsError, match=re.escape(complaint)) as caught:
        load_params(file)
    assert "\n" not in str(caught.value)


def test_property_settings_are_frozen(load):
    params = load()
    with pytest.raises(ValidationError, match="frozen"):
        params.active.writers.epochs = 3
    assert all(model.model_config["frozen"] for model in Settings.__subclasses__())


def test_style_dvc_changes_one_line_of_the_file():
    nodes = list(_nodes(yaml.compose(SETTINGS)))
    # `exp run -S` rewrites lists in flow style, and mappings that are longer than a line.
    flow = [n for n in nodes if isinstance(n, yaml.SequenceNode) and n.flow_style]
    assert not flow, f"a list in flow style in line {flow[0].start_mark.line + 1}"
    assert all(len(line) <= 80 for line in SETTINGS.splitlines() if "{" in line)
    for node in nodes:
        if isinstance(node, yaml.ScalarNode):
            # PyYAML reads 1e-4 as text and DVC as a number; 5.0 and 5 are two values to DVC.
            assert not re.fullmatch(r"[-+]?[\d.]+[eE][-+]?\d+|\d+\.0*", node.value), node.start_mark


def _nodes(node: yaml.Node):
    yield node
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            for child in pair:
                yield from _nodes(child)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            yield from _nodes(child)
