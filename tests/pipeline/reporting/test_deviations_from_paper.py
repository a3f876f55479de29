"""The table of settings that differ from the profile paper."""

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.reporting.deviations_from_paper import CODE, OWN, deviations_from_paper
from pipeline.shared.settings.params import Profile, load_params
from tests.pipeline.conftest import ROOT

PARAMS = load_params(ROOT / "params.yaml")
PAPER = PARAMS.profiles.paper
SMALL = {name: getattr(PARAMS.profiles, name) for name in ("scribes", "manuscripts", "folder")}
# No number depends on these; where pages come from is told by the titles.
NOT_TOLD = {"workers", "loading_threads", "checkpoint_seconds", "evaluation_batch", "acquire"}
# Settings of Sauvola's method, which Otsu's does not have, and the width, told with the network.
TOLD_WITH_ANOTHER = {"window", "width"}


def leaves(settings: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in settings.items():
        path = (*above, key)
        if isinstance(value, dict) and key != "acquire":
            yield from leaves(value, path)
        else:
            yield path


def at(settings: dict[str, Any], path: tuple[str, ...]) -> Any:
    for key in path:
        settings = settings[key]
    return settings


def with_leaf(path: tuple[str, ...], value: Any) -> Profile:
    settings = PAPER.model_dump()
    at(settings, path[:-1])[path[-1]] = value
    if path[0] == "scripts_a" and path[-1] == "trainable":
        settings["scripts_a"]["views"] = 8  # which a trunk needs
    return Profile.model_validate(settings)


@pytest.mark.parametrize("name", SMALL)
def test_property_every_setting_that_differs_is_told(name):
    here, paper = SMALL[name].model_dump(), PAPER.model_dump()
    told = 0
    for path in leaves(paper):
        twice = path[0] == "scripts_b" and at(here, path) == at(here, ("scripts_a", *path[1:]))
        if at(here, path) == at(paper, path) or twice:
            continue
        if path[-1] not in NOT_TOLD | TOLD_WITH_ANOTHER:
            assert deviations_from_paper(with_leaf(path, at(here, path)), PAPER), path
            told += 1
    assert told > 20


def test_the_paper_profile_differs_in_nothing():
    assert deviations_from_paper(PAPER, PAPER) == []


def test_what_the_paper_does_not_print_is_marked():
    found = {one.setting: one for one in deviations_from_paper(SMALL["scribes"], PAPER)}
    epochs = found["epochs, scripts (a)"]
    assert (epochs.paper, epochs.source) == ("120", CODE)
    assert found["binarization"].source == OWN
    assert found["runs of a cell, writers"].source == OWN
    assert (found["epochs, writers"].paper, found["epochs, writers"].source) == ("300", "")
    assert "runs of a cell, scripts" not in found


def test_the_reason_for_other_pages_is_that_of_their_source():
    why = {
        name: next(one.why for one in deviations_from_paper(profile, PAPER))
        for name, profile in SMALL.items()
    }
    assert "synthetic" in why["scribes"]
    assert "public repositories" in why["manuscripts"]
    assert "folder" in why["folder"]
