"""The former name of `dgmp.pooling.functional`."""

from dgmp.pooling.functional import *  # noqa: F403
