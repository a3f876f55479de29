"""A vocabulary of pages of synthetic scribes, for collections too small for one of their own."""

from __future__ import annotations

from pathlib import Path

from dgmp.encoding import VLAD, load

FOLDER = Path(__file__).parent / "background_model"


def background_vlad() -> VLAD:
    """The encoder that `pipeline.tools.fit_background` fitted."""
    found: VLAD = load(FOLDER)
    return found
