"""Pictures of runs and sweeps: what they draw is what tables and networks hold."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neuro
from neuro.descriptor import NOT_REAL, REAL
from neuro.errors import DataError, RunError
from neuro.evaluation import usage
from neuro.reports.codes import signed_codes
from neuro.reports.fronts import over_seeds, pareto
from neuro.reports.memory import core_words, words_of
from neuro.reports.run_plots import RUN_PLOTS, draw_usage
from neuro.runs.picture import figure

MAGIC = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=9)


@pytest.fixture(scope="module")
def table():
    rows = [
        {"trial": n, "state": "complete", "reason": "", "task": "t", "chip": "c", "chip_is": REAL, "chip.slots": slots}
        | {"seed": seed, "slots_mean": slots - 0.5, "test_accuracy": 0.01 * slots + 0.1 * seed, "run": f"runs/{n:04d}"}
        for n, (slots, seed) in enumerate(itertools.product((4, 8), (0, 1)))
    ]
    return pd.DataFrame(rows)


@given(POINTS, st.booleans(), st.booleans())
def test_the_front_is_what_nothing_beats(points, more_x, more_y):
    x, y = np.array(points).T
    sign = (-1 if more_x else 1), (-1 if more_y else 1)

    def beats(a, b):
        better = [s * a[i] <= s * b[i] for i, s in enumerate(sign)]
        return all(better) and a != b

    wanted = [not any(beats(other, point) for other in points) for point in points]
    assert pareto(x, y, more_x, more_y).tolist() == wanted


def test_seeds_are_averaged(table):
    points = over_seeds(table, "slots_mean", "test_accuracy")
    assert points["chip.slots"].tolist() == [4, 8] and points.runs.tolist() == [2, 2]
    np.testing.assert_allclose(points.test_accuracy_mean, [0.09, 0.13])
    np.testing.assert_allclose(points.test_accuracy_sd, [0.1 / 2**0.5] * 2)


def test_a_trade_off_draws_the_means_and_a_front_every_run(table):
    line = neuro.reports.tradeoff(table).axes[0].containers[0].lines[0]
    np.testing.assert_allclose(line.get_xydata(), [[3.5, 9], [7.5, 13]])
    drawn = neuro.reports.front(table).axes[0].lines
    np.testing.assert_allclose(drawn[0].get_xydata(), [[3.5, 4], [3.5, 14], [7.5, 8], [7.5, 18]])
    np.testing.assert_allclose(drawn[1].get_xydata(), [[3.5, 14], [7.5, 18]])


def test_points_of_a_changed_chip_are_hollow_and_named(table):
    for draw in (neuro.reports.tradeoff, neuro.reports.front):
        assert NOT_REAL not in str(texts(draw(table)))
    some = table.assign(chip_is=[NOT_REAL if slots == 4 else REAL for slots in table["chip.slots"]])
    ax = neuro.reports.tradeoff(some).axes[0]
    assert f"hollow: {NOT_REAL}" in texts(ax.figure)
    (hollow,) = [line for line in ax.lines if line.get_mfc() == "white" and len(line.get_xdata())]
    np.testing.assert_allclose(hollow.get_xydata(), [[3.5, 9]])
    assert hollow.get_zorder() > ax.containers[0].lines[0].get_zorder()
    ax = neuro.reports.front(some).axes[0]
    assert {f"c ({NOT_REAL})", "c"} < set(texts(ax.figure))
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[3.5, 4], [3.5, 14]])
    assert [line.get_mfc() == "none" for line in ax.lines[:2]] == [True, False]


def texts(fig) -> list[str]:
    (legend,) = [ax.get_legend() for ax in fig.axes]
    return [text.get_text() for text in legend.get_texts()] if legend else []


def test_one_seed_has_no_spread(table):
    told = [neuro.reports.tradeoff(t).get_suptitle() for t in (table, table[table.seed == 0])]
    assert told == ["t: mean ± sd of 2 seeds", "t: one seed"]


def test_columns_that_are_none_are_told(table):
    with pytest.raises(DataError, match="'slotz' is no column of numbers, allowed: trial"):
        neuro.reports.front(table, "slotz")
    with pytest.raises(DataError, match="no complete run"):
        neuro.reports.front(table.assign(state="failed"))


@pytest.fixture(scope="module")
def run(shared_run):
    return neuro.load_run(shared_run)


def test_words_are_the_rows_of_the_tables(run):
    tables = neuro.export(run)
    words = sum(int(words_of(run.network, name).words.sum()) for name in run.task.populations)
    assert words == len(tables.frames["synapses"])
    _, _, counts = core_words(run.network)
    by_core = tables.frames["synapses"].groupby(["chip", "core"]).size()
    assert counts.sum(1).tolist() == by_core.tolist()


def test_a_raster_shows_every_spike(run):
    fig = neuro.reports.raster(run, 3)
    from neuro.reports.sample import activity

    done = activity(run, 3)
    shown = [len(ax.collections[0].get_offsets()) for ax in fig.axes]
    assert shown == [int(z.sum()) for z in done.signals.values()] and sum(shown) > 0
    with pytest.raises(DataError, match="allowed: 0 to"):
        neuro.reports.raster(run, 10**6)


def test_histograms_count_every_neuron_and_every_connection(run):
    bars = neuro.reports.slots_histogram(run).axes[0].containers
    assert [sum(bar.get_height() for bar in series) for series in bars] == [22, 22]
    counted = neuro.reports.codes_histogram(run).axes[0].containers
    held = [int((memory.code != 0).sum()) for memory in run.network.memories.values()]
    assert [sum(bar.get_height() for bar in series) for series in counted] == held


def test_bars_stand_at_the_numbers_they_count(run):
    used, sources = usage(run.network)
    ax = neuro.reports.slots_histogram(run).axes[0]
    for values, series in zip((used, sources), ax.containers, strict=True):
        assert len(series) == 65 and [bar.get_x() + bar.get_width() / 2 for bar in series] == list(range(65))
        assert [bar.get_height() for bar in series] == np.bincount(values.astype(int), minlength=65).tolist()


@pytest.mark.parametrize("most", [5, 129, 130, 1000])
def test_the_last_bar_ends_at_the_largest_number(most):
    fig, ((ax,),) = figure(1, 1, (4, 3))
    draw_usage(ax, np.array([0, most]), np.array([1, 1]))
    bars = ax.containers[0]
    assert len(bars) <= 130 and bars[-1].get_x() + bars[-1].get_width() == most + 0.5
    assert bars[-1].get_height() == 1 and sum(bar.get_height() for bar in bars) == 2


def test_words_of_inhibitory_types_stand_below_0(run):
    rows = neuro.export(run).frames["synapses"]
    sign = {entry.id: entry.sign for entry in run.chip.types}
    rows = rows.assign(sign=rows["type"].map(sign))
    for sign, below in ((-1, True), (1, False)):
        words = 0
        for name in run.task.populations:
            values, counts = signed_codes(run.network, name)
            words += int(sum(abs(v) * n for v, n in zip(values, counts, strict=True) if (v < 0) == below))
        assert words == int((rows.sign == sign).sum()) > 0


def test_all_pictures_in_all_formats_are_written_and_the_same_again(shared_run, tmp_path):
    before = {p.name for p in shared_run.iterdir()}
    first = neuro.plot(shared_run, tmp_path / "a", ("png", "svg", "pdf"))
    again = neuro.plot(shared_run, tmp_path / "b", ("png", "svg", "pdf"))
    assert len(first) == 3 * len(RUN_PLOTS)
    for one, other in zip(first, again, strict=True):
        assert one.read_bytes().startswith(MAGIC[one.suffix[1:]])
        assert one.read_bytes() == other.read_bytes(), one.name
    assert {p.name for p in shared_run.iterdir()} == before


def test_what_cannot_be_drawn_is_told(shared_run, tmp_path):
    with pytest.raises(RunError, match="allowed: png, svg, pdf"):
        neuro.plot(shared_run, tmp_path / "x", ("gif",))
    with pytest.raises(RunError, match="no run folder"):
        neuro.plot(tmp_path, tmp_path / "x")
    assert not (tmp_path / "x").exists()
