"""A clone of the repository with toy settings, in which DVC runs the pipeline."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WRITERS, SCRIPTS = "writers-dgmp-1k-m01", ["scripts-a-dgmp-5k", "scripts-b-avg"]
CELLS = [WRITERS, *SCRIPTS]
UNTRAINED = "writers-avg-untrained"
SYSTEMS = ["sift-gmp", "dgmp"]
UNFROZEN = {"trainable": None, "views": None}
PAGE = {"height": 96, "width": 120, "line_pitch": 24}


class Clone:
    """A repository of its own with the sources of this one and toy settings, all committed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first_reports: dict[str, bytes] = {}
        home = folder.with_name("home")
        self.environment = {
            **{k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "DGMP_MIRROR")},
            # Stages call python by name, as in an activated environment.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **{f"GIT_{who}_NAME": "rehearsal" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "rehearsal@example.org" for who in ("AUTHOR", "COMMITTER")},
            **{f"DVC_{what}_DIR": str(home) for what in ("GLOBAL_CONFIG", "SYSTEM_CONFIG")},
            "DVC_SITE_CACHE_DIR": str(home / "cache"),
            "DVC_NO_ANALYTICS": "1",
        }

    def call(self, *command: str) -> tuple[int, str]:
        """Exit code and everything that a command says."""
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout

    def run(self, *command: str) -> str:
        """What a command says; it must succeed."""
        code, said = self.call(*command)
        assert code == 0, f"{' '.join(command)} ended with {code}:\n{said}"
        return said

    def repro(self, *stages: str) -> str:
        """`dvc repro`, of all stages if none is named."""
        return self.run("dvc", "repro", *stages)

    def experiment(self, *stages: str, **settings: Any) -> str:
        """`dvc exp run` with some settings, a double underscore in place of each dot.

        Without stages all of them run.
        """
        pairs = [f"{key.replace('__', '.')}={value}" for key, value in settings.items()]
        options = (part for pair in pairs for part in ("-S", pair))
        return self.run("dvc", "exp", "run", *options, *stages)

    def adapt(
        self, change: Callable[[dict[str, Any]], dict[str, Any]], name: str = "params.yaml"
    ) -> None:
        """Replace the content of a YAML file by a function of it."""
        file = self.folder / name
        content = change(yaml.safe_load(file.read_text(encoding="utf-8")))
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def reports(self, profile: str = "scribes") -> dict[str, bytes]:
        folder = self.folder / "reports" / profile
        return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.*"))}

    def metrics(self, profile: str = "scribes") -> dict[str, Any]:
        return json.loads(self.reports(profile)["metrics.json"])


def ran(said: str) -> list[str]:
    return re.findall(r"Running stage '([^']+)'", said)


def restored(said: str) -> list[str]:
    return re.findall(r"Stage '([^']+)' is cached - skipping run", said)


def toy(settings: dict[str, Any]) -> dict[str, Any]:
    """Few cells and the least of everything that still runs through all of the code."""
    settings["profile"] = "scribes"
    settings["cells"] = {name: settings["cells"][name] for name in CELLS}
    settings["untrained"] = {name: settings["untrained"][name] for name in [UNTRAINED]}
    listed = [*settings["cells"].values(), *settings["untrained"].values()]
    # The protocol of the authors' code names one more.
    used = {"dgmp-5k-clamm17", *(cell["pooling"] for cell in listed)}
    poolings = {name: settings["poolings"][name] for name in sorted(used)}
    settings["poolings"] = poolings
    settings["tables"] = {"table1": [WRITERS], "table2": [WRITERS], "table3": SCRIPTS}
    settings["tables"]["table4"] = {name: {"title": name} for name in SYSTEMS}
    settings["systems"] = {name: settings["systems"][name] for name in SYSTEMS}
    settings["baselines"] = {}
    settings["sweep"] = [WRITERS]
    small = {"centres": 3, "sample": 500, "least": 4, "seeds": [0], "script_c": [1, 10]}
    settings["systems"]["sift-gmp"] |= small
    settings["chain"]["components"] = 4
    settings["chain"]["rerank"]["k"] = 1
    settings["embedded"] = {WRITERS: settings["embedded"][WRITERS]}
    settings["defaults"]["describe"]["most"] = 100
    settings["defaults"]["surrogates"] |= {"size": 16, "sample": 200, "width": 2}
    scripts = PAGE | {"train": 12, "validation": 12, "test": 12}
    writers = PAGE | {"train_scribes": 4, "train_pages": 2, "test_scribes": 2, "test_pages": 2}
    schedule = {"epochs": 2, "decay_start": 1, "evaluation_batch": 64}
    schedule |= {"seeds": [0, 1], "last_stride": 1}
    batch = {"steps_per_epoch": 1, "writers_per_batch": 2, "patches_per_writer": 2}
    acquire = settings["profiles"]["scribes"]["acquire"]
    for task, size in (("writers", writers), ("scripts_a", scripts), ("scripts_b", scripts)):
        acquire[task] |= size
    for name in ("scribes", "folder", "paper"):
        profile = settings["profiles"][name]
        # One profile in processes side by side, and one in a single process, which starts faster.
        profile["workers"] = 2 if name == "folder" else 1
        profile["patches"] |= {"size": 40, "stride": 24, "threshold": 60}
        profile["backbone"] = {"name": "narrow", "width": 2}
        profile["surrogates"] |= {"classes": 3, "patches": 60, "epochs": 1, "per_page": 9}
        # A frozen trunk in the one task, in the other, in none; the rest is trained on images.
        writers_alone, scripts_alone = name == "scribes", name == "manuscripts"
        profile["writers"] |= schedule | batch | {"trainable": 2 if writers_alone else None}
        for task in ("scripts_a", "scripts_b"):
            frozen = {"trainable": 1, "views": 2} if scripts_alone else UNFROZEN
            profile[task] |= schedule | {"batch_size": 6, "crop": 32} | frozen
    return settings


def make_clone(folder: Path, adapt: Callable[[dict[str, Any]], dict[str, Any]]) -> Clone:
    """A clone whose settings are those of the repository, adapted."""
    clone = Clone(folder)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        # The lock file knows other settings, and DVC writes it anew after each stage. Reports are
        # what the clone is to make.
        left_out = name == "dvc.lock" or name.startswith("reports/")
        if (ROOT / name).is_file() and not left_out:
            (clone.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, clone.folder / name)
    clone.adapt(adapt)
    clone.run("git", "init", "--quiet")
    clone.run("git", "add", "--all")
    clone.run("git", "commit", "--quiet", "--message", "toy size")
    return clone
