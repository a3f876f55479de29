"""The benchmarks still run, at toy size; what they measure is in reports/benchmarks."""

import os
import sys

import numpy as np
import pytest
import torch

from dgmp.encoding import VLAD
from dgmp.encoding.local_descriptors import DescribedPage
from tests.benchmarks import (
    bench_allocator,
    bench_chain,
    bench_describe,
    bench_extraction,
    bench_metrics,
    bench_parts,
    bench_pooling,
    bench_reading,
    bench_residuals,
    bench_search,
    bench_solvers,
    bench_views,
)


@pytest.mark.slow
def test_smoke_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench_extraction, "PAGES", 2)
    monkeypatch.setattr(bench_extraction, "COPIES", 1)
    monkeypatch.setattr(bench_extraction, "CORNERS", bench_extraction.CORNERS[:2])
    monkeypatch.setattr(bench_views, "PAGES", 1)
    store = bench_extraction.report(tmp_path, 1)
    bench_reading.report(store, tmp_path, 1)
    bench_views.report(tmp_path, 1)
    said = capsys.readouterr().out
    for section in ("## Patch extraction", "Floor.", "## Random reads", "## Views of script pages"):
        assert section in said


def test_smoke_encoding(tmp_path, monkeypatch, capsys):
    toy = {"COUNTS": {"train": 20, "test": 10}, "DESCRIPTORS": 100, "CENTRES": 4}
    toy |= {"SVM_WIDTH": 40, "SVM_COMPARED": 2, "LARGE": 20, "LARGE_TRAINING": 15}
    for name, value in (toy | {"LARGE_WIDTH": 30}).items():
        monkeypatch.setattr(bench_chain, name, value)
    # Not in a process of its own, which would not have the toy sizes.
    monkeypatch.setattr(bench_chain, "alone", bench_chain._with_peak)
    monkeypatch.setattr(bench_residuals, "SHAPES", [(150, 8)])
    monkeypatch.setattr(bench_residuals, "PRODUCT", 8)
    monkeypatch.setattr(bench_describe, "ENLARGED", (0.25,))
    monkeypatch.setattr(bench_describe, "PAGES", 2)
    monkeypatch.setattr(bench_describe, "PROCESSES", 1)
    bench_residuals.report(1)
    bench_describe.report(1)
    bench_chain.report(tmp_path / "writers", 1)
    said = capsys.readouterr().out
    for row in ("| 150, 8 |", "| 120×104 |", "| encode all pages |", "| 1.0000", "| 15 | ours |"):
        assert row in said


def test_ways_that_differ_are_refused():
    rows = np.eye(3)
    bench_residuals.require_same([rows, rows + 1e-6], rows)
    with pytest.raises(ValueError, match="way 1 differs"):
        bench_residuals.require_same([rows, rows + 1e-3], rows)


def test_smoke_search(monkeypatch, capsys):
    monkeypatch.setattr(bench_search, "SPLICES", 2)
    monkeypatch.setattr(bench_search, "HALVES", 1)
    rng = np.random.default_rng(0)
    labels, places = [], []
    for hand in range(6):
        style = rng.integers(0, 200, (8, 128))
        for _ in range(3):
            labels.append(f"h{hand}")
            sift = style[rng.integers(8, size=90)] + rng.integers(0, 55, (90, 128))
            places.append(
                DescribedPage(
                    sift.astype(np.uint8),
                    rng.uniform(0, 999, (90, 2)).astype(np.float32),
                    rng.uniform(2, 9, 90).astype(np.float32),
                )
            )
    vlad = VLAD(centres=8, dimensions=8, pooling="gmp", residuals="unit")
    bench_search.report(places, labels, vlad)
    said = capsys.readouterr().out
    bench_search.scale(30, 4)
    assert "30 made-up pages" in capsys.readouterr().out
    for row in ("18 of 18 pages by 6 hands", "| groups: adjusted Rand", "| evidence for a pair"):
        assert row in said
    monkeypatch.setattr(bench_parts, "PAGES", {6: 2})
    monkeypatch.setattr(bench_parts, "HANDS", ((4, 3, 2),))
    monkeypatch.setattr(bench_parts, "AMOUNTS", (80,))
    monkeypatch.setattr(bench_parts, "new_vlad", lambda: vlad)
    bench_parts.few_pages(places, labels)
    bench_parts.few_hands(places, labels)
    said = capsys.readouterr().out
    assert "\n| 6 | " in said
    assert "\n| 80 | " in said


def test_parts_of_a_collection_have_so_many_pages_and_hands():
    names = np.repeat([f"h{i}" for i in range(30)], 4)
    for seed in range(5):
        rows = bench_parts.drawn_pages(names, 13, np.random.default_rng(seed))
        assert len(set(rows.tolist())) == 13
        assert np.unique(names[rows], return_counts=True)[1][:-1].max() <= 4
        rows = bench_parts.drawn_hands(names, 7, 2, np.random.default_rng(seed))
        counts = np.unique(names[rows], return_counts=True)[1]
        assert len(counts) == 7
        assert counts.max() <= 2


def test_smoke_metrics(monkeypatch, capsys):
    monkeypatch.setattr(bench_metrics, "COMPARED", [(20, 4)])
    bench_metrics.report_speed(1)
    assert capsys.readouterr().out.count("20, 4") == 2


def test_smoke_pooling(monkeypatch, capsys):
    monkeypatch.setattr(bench_pooling, "SHAPES", [(2, 8, 4)])
    monkeypatch.setattr(bench_pooling, "SWEEP_SIZES", [1, 2])
    bench_pooling.report_shapes(1)
    bench_pooling.report_sweep(1)
    said = capsys.readouterr().out
    assert "| 2, 8, 4 |" in said
    assert "Smallest of the 16 ratios" in said


def test_large_batches_of_large_volumes_are_left_out():
    shapes = set(bench_pooling.sweep_shapes())
    assert {(8, 2048, 2048), (256, 2048, 1), (64, 1, 64)} <= shapes
    assert not {(64, 2048, 64), (256, 1, 128)} & shapes


def test_smoke_solvers(monkeypatch, capsys):
    monkeypatch.setattr(bench_solvers, "SHAPES", [(2, 8, 20), (1, 20, 8)])
    monkeypatch.setattr("sys.argv", ["bench_solvers", "--rounds", "1"])
    threads = torch.get_num_threads()
    bench_solvers.main()
    torch.set_num_threads(threads)
    rows = capsys.readouterr().out.splitlines()[-2:]
    assert [row.split(" | ")[0] for row in rows] == ["| 2, 8, 20", "| 1, 20, 8"]
    # 128 steps are more than a system of 8 needs.
    assert all(float(row.rsplit("(", 1)[1].split(")")[0]) < 1e-4 for row in rows)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the variables are those of glibc")
def test_smoke_allocator(monkeypatch, capsys):
    monkeypatch.setattr(bench_allocator, "SHAPES", [(2, 8, 20)])
    bench_allocator.report(1)
    rows = [row.split(" | ") for row in capsys.readouterr().out.splitlines()[2:]]
    assert [row[:2] for row in rows] == [["| 2, 8, 20", "as it is"], ["| 2, 8, 20", "kept"]]
    assert all(float(cell.rstrip(" |")) > 0 for row in rows for cell in row[2:])
    assert not set(bench_allocator.MEMORY["kept"]) & set(os.environ)
