"""Input events into each chip, counted by hand, against what a board can send."""

import numpy as np
from handmade_tables import handmade, make_chip, random_events, random_tables, tables_of

from neuro.tables.traffic import input_traffic, stimulus_events


def test_events_by_hand():
    """Channel 0 goes to chip 0, channel 1 to chips 0 and 1, channel 2 to chip 1; a step is 1 ms."""
    manifest, rows = handmade()
    manifest["chip"] = make_chip(inputs={"events_per_step": 2, "channels": 3, "events_per_s": 2500.0})
    x = np.zeros((4, 2, 3))
    x[0, 0] = [2, 1, 0]
    x[3, 1] = [0, 0, 1]
    first, second = input_traffic(tables_of(manifest, rows), x)
    assert (first.chip, first.channels, first.mean_hz, first.peak_hz, first.over) == (0, 2, 375.0, 3000.0, True)
    assert (second.chip, second.channels, second.mean_hz, second.peak_hz, second.over) == (1, 2, 250.0, 1000.0, False)
    assert "a rate of 3,000 a second in the busiest step, allowed 2,500 a second; too many" in str(first)
    assert stimulus_events(tables_of(manifest, rows), x) == 4


def test_counts_agree_with_loops():
    for seed in range(5):
        tables = random_tables(seed)
        x = random_events(tables, seed)
        names = list(tables.input_channels)
        found = {t.chip: t for t in input_traffic(tables, x)}
        total = np.zeros(2)
        for row in tables.frames["inputs"].drop_duplicates().to_dict("records"):
            total += x[names[row["input"]]][:, :, row["channel"]].sum(0)
        assert stimulus_events(tables, x) == (total.max() if found else 0)
        for chip, t in found.items():
            rows = tables.frames["inputs"].to_dict("records")
            rows = [r for r in rows if r["target_chip"] == chip]
            sent = sum(x[names[r["input"]]][:, :, r["channel"]] for r in rows)
            assert (t.mean_hz, t.peak_hz) == (float((sent / 1e-3).mean()), float((sent / 1e-3).max()))
            assert t.allowed_hz is None and not t.over
