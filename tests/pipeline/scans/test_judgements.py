from pathlib import Path

import pytest

from dgmp.scans.scan import Scan
from pipeline.scans.judgements import read_judgements

SCANS = [Scan(name, Path(name)) for name in ("a", "b", "c")]


def read(tmp_path: Path, *lines: str) -> dict[tuple[int, int], bool]:
    file = tmp_path / "judged.csv"
    file.write_text("\n".join(("page,other,judgement", *lines)), encoding="utf-8-sig")
    return read_judgements(file, SCANS)


def test_pairs_by_rows_in_order(tmp_path):
    assert read(tmp_path, "c,a,same", "b,c, Different ") == {(0, 2): True, (1, 2): False}


def test_pages_of_another_search_are_left_out(tmp_path):
    assert read(tmp_path, "a,z,same", "a,a,same") == {}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("a,b,perhaps",), r"line 2: judgement is same or different, got 'perhaps'"),
        (("a,b,same", "b,a,different"), r"line 3: b and a are judged both ways"),
    ],
)
def test_errors_name_the_line(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, *lines)


def test_errors_a_missing_column(tmp_path):
    (tmp_path / "x.csv").write_text("page,other\na,b\n")
    with pytest.raises(ValueError, match="lacks judgement"):
        read_judgements(tmp_path / "x.csv", SCANS)


def test_errors_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"x\.csv cannot be read"):
        read_judgements(tmp_path / "x.csv", SCANS)
