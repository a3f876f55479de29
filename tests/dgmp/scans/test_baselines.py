"""Baselines of made-up layouts in ALTO of several versions and in PAGE XML."""

import numpy as np
import pytest

from dgmp.scans.baselines import Baselines, read_baselines

ALTO = "http://www.loc.gov/standards/alto/ns-v{}#"
PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"


def alto(blocks: str, version: int = 4, tags: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><alto xmlns="{ALTO.format(version)}">'
        f"<Tags>{tags}</Tags><Layout><Page WIDTH='800' HEIGHT='1000'><PrintSpace>{blocks}"
        "</PrintSpace></Page></Layout></alto>"
    ).encode()


def told(found: Baselines) -> list[tuple[str, list[list[list[float]]]]]:
    return [(block.kind, [line.tolist() for line in block.baselines]) for block in found.blocks]


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("text", ["1 2 30 4.5", "1,2 30,4.5"])
def test_alto_of_all_versions(version, text):
    tags = '<OtherTag ID="t1" LABEL="MainZone"/><OtherTag ID="t2" LABEL="NumberingZone"/>'
    blocks = (
        f'<TextBlock TAGREFS="t1"><TextLine BASELINE="{text}"/><TextLine/></TextBlock>'
        '<ComposedBlock><TextBlock TAGREFS="t2 unknown"><TextLine BASELINE="5 6 7 8 9 10"/>'
        "</TextBlock></ComposedBlock><TextBlock/>"
    )
    found = read_baselines(alto(blocks, version, tags))
    assert found.width == 800
    assert told(found) == [
        ("mainzone", [[[1, 2], [30, 4.5]]]),
        ("numberingzone", [[[5, 6], [7, 8], [9, 10]]]),
        ("", []),
    ]


def test_a_mere_height_is_no_baseline():
    lines = '<TextLine BASELINE="412"/><TextLine BASELINE=""/><TextLine BASELINE="3,4"/>'
    assert told(read_baselines(alto(f"<TextBlock>{lines}</TextBlock>", 3))) == [("", [])]


def test_page_xml():
    text = (
        f'<PcGts xmlns="{PAGE}"><Page imageWidth="600" imageHeight="9">'
        '<TextRegion type="marginalia" custom="structure {type:MarginTextZone;}">'
        '<Coords points="0,0 9,0 9,9"/>'
        '<TextLine><Coords points="0,0 9,0 9,9"/><Baseline points="1,2 3,4"/></TextLine>'
        "</TextRegion></Page></PcGts>"
    )
    found = read_baselines(text.encode())
    assert found.width == 600
    assert told(found) == [("marginalia structure {type:margintextzone;}", [[[1, 2], [3, 4]]])]


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        (b"<alto", "unclosed token"),
        (b"<html/>", "its root is html"),
        (b'<!DOCTYPE alto [<!ENTITY a "b">]><alto/>', "document type"),
        (alto('<TextBlock><TextLine BASELINE="1 2 3 4 5"/></TextBlock>'), "5 coordinates"),
        (alto('<TextBlock><TextLine BASELINE="1 2 3 nan"/></TextBlock>'), "no finite number"),
        (alto('<TextBlock><TextLine BASELINE="1 2 3 x"/></TextBlock>'), "could not convert"),
    ],
)
def test_errors(layout, reason):
    with pytest.raises(ValueError, match=rf"no PAGE XML or ALTO that can be read .*{reason}"):
        read_baselines(layout)


def test_a_layout_without_a_size_has_width_zero():
    found = read_baselines(b"<alto><Layout><Page><TextBlock/></Page></Layout></alto>")
    assert found.width == 0
    assert np.array_equal(found.blocks[0].baselines, [])
