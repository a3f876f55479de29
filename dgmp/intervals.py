"""The former name of `dgmp.analysis.bootstrap`."""

from dgmp.analysis.bootstrap import *  # noqa: F403
