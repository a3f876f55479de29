"""A made-up benchmark: two repositories with a page image and an ALTO for each page."""

import csv
import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from dgmp.scans.baselines import read_baselines
from dgmp.scans.text_block import binarize_by_boxes, cut_text_block, find_text_block

COMMITS = {"one/words": "1" * 40, "two/pages": "2" * 40}
PITCH, LINES = 32, 6
COLUMNS = [
    *("file", "label", "centuries", "split", "manuscript", "repository", "image", "image_blob"),
    *("layout", "layout_blob", "left", "top", "right", "bottom", "scale", "pixels"),
]

Files = dict[str, dict[str, bytes]]


def git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob " + str(len(content)).encode() + b"\0" + content).hexdigest()


def pixels(page: np.ndarray) -> str:
    return hashlib.sha256(
        f"{page.shape[0]} {page.shape[1]}\n".encode() + page.tobytes()
    ).hexdigest()


def image_of(rng: np.random.Generator) -> np.ndarray:
    """Lines of dark strokes on light ground, in colour."""
    image = np.full((PITCH * (LINES + 3), 260, 3), (190, 205, 215), np.uint8)
    for line in range(LINES):
        base = PITCH * (line + 2)
        for x in rng.integers(30, 230, 25):
            top = int(rng.integers(8, 20))
            cv2.line(image, (int(x), base - top), (int(x) + 3, base), (40, 30, 30), 2)
    return image


def alto_of(version: int) -> bytes:
    lines = "".join(
        f'<TextLine BASELINE="30 {PITCH * (i + 2)} 230 {PITCH * (i + 2)}"/>' for i in range(LINES)
    )
    return (
        f'<alto xmlns="http://www.loc.gov/standards/alto/ns-v{version}#"><Tags>'
        '<OtherTag ID="m" LABEL="MainZone"/></Tags><Layout><Page WIDTH="260" HEIGHT="288">'
        f'<PrintSpace><TextBlock TAGREFS="m">{lines}</TextBlock></PrintSpace></Page></Layout>'
        "</alto>"
    ).encode()


def make(folder: Path, address: str) -> Files:
    """Write data/benchmark.yaml and its csv files to a folder; returns the repositories' files."""
    rng = np.random.default_rng(0)
    files: Files = {name: {"README.md": b"made up"} for name in COMMITS}
    manuscripts, scripts = [], []
    for number in range(12):
        repository = "one/words" if number < 7 else "two/pages"
        image, layout = image_of(rng), alto_of(2 + number % 3)
        name = f"data/ms é/{number}"
        coded = cv2.imencode(".png", image)[1].tobytes()
        files[repository] |= {f"{name}.png": coded, f"{name}.xml": layout}
        block = find_text_block(read_baselines(layout), *image.shape[:2])
        grey = cut_text_block(image, block)
        source = {
            "repository": repository,
            "image": f"{name}.png",
            "image_blob": git_id(coded),
            "layout": f"{name}.xml",
            "layout_blob": git_id(layout),
            **block._asdict(),
        }
        codex = number // 2
        own = {
            "label": f"m{codex}",
            "centuries": "" if number == 5 else "ab"[codex % 2],
            "split": "train" if codex < 4 else "test",
            "manuscript": f"codex {codex}",
        }
        page = {"file": f"m/{number}.png", "pixels": pixels(binarize_by_boxes(grey))}
        manuscripts.append(source | own | page)
        if number % 3:
            file = f"s/{number}.jpg"
            small = cv2.resize(grey, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
            taken, quality = small[:1440, :1280], 70
        else:  # the photograph as a whole
            file = f"s/whole-{number}.jpg"
            source |= dict.fromkeys(("layout", "layout_blob", *block._fields), "")
            taken, quality = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 80
        jpeg = cv2.imencode(".jpg", taken, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        page = {"file": file, "pixels": pixels(cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE))}
        scripts.append(source | own | page | {"label": own["centuries"] or "b"})
    (folder / "data" / "benchmark").mkdir(parents=True)
    for name, rows in (("manuscripts", manuscripts), ("scripts", scripts)):
        write_rows(folder / "data" / "benchmark" / f"{name}.csv", rows)
    repository = {"licence": "none", "citation": "none", "megabytes": 1}
    content = {
        "archive": address + "/files/{commit}.tar.gz",
        "repositories": {name: repository | {"commit": c} for name, c in COMMITS.items()},
        "tasks": {
            "writers": {"pages": "manuscripts.csv", "label": "label", "group": None},
            "scripts_a": {"pages": "scripts.csv", "label": "label", "group": "manuscript"},
            "scripts_b": {"pages": "manuscripts.csv", "label": "centuries", "group": "manuscript"},
        },
        "left_out": {},
    }
    edit_yaml(folder, lambda empty: empty.update(content))
    return files


def write_rows(file: Path, rows: list[dict[str, Any]]) -> None:
    with open(file, "w", encoding="utf-8", newline="") as lines:
        table = csv.DictWriter(lines, COLUMNS)
        table.writeheader()
        table.writerows(rows)


def edit_yaml(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    file = folder / "data" / "benchmark.yaml"
    content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    edit(content)
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


def packed(repository: str, files: dict[str, bytes], commit: str | None = None) -> bytes:
    """A commit as GitHub packs it: the commit in a comment, one folder around everything."""
    commit = commit or COMMITS[repository]
    content = io.BytesIO()
    with tarfile.open(
        fileobj=content, mode="w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": commit}
    ) as archive:
        for path, data in files.items():
            entry = tarfile.TarInfo(f"{repository.partition('/')[2]}-{commit}/{path}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()
