"""The tables of a search, read again."""

import numpy as np
import pandas as pd

from pipeline.scans.tables import HITS, readable


def test_hits_come_back_as_they_were(report, made_up):
    table = pd.read_csv(report / "hits.csv", keep_default_na=False)
    assert tuple(table.columns) == HITS
    lists = {"other": made_up.findings.hits, "all": made_up.findings.hits_everywhere}
    names = [readable(scan.name) for scan in made_up.scans]
    for scope, hits in lists.items():
        of_scope = table[table["scope"] == scope]
        assert len(of_scope) == sum(map(len, hits)) > 0
        for row, of_row in enumerate(hits):
            read = of_scope[of_scope["page"] == names[row]]
            assert read["rank"].tolist() == list(range(1, len(of_row) + 1))
            assert read["hit"].tolist() == [names[hit.page] for hit in of_row]
            assert read["codex of hit"].tolist() == [made_up.scans[h.page].codex for h in of_row]
            assert read["grade"].tolist() == [hit.grade for hit in of_row]
            assert np.allclose(read["score"], [hit.score for hit in of_row], atol=1e-6)
            assert np.allclose(read["place"], [hit.place for hit in of_row], atol=1e-6)


def test_groups_are_numbered_from_one_and_empty_where_a_page_fits_nowhere(report, made_up):
    table = pd.read_csv(report / "groups.csv", dtype=str, keep_default_na=False)
    expected = [str(g + 1) if g >= 0 else "" for g in made_up.findings.groups]
    assert table["group"].tolist() == expected
    assert "" in expected
    assert table["hand known"].tolist() == [scan.hand for scan in made_up.scans]
    assert table["codex"].tolist() == [scan.codex for scan in made_up.scans]


def test_distances_need_no_pickle(report, made_up):
    with np.load(report / "distances.npz", allow_pickle=False) as archive:
        names, distances = archive["names"], archive["distances"]
    assert names.tolist() == [readable(scan.name) for scan in made_up.scans]
    assert distances.dtype == np.float32
    assert not distances.diagonal().any()
    off = ~np.eye(len(names), dtype=bool)
    assert np.allclose(distances[off], 1 - made_up.findings.scores[off])
