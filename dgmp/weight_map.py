"""The former name of `dgmp.analysis.weight_map`."""

from dgmp.analysis.weight_map import *  # noqa: F403
