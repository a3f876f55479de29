"""Views of script pages from the packed store, beside decoding the file for each view."""

from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from dgmp.images.augmentation import ScriptAugmentation, augment
from dgmp.images.pages import PageStore
from dgmp.images.reading import read_gray
from pipeline.preparation.packing import longest_useful_side, pack_pages
from pipeline.shared.page_lists import Page
from pipeline.shared.settings.params import load_params
from tests.benchmarks.bench_pooling import milliseconds, ratio
from tests.benchmarks.written_pages import GREY_HEIGHT, GREY_WIDTH, write_grey_pages

PAGES = 24


def report(folder: Path, rounds: int) -> None:
    """Print the section."""
    schedule = load_params().profiles.paper.scripts_a
    side = longest_useful_side(schedule)
    settings = ScriptAugmentation(crop=schedule.crop)
    print(
        f"\n## Views of script pages\n\nUncompressed grey TIFF pages of CLaMM's size, "
        f"{GREY_WIDTH}×{GREY_HEIGHT} pixels (300 dpi), and twice as long and wide.\nPacking "
        f"shrinks the shorter side to {side} pixels. A view is decoding or the packed page, then "
        f"`augment` to {schedule.crop} pixels.\n\n"
        "| page | TIFF, MB | packed, MB | packing, pages/s | views/s, packed | views/s, decoded "
        "| decoded / packed |\n|:--|--:|--:|--:|--:|--:|--:|"
    )
    for scale in (1, 2):
        part = folder / f"grey{scale}"
        files = write_grey_pages(part, PAGES, scale=scale)
        pages = [Page(file.name, "", "train") for file in files]
        packed = folder / f"packed{scale}"
        packed.mkdir()
        pack_pages(part, pages, packed, side=side, negative="never", workers=1)
        store = PageStore(packed / "train.raw", packed / "train.csv")
        rng = np.random.default_rng(0)

        def decoded(files: list[Path] = files, rng: np.random.Generator = rng) -> None:
            augment(read_gray(files[rng.integers(PAGES)]), rng, settings)

        def from_store(store: PageStore = store, rng: np.random.Generator = rng) -> None:
            augment(store[int(rng.integers(PAGES))], rng, settings)

        def pack(part: Path = part, pages: list[Page] = pages, packed: Path = packed) -> None:
            pack_pages(part, pages, packed, side=side, negative="never", workers=1)

        runs: list[Callable[[], None]] = [decoded, from_store]
        (packing,) = milliseconds([pack], 3, least=0)
        decoding, reading = milliseconds(runs, rounds, least=0.3)
        before = sum(file.stat().st_size for file in files) / PAGES
        after = (packed / "train.raw").stat().st_size / PAGES
        print(
            f"| {scale * GREY_WIDTH}×{scale * GREY_HEIGHT} | {before / 1e6:.1f} "
            f"| {after / 1e6:.1f} | {1000 * PAGES / median(packing):.0f} "
            f"| {1000 / median(reading):.0f} | {1000 / median(decoding):.0f} "
            f"| {ratio(decoding, reading):.1f} |"
        )
