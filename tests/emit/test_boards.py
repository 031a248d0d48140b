"""Networks trained on defective boards: inside their limits, exported to words that work, replayed spike for spike."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from random_boards import misused, on, random_board
from random_networks import differences, random_events, random_spec
from tiny_task import call, refused

import neuro
from neuro.errors import FitError, NeuroError, TableError
from neuro.formats import netparser, samna
from neuro.reports.limits import limits_of
from neuro.tables import Tables, load_tables, on_board
from neuro.task import NetworkSpec

SMALL = ("cores.neurons=16", "slots=8", "tags.bits=6")
CHIPS = {
    "masks, two halves": ("dynapse2", SMALL, 2),
    "masks, one number a neuron": ("dynapse2", SMALL, 1),
    "masks, four chips": ("dynapse2", (*SMALL, "board.columns=2", "board.rows=2"), 2),
    "counts": ("dynapse1", ("slots=8", "cores.neurons=16", "tags.own_bits=4", "tags.bits=6"), 1),
    "levels": ("binary-core", ("cores.neurons=16", "weights.slots=8", "tags.bits=6", "cores.axons=64"), 2),
    "levels, signs by row": (
        "binary-core",
        ("weights.levels=[0.5, 1.5]", "weights.sign=row", "weights.slots=6", "cores.neurons=16", "tags.bits=6"),
        2,
    ),
}
BOARDS = [Path(os.environ.get("NEURO_DATA", "none")) / f"DYNAPSE/dynapse2_board_{n}.npz" for n in ("green", "orange")]
SHIPPED = Path(__file__).parents[1] / "data/files/DYNAPSE/dynapse2_board_small.npz"
MEASURED = pytest.mark.skipif(not BOARDS[0].exists(), reason="NEURO_DATA has no boards")


def trained(plan, rng, steps=3, **how):
    """Train against nothing in particular for a few steps, within the limits after each."""
    network = neuro.Network(plan, seed=int(rng.integers(99)), **how)
    growth = neuro.rewiring.Redraw(every=1, share=0.5) if how.get("storage") == "slots" else None
    optimizer = neuro.QRewiring(torch.optim.Adam(network.parameter_groups(lr=0.1)), network, growth=growth)
    for _ in range(steps):
        outputs, _ = network(random_events(rng, network, steps=10, batch=2))
        outputs = outputs if isinstance(outputs, dict) else {"one": outputs}
        sum((y * torch.randn(y.shape)).sum() for y in outputs.values()).backward()
        optimizer.step()
        optimizer.zero_grad()
        assert network.violations() == []
    return network.eval()


def proven(network, board, rng):
    """Export, check twice, replay; gives the tables."""
    tables = neuro.export(network)
    assert neuro.check(tables) == [] and misused(tables, board) == []
    assert differences(network, tables, random_events(rng, network)) == []
    return tables


@pytest.mark.parametrize("name", CHIPS)
@pytest.mark.parametrize("seed", range(2))
def test_networks_on_random_boards(name, seed, tmp_path):
    rng = np.random.default_rng([seed, *name.encode()])
    torch.manual_seed(seed)
    chip, overrides, classes = CHIPS[name]
    board = random_board(rng, neuro.load_chip(chip, overrides), classes, tmp_path / "board.npz")
    chip = on(chip, overrides, board)
    for _ in range(30):
        try:
            plan = neuro.place(random_spec(rng, chip), chip)
            break
        except FitError:
            continue
    storage = "slots" if seed == 1 and chip.weights.sign == "type" else "dense"
    network = trained(plan, rng, storage=storage)
    tables = proven(network, board, rng)
    tables.save(tmp_path / "tables")
    again = load_tables(tmp_path / "tables")
    assert neuro.check(again) == [] and again.chip == chip
    if "samna" in chip.formats and "tags.bits" not in " ".join(overrides):
        samna.write(tables, tmp_path / "samna")


def wide_spec(inputs=60, hidden=40):
    return NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": inputs},
            "populations": {
                "hidden": {"size": hidden, "tau_mem_s": 0.02, "tau_syn_s": 0.005, "init_gain": 3},
                "out": {"size": 10, "tau_mem_s": 0.02, "tau_syn_s": 0.005, "init_gain": 3},
            },
            "projections": (
                {"from": "x", "to": "hidden"},
                {"from": "hidden", "to": "hidden"},
                {"from": "hidden", "to": "out"},
            ),
            "outputs": {"y": {"population": "out", "classes": 10}},
        }
    )


@pytest.mark.parametrize(
    ("board", "storage"),
    [(SHIPPED, "slots"), *(pytest.param(*p, marks=MEASURED) for p in zip(BOARDS, ("dense", "slots"), strict=True))],
)
def test_networks_on_measured_boards(board, storage, tmp_path):
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    chip = on("dynapse2", (), board)
    plan = neuro.place(wide_spec(1100, 300), chip)  # more sources than one half has tags
    network = trained(plan, rng, 2, storage=storage)
    tables = proven(network, board, rng)
    limits = network.memories["hidden"].scheme.slots.limits
    used = network.memories["hidden"].scheme.slots_used(network.memories["hidden"].code)
    assert (used <= limits[:, 2]).all() and used.float().mean() > 0.8 * limits[:, 2].float().mean()
    high = tables.frames["synapses"]["tag"] >= 1024
    assert high.any() and not high.all()
    samna.write(tables, tmp_path / "samna")
    again = samna.read(tmp_path / "samna")
    for table, frame in tables.frames.items():
        assert frame.equals(again.frames[table]), table
    assert neuro.check(again) == [] and differences(network, again, random_events(rng, network, steps=5)) == []


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A network on a small board, its tables and the board's file."""
    rng = np.random.default_rng(3)
    torch.manual_seed(3)
    name, overrides, classes = CHIPS["masks, two halves"]
    file = tmp_path_factory.mktemp("board") / "board.npz"
    board = random_board(rng, neuro.load_chip(name, overrides), classes, file, yields=(0.3, 0.8))
    plan = neuro.place(wide_spec(20, 12), on(name, overrides, board))
    network = trained(plan, rng)
    return network, proven(network, board, rng), board


def test_the_checker_finds_every_word_that_fails_and_every_tag_that_does_not_arrive(small):
    _, tables, board = small
    works, tags = tables.chip.working_words, tables.chip.working_tags
    words = tables.frames["synapses"]
    found = 0
    for i, w in enumerate(words.itertuples(index=False)):
        free = set(range(8)) - set(words[(words["core"] == w.core) & (words["neuron"] == w.neuron)]["slot"])
        for slot in sorted(free):
            moved = words.copy()
            moved.loc[i, "slot"] = slot
            wrong = [f for f in neuro.check(Tables(tables.manifest, {**tables.frames, "synapses": moved}))]
            good = works[0, w.core, w.neuron, slot, int(w.tag >= 32)]
            assert (wrong == []) == bool(good), (w, slot, wrong)
            found += not good
            assert good or str(wrong[0]).startswith(
                f"defective word: chip 0 core {w.core} neuron {w.neuron} slot {slot}"
            )
        if found > 4:
            break
    assert found > 4
    inputs = tables.frames["inputs"].copy()
    cores = [k for k in range(4) if inputs["core_mask"][0] >> k & 1]
    dead = next(t for t in range(64) if not tags[0, cores, t].all())
    inputs.loc[0, "tag"] = dead
    wrong = neuro.check(Tables(tables.manifest, {**tables.frames, "inputs": inputs}))
    assert any(str(f).startswith("defective tag") and f"tag {dead}" in str(f) for f in wrong)
    over = words.copy()
    over.loc[0, "slot"] = 8
    wrong = neuro.check(Tables(tables.manifest, {**tables.frames, "synapses": over}))
    assert [str(f).split(":")[0] for f in wrong] == ["slot"]


def test_a_board_that_was_changed_after_export_is_refused(small, tmp_path):
    _, tables, _ = small
    tables.save(tmp_path / "tables")
    text = (tmp_path / "tables/manifest.json").read_text()
    words = tables.chip.defects.words
    other = ("B" if words[0] == "A" else "A") + words[1:]
    (tmp_path / "tables/manifest.json").write_text(text.replace(words, other))
    with pytest.raises(TableError, match="chip does not match chip_sha256"):
        load_tables(tmp_path / "tables")
    (tmp_path / "tables/manifest.json").write_text(text.replace(words, words[:-8]))
    with pytest.raises(TableError, match="words are not truth values of the shape"):
        load_tables(tmp_path / "tables")


def test_netparser_cannot_name_words(tmp_path):
    rng = np.random.default_rng(1)
    overrides = ("board.columns=1", "board.rows=1", "slots=8", "cores.neurons=64")
    board = random_board(rng, neuro.load_chip("dynapse1", overrides), 1, tmp_path / "board.npz", (0.5, 1.0))
    chip = on("dynapse1", overrides, board)
    tables = proven(trained(neuro.place(wide_spec(20, 12), chip), rng), board, rng)
    with pytest.raises(TableError, match="chooses the CAM words of a neuron itself"):
        netparser.write(tables, tmp_path / "netparser")
    samna.write(tables, tmp_path / "samna")
    assert samna.read(tmp_path / "samna").frames["synapses"].equals(tables.frames["synapses"])


def test_an_ideal_network_put_on_a_board_keeps_what_works(small):
    _, _, board = small
    name, overrides, _ = CHIPS["masks, two halves"]
    rng = np.random.default_rng(4)
    tables = neuro.export(neuro.Network(neuro.place(wide_spec(20, 12), neuro.load_chip(name, overrides)), seed=0))
    left = on_board(tables, on(name, overrides, board))
    assert neuro.check(left) == [] and misused(left, board) == []
    kept = set(map(tuple, left.frames["synapses"].to_numpy().tolist()))
    for row in tables.frames["synapses"].itertuples(index=False):
        alone = Tables(left.manifest, {**left.frames, "synapses": tables.frames["synapses"].head(0)})
        alone.frames["synapses"].loc[0] = list(row)
        assert (tuple(row) in kept) == (misused(alone, board) == [])
    assert 0 < len(kept) < len(tables.frames["synapses"])
    x = (torch.from_numpy(rng.random((12, 2, 20))) < 0.4).float()
    neuro.replay(left, x)
    with pytest.raises(TableError, match="allowed: a board of the same chip"):
        on_board(tables, neuro.load_chip(name, overrides))
    with pytest.raises(NeuroError, match="another|same chip"):
        on_board(tables, on(name, overrides, board).model_copy(update={"title": "another"}))


def test_a_run_on_a_board_needs_its_file_no_more(tiny, tmp_path):
    board = shutil.copy(SHIPPED, tmp_path / "mine.npz")
    chosen = ["--chip", "dynapse2", "--set", f"chip.defects.file={board}"]
    assert call("train", tiny, *chosen, "--epochs", 1, "--out", tmp_path / "run").status == 0
    os.remove(board)
    said = refused(call("train", tiny, *chosen, "--out", tmp_path / "other"), "defects.file: no such file")
    assert "mine.npz" in said and not (tmp_path / "other").exists()
    run = neuro.load_run(tmp_path / "run")
    assert run.chip.label == "dynapse2 (board mine.npz)" and str(tmp_path) not in (run.folder / "chip.json").read_text()
    assert neuro.verify(run).passed
    tables = neuro.export(run)
    assert misused(tables, SHIPPED) == []
    (own,) = (limit for limit in limits_of(tables) if "its board" in limit.what)
    assert own.kept and own.have > 0
