from pathlib import Path

import numpy as np
import pytest

from dgmp.scans.layout import text_mask
from dgmp.scans.scan import Scan

PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"


def mask(tmp_path: Path, text: str | bytes, shape: tuple[int, int]) -> np.ndarray | None:
    file = tmp_path / "page.xml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return text_mask(Scan("page", tmp_path / "page.png", layout=file), shape)


def boxes(shape: tuple[int, int], *those: tuple[int, int, int, int]) -> np.ndarray:
    """Oracle: x, y, width, height of boxes as a mask; the edges of areas belong to them."""
    found = np.zeros(shape, bool)
    for x, y, width, height in those:
        found[y : y + height, x : x + width] = True
    return found


def page_xml(*points: str, namespace: str = PAGE, size: str = "") -> str:
    """Regions and lines in turn, one in the other."""
    region = "".join(f'<TextLine><Coords points="{p}"/></TextLine>' for p in points[1:])
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><PcGts xmlns="{namespace}"><Page {size}>'
        f'<TextRegion id="r"><Coords points="{points[0]}"/>{region}</TextRegion>'
        '<ImageRegion><Coords points="0,0 99,0 99,99 0,99"/></ImageRegion></Page></PcGts>'
    )


@pytest.mark.parametrize("year", ["2013-07-15", "2019-07-15"])
def test_page_xml_marks_regions_and_lines(tmp_path, year):
    text = page_xml(
        "10,20 29,20 29,49 10,49",
        "40,60 49,60 49,69 40,69",
        "20,30 34,30 34,39 20,39",
        namespace=PAGE.replace("2019-07-15", year),
    )
    found = mask(tmp_path, text, (100, 80))
    expected = boxes((100, 80), (10, 20, 20, 30), (40, 60, 10, 10), (20, 30, 15, 10))
    np.testing.assert_array_equal(found, expected)


def test_old_page_xml_has_points_as_elements(tmp_path):
    points = "".join(f'<Point x="{x}" y="{y}"/>' for x, y in [(2, 3), (5, 3), (5, 8), (2, 8)])
    text = f'<PcGts xmlns="x/2010"><Page><TextRegion><Coords>{points}</Coords></TextRegion></Page>'
    found = mask(tmp_path, f"{text}</PcGts>", (10, 10))
    np.testing.assert_array_equal(found, boxes((10, 10), (2, 3, 4, 6)))


def test_oracle_polygons_by_the_rule_of_half_planes(tmp_path):
    found = mask(tmp_path, page_xml("10,10 90,10 10,90"), (100, 100))
    y, x = np.mgrid[:100, :100]
    np.testing.assert_array_equal(found, (x >= 10) & (y >= 10) & (x + y <= 100))


def test_layouts_are_scaled_to_the_page(tmp_path):
    text = page_xml("20,40 60,40 60,100 20,100", size='imageWidth="200" imageHeight="400"')
    found = mask(tmp_path, text, (100, 100))
    np.testing.assert_array_equal(found, boxes((100, 100), (10, 10, 21, 16)))


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("points", ["10,10 29,10 29,19 10,19", "10 10 29 10 29 19 10 19"])
def test_alto_marks_blocks_and_lines(tmp_path, version, points):
    text = (
        f'<alto xmlns="http://www.loc.gov/standards/alto/ns-v{version}#"><Description>'
        "<MeasurementUnit>pixel</MeasurementUnit></Description><Layout>"
        '<Page WIDTH="100" HEIGHT="80"><PrintSpace HPOS="0" VPOS="0" WIDTH="100" HEIGHT="80">'
        f'<TextBlock><Shape><Polygon POINTS="{points}"/></Shape>'
        '<TextLine HPOS="50" VPOS="40" WIDTH="20" HEIGHT="8"/></TextBlock>'
        "</PrintSpace></Page></Layout></alto>"
    )
    found = mask(tmp_path, text, (80, 100))
    np.testing.assert_array_equal(found, boxes((80, 100), (10, 10, 20, 10), (50, 40, 21, 9)))


def test_alto_in_tenths_of_millimetres(tmp_path):
    unit = "<MeasurementUnit>mm10</MeasurementUnit>"
    block = '<TextBlock HPOS="500" VPOS="1000" WIDTH="1000" HEIGHT="500"/>'
    text = f'<alto>{unit}<Page WIDTH="2000" HEIGHT="3000">{block}</Page></alto>'
    found = mask(tmp_path, text, (300, 200))
    np.testing.assert_array_equal(found, boxes((300, 200), (50, 100, 101, 51)))
    with pytest.raises(ValueError, match="counts in mm10 and does not tell the size of the page"):
        mask(tmp_path, f"<alto>{unit}<Page>{block}</Page></alto>", (300, 200))


def test_coordinates_beyond_the_page_are_cut(tmp_path):
    found = mask(tmp_path, page_xml("-50,-9 1e9,-9 1e9,4 -50,4"), (10, 10))
    np.testing.assert_array_equal(found, boxes((10, 10), (0, 0, 10, 5)))


def test_no_layout_and_no_text_regions(tmp_path):
    assert text_mask(Scan("page", tmp_path / "page.png"), (10, 10)) is None
    assert mask(tmp_path, "<PcGts><Page/></PcGts>", (10, 10)) is None
    assert mask(tmp_path, "<PcGts><TextRegion/></PcGts>", (10, 10)) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_not_expanded(tmp_path, encoding):
    text = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbb">]><PcGts>&b;</PcGts>'
    with pytest.raises(ValueError, match="it has a document type"):
        mask(tmp_path, text.encode(encoding), (10, 10))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<PcGts><Page>", "no element found"),
        ("", "no element found"),
        ("<TEI/>", "its root is TEI"),
        (page_xml("1,2 3"), "3 coordinates make no points"),
        (page_xml("1,2 3,nan"), "a coordinate is no finite number"),
        (page_xml("1,2 a,b"), "could not convert string to float"),
        ('<alto><TextLine HPOS="" VPOS="1" WIDTH="1" HEIGHT="1"/></alto>', "could not convert"),
    ],
)
def test_bad_input(tmp_path, text, reason):
    with pytest.raises(ValueError, match=reason) as error:
        mask(tmp_path, text, (10, 10))
    assert "page.xml is no PAGE XML or ALTO" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_layout_that_vanished(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.xml is no PAGE XML"):
        text_mask(Scan("page", tmp_path / "a.png", layout=tmp_path / "gone.xml"), (10, 10))
