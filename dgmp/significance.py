"""The former name of `dgmp.analysis.randomization_test`."""

from dgmp.analysis.randomization_test import *  # noqa: F403
