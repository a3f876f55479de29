import unicodedata
from pathlib import Path

import pytest

from pipeline.preparation.label_csv import PageFinder, page_path, read_table

COLUMNS = ("file", "label", "split")
NFC, NFD = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
TABLE = f"file,label,split\nb/a 1.png,{NFC}va,train\nc.png,x,test\n"
ROWS = [
    (2, {"file": "b/a 1.png", "label": f"{NFC}va", "split": "train"}),
    (3, {"file": "c.png", "label": "x", "split": "test"}),
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le with mark"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_oracle_lists_as_spreadsheets_save_them(tmp_path, encoding, separator, ending):
    text = TABLE.replace(",", separator).replace("\n", ending)
    name, _, mark = encoding.partition(" ")
    (tmp_path / "l.csv").write_bytes((f"\ufeff{text}" if mark else text).encode(name))
    assert read_table(tmp_path / "l.csv", COLUMNS) == ROWS


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\n" + TABLE.replace(",", ";"),
        TABLE.replace("file,label", " File ,LABEL").replace("x,", " x ,"),
        TABLE + ",,\n\n , ,\n",
        TABLE.replace(NFC, NFD),
        TABLE.replace("file,label,split", '"file","label","split"').replace("c.png", '"c.png"'),
        TABLE.replace("\n", ",a;b;c\n"),
        TABLE.replace(",", ";").replace("\n", ";a,b,c\n"),
    ],
)
def test_oracle_harmless_differences(tmp_path, text):
    (tmp_path / "l.csv").write_text(text, encoding="utf-8")
    shift = text.startswith("sep=")
    rows = [(line + shift, cells) for line, cells in ROWS]
    assert read_table(tmp_path / "l.csv", COLUMNS) == rows


def test_oracle_optional_column(tmp_path):
    (tmp_path / "l.csv").write_text("file;Group;label;split\na;g,1;x;test", encoding="utf-8")
    cells = {"file": "a", "label": "x", "split": "test"}
    assert read_table(tmp_path / "l.csv", COLUMNS) == [(2, cells)]
    assert read_table(tmp_path / "l.csv", COLUMNS, "more") == [(2, cells)]
    assert read_table(tmp_path / "l.csv", COLUMNS, "group") == [(2, cells | {"group": "g,1"})]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (TABLE.encode("cp1252"), "not a csv in UTF-8 .*: save it as “CSV UTF-8”"),
        (b"PK\x03\x04\xff", "not a csv in UTF-8 .*: save it as “CSV UTF-8”"),
        (TABLE.encode("utf-16-le"), r"not a csv in UTF-8 .*: save it as “CSV UTF-8”"),
        (b"file|label|split\na|b|c", r"no column file, label, split; it has file\|label\|split, "),
        (b"file;label\na;b", r"no column split; it has file, label, wanted: file,label,split "),
        (b"file,label,split,Label\na,b,c,d", "two columns are named label: rename one"),
        (b"", "no column file, label, split; it has none"),
        (b"file,label,split\n,,\n", "has no rows"),
    ],
)
def test_errors_are_one_line(tmp_path, data, message):
    (tmp_path / "l.csv").write_bytes(data)
    with pytest.raises(ValueError, match=message) as error:
        read_table(tmp_path / "l.csv", COLUMNS)
    assert "\n" not in str(error.value)


def folder_of(tmp_path: Path, *files: str) -> PageFinder:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    return PageFinder(tmp_path)


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("a/Page.jpg", ["a/Page.jpg"]),
        ("A/page.JPG", ["a/Page.jpg"]),
        (f"a/{NFD}.png", [f"a/{NFC}.png"]),
        (f"a/{NFC}2.png", [f"a/{NFD}2.png"]),
        (f"a/{NFC.upper()}2.PNG", [f"a/{NFD}2.png"]),
        ("twice/x.png", ["twice/x.png"]),
        ("twice/X.PNG", ["twice/X.png", "twice/x.png"]),
        (f"both/{NFC}.png", [f"both/{NFC}.png"]),
        (f"both/{NFC.upper()}.png", [f"both/{NFD}.png", f"both/{NFC}.png"]),
        ("a/scan.TIF#02", ["a/scan.tif#2"]),
        ("a/scan.tif#x", []),
        ("a/literal#2", ["a/literal#2"]),
        ("a/gone.png", []),
        ("gone/page.jpg", []),
        ("a", []),
    ],
)
def test_oracle_names_on_disk(tmp_path, file, found):
    names = ("a/Page.jpg", f"a/{NFC}.png", f"a/{NFD}2.png", "a/scan.tif", "a/literal#2")
    both = (f"both/{NFC}.png", f"both/{NFD}.png")
    finder = folder_of(tmp_path, *names, "twice/x.png", "twice/X.png", *both)
    assert finder.find(file) == found


def test_oracle_backslashes(tmp_path):
    assert page_path(r"images\a\b.png", tmp_path) == "images/a/b.png"
    (tmp_path / r"odd\name.png").touch()
    assert page_path(r"odd\name.png", tmp_path) == r"odd\name.png"
