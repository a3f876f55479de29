"""The order of the tests, and where they compute."""

import os

# On the CPU, which they measure, also on a machine with a GPU.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
# There are as many processes as cores: one thread each, and threads that wait sleep.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_collection_modifyitems(items):
    # The longest first, so that processes that share the tests end at much the same time; those
    # after which a process cannot fork last.
    items.sort(key=lambda item: ("rehearsal" not in item.keywords, "compiler" in item.keywords))
