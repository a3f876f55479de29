"""Synthetic manuscript pages: twelve script types, scribes with a hand of their own, and pages.

>>> import numpy as np
>>> rng = np.random.default_rng(7)
>>> scribe = draw_scribe("Caroline", rng)
>>> write_page(scribe, rng, height=96, width=128, line_pitch=24).shape
(96, 128)
"""

from dgmp.scribes.page import write_page
from dgmp.scribes.scribe import Scribe, draw_scribe
from dgmp.scribes.script_types import SCRIPT_TYPES
from dgmp.scribes.variation import Variation

__all__ = ["SCRIPT_TYPES", "Scribe", "Variation", "draw_scribe", "write_page"]
