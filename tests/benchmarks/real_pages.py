"""What only real pages can tell, as Markdown on standard output.

python -m tests.benchmarks.real_pages BINARY GREY

BINARY is a folder of one-bit pages for the edge filter, GREY one of grey script pages for the
filter and for the shrinking. A few minutes for a thousand pages.
"""

import argparse
import os
from pathlib import Path

# Before the imports, for the worker processes too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import skimage

from tests.benchmarks import edge_filter, page_shrinking


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("binary", type=Path)
    arguments.add_argument("grey", type=Path)
    options = arguments.parse_args()
    binary, grey = (sorted(folder.iterdir()) for folder in (options.binary, options.grey))
    settings = edge_filter.SETTINGS
    print(
        "# Measured on real pages\n\nThe edge filter keeps a patch of "
        f"{settings.size}×{settings.size} pixels (stride {settings.stride}) with more than "
        f"{settings.threshold:g} Canny edge pixels, sigma {settings.sigma:g}.\nThe authors' code "
        f"takes scikit-image's Canny (here {skimage.__version__}) of each patch alone, ours "
        f"OpenCV's ({cv2.__version__})\nof the whole page. Made by `make agreement`."
    )
    workers = os.cpu_count() or 1
    edge_filter.report("Edge filter, one-bit manuscript pages", binary, workers)
    edge_filter.report("Edge filter, grey script pages binarized by Otsu", grey, workers)
    page_shrinking.report(grey)


if __name__ == "__main__":
    main()
