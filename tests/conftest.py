"""The order of the tests."""


def pytest_collection_modifyitems(items):
    # The longest first, so that processes that share the tests end at much the same time.
    items.sort(key=lambda item: "rehearsal" not in item.keywords)
