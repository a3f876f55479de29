import pytest
import torch

from pipeline.shared.settings.params import Params
from tests.pipeline.training.toy import params_of, toy_settings, write_data


@pytest.fixture
def params(tmp_path, monkeypatch) -> Params:
    """Settings of a project of toy size, which lies in the current folder."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    write_data()
    yield params_of(toy_settings())
    torch.set_num_threads(threads)
