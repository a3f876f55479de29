import logging
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.shared.stage import run

ROOT = Path(__file__).parents[3]


def failing(error: BaseException):
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("pages/1.png has no ink"), "error: pages/1.png has no ink"),
        (
            FileNotFoundError(2, "No such file", "a.csv"),
            "error: a.csv is missing: if a stage writes it, run `dvc repro`",
        ),
        (OSError("the disk is full"), "error: the disk is full"),
        (KeyboardInterrupt(), "interrupted: outputs of this stage were not replaced"),
    ],
)
def test_errors_end_as_their_message(error, message):
    with pytest.raises(SystemExit) as end:
        run(failing(error))
    assert end.value.code == message


def test_the_traceback_is_there_for_who_wants_it(monkeypatch):
    monkeypatch.setenv("DGMP_TRACEBACK", "1")
    with pytest.raises(ValueError, match="no ink"):
        run(failing(ValueError("no ink")))


def test_a_mistake_in_the_program_keeps_its_traceback():
    with pytest.raises(TypeError):
        run(failing(TypeError("unexpected")))


def test_smoke_success_returns():
    called = []
    run(lambda: called.append(logging.getLogger().isEnabledFor(logging.INFO)))
    assert len(called) == 1


def test_a_wrong_pooling_name_is_one_line_on_the_command_line(tmp_path):
    settings = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    settings["pooling"]["name"] = "dgpm"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    # binarize starts faster than what needs torch, and every stage reads its settings alike.
    ended = subprocess.run(
        [sys.executable, "-m", "pipeline.binarize"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("error: params.yaml: pooling.name: Input should be 'avg', ")
