"""A project of toy size in the current folder, with a frozen trunk."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from pipeline.inputs import trunk
from pipeline.shared.settings.params import Params
from tests.pipeline.training.toy import params_of, toy_settings, write_data


@pytest.fixture
def frozen(tmp_path, monkeypatch) -> Iterator[Callable[..., Params]]:
    """Settings with two trainable blocks for writers and one for scripts, and some changes."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    write_data()

    def settle(workers: int = 1, **changes: Any) -> Params:
        # Kept for a process, in which a stage's settings do not change.
        trunk._network.cache_clear()
        settings = toy_settings(workers=workers)
        profile = settings["profiles"]["scribes"]
        profile["writers"] |= {"trainable": 2}
        profile["scripts_a"] |= {"trainable": 1, "views": 3}
        for key, value in changes.items():
            task, _, name = key.partition("__")
            profile[task][name] = value
        return params_of(settings)

    yield settle
    trunk._network.cache_clear()
    torch.set_num_threads(threads)
