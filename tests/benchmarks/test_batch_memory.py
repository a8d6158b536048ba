"""Ten times the rows take no more memory, and the page's figures are made as it says."""

from pathlib import Path

import pytest

from benchmarks.batch import data, figures, measured, predictor

SMALL, LARGE = 20_000, 200_000


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    predictor(tmp_path / "saved")
    for rows in (SMALL, LARGE):
        data(tmp_path, rows)
    for kind in ("csv", "parquet"):
        small, large = (measured("one process", kind, tmp_path, rows)["memory"] for rows in (SMALL, LARGE))
        assert 0 < large <= 1.5 * small


@pytest.mark.slow
def test_the_table_of_figures_has_a_row_for_every_way(tmp_path: Path) -> None:
    predictor(tmp_path / "saved")
    lines = figures(tmp_path, (SMALL,), ("one process", "loop over read_csv"))
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "csv, one process",
        "csv, loop over read_csv",
        "parquet, one process",
    ]
    for line in lines[2:]:
        assert all(float(cell.replace(",", "")) > 0 for cell in line.split("|")[2:-1])
