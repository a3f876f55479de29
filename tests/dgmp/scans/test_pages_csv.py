from pathlib import Path

import pytest
from PIL import Image

from dgmp.scans.listing import list_scans
from dgmp.scans.scan import Listing


@pytest.fixture
def scans(tmp_path) -> Path:
    folder = tmp_path / "scans"
    (folder / "b").mkdir(parents=True)
    for name in ("p1.png", "p2.png", "p10.png", "b/é.png"):
        Image.new("L", (3, 4)).save(folder / name)
    pages = [Image.new("L", (3, 4)) for _ in range(3)]
    pages[0].save(folder / "scan.tif", save_all=True, append_images=pages[1:])
    return folder


def listed(folder: Path, text: str | bytes, name: str = "pages.csv") -> Listing:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(data)
    return list_scans(str(folder), folder.parent / "downloads")


def told(listing: Listing) -> list[tuple[str, str, str, int, str]]:
    return [(s.name, s.codex, s.hand, s.order, s.note) for s in listing.scans]


def test_all_columns(scans):
    listing = listed(
        scans,
        "file,codex,hand,order,note\n"
        "p1.png,Clm 1,,10r,\n"
        'p2.png,Clm 1,A,2v,"a, b"\n'
        "scan.tif#2,Aug. 2,B,,x\n"
        "p10.png,Clm 1,A,2r,\n",
    )
    assert told(listing) == [
        ("scan.tif#2", "Aug. 2", "B", 0, "x"),
        ("p10.png", "Clm 1", "A", 0, ""),
        ("p2.png", "Clm 1", "A", 1, "a, b"),
        ("p1.png", "Clm 1", "", 2, ""),
    ]
    assert [s.page for s in listing.scans] == [2, 1, 1, 1]
    (refused,) = listing.refused
    assert (refused.name, refused.reason) == ("1 file", f"not in {scans / 'pages.csv'}: b/é.png")


def test_files_alone_keep_the_order_of_rows_and_their_folders(scans):
    listing = listed(scans, "file\np2.png\nb/é.png\nscan.tif\np1.png\n")
    assert told(listing) == [
        ("b/é.png", "b", "", 0, ""),
        ("scan.tif#1", "scan", "", 0, ""),
        ("scan.tif#2", "scan", "", 1, ""),
        ("scan.tif#3", "scan", "", 2, ""),
        ("p2.png", "scans", "", 0, ""),
        ("p1.png", "scans", "", 1, ""),
    ]


@pytest.mark.parametrize(
    "data",
    [
        "\ufefffile,hand\r\nb/é.png,Ä\r\n",
        "file;hand\n\nb/é.png;Ä\n;\n",
        "File;Hand;\nb\\é.png;Ä;\n",
        "file,hand\nb/e\u0301.png,Ä",
    ],
)
def test_spellings_of_spreadsheets(scans, data):
    (scan,) = listed(scans, data).scans
    assert (scan.name, scan.hand) == ("b/é.png", "Ä")


def test_a_csv_as_source(scans):
    (scans / "mine.csv").write_text("file\np1.png\n")
    listing = list_scans(str(scans / "mine.csv"), scans / "downloads")
    assert [scan.name for scan in listing.scans] == ["p1.png"]


def test_a_page_that_cannot_be_read_is_refused(scans):
    (scans / "p1.png").write_bytes(b"")
    listing = listed(scans, "file\np1.png\np2.png\n")
    assert [scan.name for scan in listing.scans] == ["p2.png"]
    assert listing.refused[0].name == "p1.png"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\np1.png\nabsent.png\n\ngone.png\n", r"line 3: absent\.png is missing \(and 1 other"),
        ("file\np1.png\nb\n", "line 3: b is missing"),
        ("file,writer\np1.png,A\n", "line 1: unknown column writer; wanted: file,codex,hand"),
        ("codex\nA\n", "line 1: no column file; wanted: file,codex"),
        ("", "no column file"),
        ("file\n", "has no rows: add one for each page"),
        ("file,file\np1.png,p1.png\n", "line 1: a column is there twice"),
        ("file\np1.png\np2.png\np1.png\n", "line 4: p1.png is named in line 2 already"),
        ("file\nscan.tif#2\nscan.tif\n", "line 2: all pages of scan.tif are named in line 3"),
        ("file\nscan.tif#7\n", "line 2: scan.tif has no page 7, but 3 pages: correct"),
        ("file,hand\n,A\n", "line 2: no file is named"),
        ("file,note\np1.png,a,b\n", "line 2: more cells than columns: quote cells that hold a ,"),
        (b"file\n\xff\xfe.png\n", "is not in UTF-8: save it as"),
    ],
)
def test_bad_input(scans, text, message):
    with pytest.raises(ValueError, match=message) as error:
        listed(scans, text)
    assert str(error.value).startswith(str(scans / "pages.csv"))
    assert "\n" not in str(error.value)
