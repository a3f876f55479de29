"""The former name of `dgmp.analysis.nearest_pages`."""

from dgmp.analysis.nearest_pages import *  # noqa: F403
