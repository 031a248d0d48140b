"""The table of measured boards: rows keep what they promise, the README holds them as they are, a row not run says so."""

import json

import boards
import pytest

ROWS = sorted((boards.RESULTS / "boards").glob("*.json"))


@pytest.mark.parametrize("path", ROWS, ids=lambda path: path.stem)
def test_committed_rows_keep_the_promises(path):
    row = json.loads(path.read_text())
    assert path.stem == f"{row['board']}-{row['seed']}"
    assert row["spikes_differ"] == 0 and row["limits_exceeded"] == 0 and 0.5 < row["test_accuracy"] <= 1
    assert {"date", "cpu", "cores", "threads", "versions"} <= set(row["circumstances"])
    assert ("on" in row) == (row["board"] == "ideal")
    for moved in row.get("on", {}).values():
        assert 0 < moved["words_left"] < moved["words"]


def test_the_readme_holds_the_table_of_the_results():
    text = (boards.RESULTS.parent / "README.md").read_text()
    assert f"{boards.START}\n{boards.table()}\n{boards.END}" in text


def test_a_board_not_run_says_so(monkeypatch):
    monkeypatch.setattr(boards, "found", lambda board: [])
    assert boards.table().count("not run") == 3
