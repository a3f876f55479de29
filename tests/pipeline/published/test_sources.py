from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.published.sources import Found, load_sources, read_found, record_found

FILE = Path(__file__).parents[3] / "data" / "sources.yaml"
SUM = f"sha256:{'0' * 64}"


def test_oracle_the_paper_s_numbers_of_pages():
    pages = {
        data.name: {part.split: part.pages for part in data.parts}
        for data in load_sources(FILE).sets.values()
    }
    assert pages == {
        "ICDAR17-WI": {"train": 1182, "test": 3600},
        "CLaMM16": {"train": 1796, "val": 204, "test": 1000},
        "CLaMM17": {"train": 3179, "val": 361, "test": 2000},
    }


def test_property_lists_and_weights_are_pinned_and_https_comes_first():
    sources = load_sources(FILE)
    for name in [*sources.lists, *sources.weights.values()]:
        assert sources.files[name].checksum, name
        assert sources.files[name].bytes, name
    for file in sources.files.values():
        assert file.urls[0].startswith("https://")
    for name in sources.archives:
        assert len(sources.files[name].urls) > 1, name


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("files.ICFHR2016_CLaMM_task1.zip", "checksum", "md5:12", "String should match pattern"),
        ("files.ICFHR2016_CLaMM_task1.zip", "urls", ["ftp://x/y"], "String should match pattern"),
        ("files.ICFHR2016_CLaMM_task1.zip", "url", "https://x/y", "unknown key; allowed here: "),
        ("files.ICFHR2016_CLaMM_task1.zip", "origin", "nobody", "'nobody' is not one of origins"),
        ("files.ICFHR2016_CLaMM_task1.zip", "folder", None, "needs the name of its top folder"),
        (None, "weights", {"resnet50": "x.pth"}, "'x.pth' is used, but not one of files"),
        ("sets.scripts_a", "classes", ["Caroline"], "pages_per_label needs a number for each"),
    ],
)
def test_errors_name_the_key(tmp_path, section, key, value, message):
    content: Any = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    kind, _, name = (section or "").partition(".")
    (content[kind][name] if section else content)[key] = value
    file = tmp_path / "sources.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as raised:
        load_sources(file)
    assert str(file) in str(raised.value)


def test_errors_absent_and_broken(tmp_path):
    with pytest.raises(ValueError, match="is missing: run from the top of the repository"):
        load_sources(tmp_path / "sources.yaml")
    (tmp_path / "sources.yaml").write_text("files: [", encoding="utf-8")
    with pytest.raises(ValueError, match="is not valid YAML"):
        load_sources(tmp_path / "sources.yaml")
    (tmp_path / "checksums.yaml").write_text("a.zip: {bytes: 0}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"take .* back from git"):
        read_found(tmp_path / "checksums.yaml")


def test_property_what_is_recorded_is_read_again_and_adds_up(tmp_path):
    file = tmp_path / "checksums.yaml"
    assert read_found(file) == {}
    first, second = Found(bytes=1, checksum=SUM), Found(bytes=2, checksum=SUM, licence="cc-by-4.0")
    record_found("a.zip", first, file)
    record_found("b.zip", second, file)
    assert read_found(file) == {"a.zip": first, "b.zip": second}
    assert list(tmp_path.iterdir()) == [file]


def test_smoke_the_committed_checksums_are_read():
    read_found(FILE.with_name("checksums.yaml"))
