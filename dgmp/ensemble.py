"""The former name of `dgmp.analysis.ensemble`."""

from dgmp.analysis.ensemble import *  # noqa: F403
