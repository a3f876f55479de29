"""What `dvc status` says after a change, and what a change should reach."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from dvc.utils.serialize import parse_yaml
from networkx import ancestors, topological_sort

# They change no result: how many processes and threads, and where, how often checkpoints are made,
# and where files lie that would be downloaded otherwise.
WITHOUT_EFFECT = {
    "mirror",
    "search.workers",
    "search.cluster",
    "profiles.scribes.workers",
    "profiles.scribes.loading_threads",
    "profiles.scribes.checkpoint_seconds",
}
NAMES = ("profile", "protocol")
"""They change which files and sections a stage is about, see the tests of profiles."""


def leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all settings of a params.yaml."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    else:
        yield path


def other(value: Any, key: str, settings: dict[str, Any]) -> Any:
    """Another value for a setting, one with which dvc.yaml can still be read."""
    if key in ("task", "pooling"):
        names = ["writers", "scripts_a", "scripts_b"] if key == "task" else settings["poolings"]
        return next(name for name in names if name != value)
    if isinstance(value, list):
        return [*value, value[0]]
    if isinstance(value, bool):
        return not value
    return "another" if isinstance(value, str) else (value or 0) + 1


@contextmanager
def changed(file: Path, content: str) -> Iterator[None]:
    """A file with other content, for a while."""
    before = file.read_bytes()
    file.write_text(content, encoding="utf-8")
    try:
        yield
    finally:
        file.write_bytes(before)


def stale(repo: Repo) -> set[str]:
    """The stages that `dvc status` names: their own deps or params changed."""
    return {address.rpartition(":")[2] for address in repo.status()}


def stale_by_settings(repo: Repo) -> set[str]:
    """The same where nothing but settings changed: without a look at files, which takes seconds."""
    return {
        stage.name
        for stage in repo.index.stages
        if any(dep.status() for dep in stage.deps if isinstance(dep, ParamsDependency))
    }


def settings_of_stages(folder: Path) -> dict[str, set[str]]:
    """By stage, the settings and sections that dvc.yaml names, as DVC resolves them."""
    with Repo(str(folder)) as repo:
        return {
            stage.name: {
                name
                for dep in stage.deps
                if isinstance(dep, ParamsDependency)
                for name in dep.params
            }
            for stage in repo.index.stages
        }


def named(key: str, settings: dict[str, set[str]]) -> set[str]:
    """The stages that name a setting, or a section it is in."""
    parts = key.split(".")
    sections = {".".join(parts[:size]) for size in range(1, len(parts) + 1)}
    return {stage for stage, names in settings.items() if names & sections}


@contextmanager
def parsed_once() -> Iterator[None]:
    """DVC parses each text of a YAML file once, and not anew for every stage."""
    parsed: dict[str, Any] = {}

    def parse(text: str, path: str, typ: str = "safe") -> Any:
        if text not in parsed:
            parsed[text] = parse_yaml(text, path, typ)
        return deepcopy(parsed[text])

    places = ("serialize._yaml", "strictyaml")
    with ExitStack() as stack:
        for place in places:
            stack.enter_context(patch(f"dvc.utils.{place}.parse_yaml", parse))
        yield


def downstream(folder: Path) -> dict[str, set[str]]:
    """By stage, in the order in which they run, itself and the stages that use its outputs."""
    with Repo(str(folder)) as repo:
        graph = repo.index.graph  # from a stage to those that it uses
        order = list(topological_sort(graph.reverse()))
        return {s.name: {s.name} | {user.name for user in ancestors(graph, s)} for s in order}


def closure(stages: Iterable[str], below: dict[str, set[str]]) -> set[str]:
    """The stages that run if these do."""
    return set().union(*(below[name] for name in stages))
