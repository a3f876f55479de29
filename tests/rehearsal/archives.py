"""Small archives and page lists of the real names, layouts, formats and defects.

Of ICDAR17-WI, CLaMM16 and CLaMM17: few writers, three classes, generated pages.
"""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dgmp.images.binarization import binarize
from dgmp.scribes import draw_scribe, write_page

PAGE = {"height": 96, "width": 120, "line_pitch": 24}
CLASSES = ["Caroline", "Cursiva", "Half Uncial"]

WRITER_TRAIN = "icdar17-historicalwi-training-binarized.zip"
WRITER_TEST = "ScriptNet-HistoricalWI-2017-binarized.zip"
CLAMM16_TRAIN, CLAMM16_TEST = "ICFHR2016_CLaMM_Training.zip", "ICFHR2016_CLaMM_task1.zip"
CLAMM17_TRAIN, CLAMM17_TEST = "ICDAR2017_CLaMM_Training.zip", "ICDAR2017_CLaMM_task1_task3.zip"

DOUBLED = "btv1b8470112j_f469_1.tif"
MISNAMED, RIGHT = "IRHT_P_009783.tif", "IRHT_P_009793.tif"


@dataclass
class Made:
    """What was made, and the defects that were put in, by data set.

    Attributes:
        counts: labels and pages of each label for each page list.
        unusable: Pages that are missing or unreadable, as listed.
        noted: Other names that differ, and are reported.
        unlisted: A page in an archive that no list names.
    """

    counts: dict[str, tuple[int, int | list[int]]] = field(default_factory=dict)
    unusable: dict[str, list[str]] = field(default_factory=dict)
    noted: list[str] = field(default_factory=list)


def make(folder: Path) -> Made:
    """Write six archives and eight page lists to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Made()
    draw = _Pages(np.random.default_rng(0))
    _make_writers(folder, draw, made)
    shared = _make_clamm16(folder, draw, made)
    _make_clamm17(folder, draw, made, shared)
    return made


def sources_for(sources: dict[str, Any], folder: Path, address: str, made: Made) -> dict[str, Any]:
    """data/sources.yaml with local addresses, and sizes and checksums where the real one has them.

    The first address of each archive leads nowhere, as that of a site that moved.
    """
    sources["origins"]["icdar17-wi"]["record"] = f"{address}/record"
    for name, file in sources["files"].items():
        path = folder / name
        file["urls"] = [f"{address}/files/{name}"]
        if name.endswith(".zip"):
            file["urls"].insert(0, f"{address}/moved/{name}")
        if path.is_file():
            file["bytes"] = path.stat().st_size if file["bytes"] else None
            if file["checksum"]:
                file["checksum"] = f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}"
    for data in sources["sets"].values():
        if "classes" in data:
            data["classes"] = list(CLASSES)
        for part in data["parts"]:
            part["labels"], part["pages_per_label"] = made.counts[part["list"]]
    return sources


class _Pages:
    """Page images by scribe or class, in the formats of the data sets."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def _write(self, script: str) -> np.ndarray:
        return write_page(draw_scribe(script, self.rng), self.rng, **PAGE)

    def black_on_white(self, ending: str) -> bytes:
        page = binarize(self._write("Cursiva"), "otsu", window=75, k=0.2)
        options = [cv2.IMWRITE_PNG_BILEVEL, 1] if ending == ".png" else []
        return cv2.imencode(ending, page, options)[1].tobytes()

    def tiff(self, label: int) -> bytes:
        return cv2.imencode(".tif", self._write(CLASSES[label]))[1].tobytes()


def _make_writers(folder: Path, draw: _Pages, made: Made) -> None:
    # The writers of the two sets are numbered across each other, as in the real ones.
    number = iter(range(10002, 99999, 37))
    for archive, top, list_name, ending, writers, each in (
        (WRITER_TRAIN, "icdar2017-training-binary", "train", ".png", range(7, 70, 7), 3),
        (WRITER_TEST, "ScriptNet-HistoricalWI-2017-binarized", "test", ".jpg", (1, 10, 1001), 5),
    ):
        pages = {
            f"{writer}-IMG_MAX_{next(number)}{ending}": draw.black_on_white(ending)
            for writer in writers
            for _ in range(each)
        }
        names = list(pages)
        if ending == ".jpg":
            pages[names[3]] = pages[names[3]][: len(pages[names[3]]) // 2]
            made.unusable["ICDAR17-WI"] = [Path(names[3]).stem]
        lines = [f"{Path(name).stem} {name.split('-')[0]}" for name in names]
        _write_list(folder / f"icdar17_labels_{list_name}.txt", lines)
        made.counts[f"icdar17_labels_{list_name}.txt"] = len(writers), each
        _write_zip(folder / archive, top, pages)


def _make_clamm16(folder: Path, draw: _Pages, made: Made) -> dict[str, tuple[int, bytes]]:
    """Returns the pages that the later set takes over."""
    train = _names("btv1b84267835_f{}.tif", 300, 4) | _names("IRHT_P_{:06}.tif", 80, 2)
    test = _names("btv1b10506542j_f{}.tif", 100, 4)
    pages = {name: draw.tiff(label) for name, label in (train | test).items()}
    listed = dict(train)
    # Spelled in lower case in the list, and one of them in the archive as well.
    for name in ("IRHT_P_000080.tif", "IRHT_P_000082.tif"):
        listed = {key.replace(name, name.replace("_P_", "_p_")): v for key, v in listed.items()}
    pages = {name.replace("IRHT_P_000082", "IRHT_p_000082"): page for name, page in pages.items()}
    made.noted.append("IRHT_p_000080.tif")
    corrupt = "btv1b84267835_f301.tif"
    pages[corrupt] = b"\0" * len(pages[corrupt])
    made.unusable["CLaMM16"] = [corrupt]
    split = _split(listed, {"train": 4, "val": 2})
    for name, part in (
        ("clamm16train_labels_train.txt", split["train"]),
        ("clamm16train_labels_test.txt", split["val"]),
        ("clamm16_labels_test.txt", test),
    ):
        _write_list(folder / name, [f"{page} {label}" for page, label in part.items()])
        made.counts[name] = 3, len(part) // 3
    for archive, top, official, part in (
        (CLAMM16_TRAIN, "CLaMM_Training_Data_Set", "@CLaMM-filelist.csv", train),
        (CLAMM16_TEST, "CLaMM_task1", "@CLaMM_task1.csv", test),
    ):
        rows = [f"{name};{CLASSES[label].replace(' ', '_')}" for name, label in part.items()]
        text = "\n".join(["FILENAME;SCRIPT_TYPE", *rows]) + "\n"
        inside = {name: page for name, page in pages.items() if name.upper() in _upper(part)}
        _write_zip(folder / archive, top, {official: text.encode()} | inside)
    return {name: (label, pages[name]) for name, label in (test | train).items() if name in pages}


def _make_clamm17(
    folder: Path, draw: _Pages, made: Made, shared: Mapping[str, tuple[int, bytes]]
) -> None:
    taken = {name: label for name, (label, _) in shared.items() if name.startswith("btv1b1050")}
    train = _names("IRHT_P_{:06}.tif", 3, 3) | taken | {DOUBLED: 2}
    test = _names("IRHT_P_{:06}.tif", 5431, 4) | {RIGHT: 1}
    pages = {name: draw.tiff(label) for name, label in (train | test).items()}
    pages |= {name: page for name, (_, page) in shared.items() if name in train}
    split = _split({name: label for name, label in train.items() if name != DOUBLED}, {"val": 2})
    rest = {name: label for name, label in train.items() if name not in split["val"]}
    gone = "IRHT_P_000003.tif"
    assert gone in split["val"] or gone in rest
    made.unusable["CLaMM17"] = [gone]
    made.noted += [DOUBLED, MISNAMED]
    for name, part in (
        ("clamm17_training_labels_train.txt", rest),
        ("clamm17_training_labels_test.txt", split["val"] | {DOUBLED: 2}),
        ("clamm17_labels_test.txt", test),
    ):
        _write_list(folder / name, [f"{page} {label + 1}" for page, label in part.items()])
        labels = list(part.values())
        made.counts[name] = 3, [labels.count(label) for label in range(3)]
    rows = [f"{name};{label + 1};{7 + label}" for name, label in train.items()]
    text = "\r\n".join(["FILENAME;SCRIPT_TYPE;DATE_TYPE", *rows]) + "\r\n"
    unlisted = {"IRHT_P_999999.tif": draw.tiff(0)}
    made.noted.append("IRHT_P_999999.tif")
    _write_zip(
        folder / CLAMM17_TRAIN,
        "ICDAR2017_CLaMM_Training",
        {"@ICDAR2017_CLaMM_Training.csv": text.encode()}
        | {name: pages[name] for name in train if name != gone}
        | unlisted,
    )
    rows = [
        f"Task_1_3;{name.replace(RIGHT, MISNAMED)};{label + 1};{7 + label}"
        for name, label in test.items()
    ]
    text = "\r\n".join(["TASK;FILENAME;SCRIPT;DATE", *rows]) + "\r\n"
    _write_zip(
        folder / CLAMM17_TEST,
        "ICDAR2017_CLaMM_task1_task3",
        {"@ICDAR2017_CLaMM_task1_task3.csv": text.encode()} | {name: pages[name] for name in test},
    )


def _names(pattern: str, first: int, each: int) -> dict[str, int]:
    """Names of `each` pages of each class, the classes mixed."""
    return {pattern.format(first + i): i % len(CLASSES) for i in range(each * len(CLASSES))}


def _split(pages: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """As many pages of each class as asked for, in order."""
    waiting: dict[int, Iterator[str]] = {
        label: iter([name for name, its in pages.items() if its == label]) for label in range(3)
    }
    return {
        split: {next(waiting[label]): label for label in range(3) for _ in range(size)}
        for split, size in sizes.items()
    }


def _upper(names: Mapping[str, object]) -> set[str]:
    return {name.upper() for name in names}


def _write_list(file: Path, lines: list[str]) -> None:
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_zip(file: Path, top: str, content: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir(top)
        for name, data in content.items():
            archive.writestr(f"{top}/{name}", data)
        archive.writestr(f"{top}/Thumbs.db", b"\xd0\xcf\x11\xe0 no image")
