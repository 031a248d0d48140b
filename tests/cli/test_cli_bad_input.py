"""Every mistake a user can make: one message on standard error, status 2, nothing written, nothing lost."""

import json
import os
import shutil
import zipfile

import numpy as np
import pytest
from tiny_task import ROOT, TINY, call, refused, run, snapshot

import neuro
from neuro.errors import FitError

CHIP = (ROOT / "chips" / "generic.yaml").read_text()


def edit(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


DELAYED = edit(TINY, "{from: hidden, to: digit}", "{from: hidden, to: digit, delay: %s}")
ANALOG = {
    "ratio 1": ("pcm-crossbar", ["devices.ratio=1"], ["devices.ratio: have 1", "allowed: a number > 1"]),
    "ratio below 1": ("rram-crossbar", ["devices.ratio=0.2"], ["devices.ratio: have 0.2", "allowed: a number > 1"]),
    "levels all alike": ("pcm-crossbar", ["devices.nonlinearity=60"], ["nonlinearity: have 60", "from -20 to 20"]),
    "one level": ("nvm-mac", ["devices.states=1"], ["devices.states: have 1", "from 2 to 1024"]),
    "negative conductance": ("pcm-crossbar", ["devices.g_max_us=-25"], ["g_max_us: have -25", "allowed: a number > 0"]),
    "no negative weight": ("pcm-crossbar", ["devices.ratio=5", "devices.gain=0.1"], ["gain: have 0.1", "one sign is"]),
    "no positive weight": ("pcm-crossbar", ["devices.ratio=5", "devices.gain=9"], ["gain: have 9", "one sign is"]),
    "drift before programming": ("pcm-crossbar", ["devices.drift.start_s=-1"], ["start_s: have -1", "a number > 0"]),
    "mismatch of 400 %": ("dynapse1", ["mismatch.neuron.weight=4"], ["neuron.weight: have 4", "from 0 to 1"]),
    "mismatch of cores": ("dynapse1", ["mismatch.core.tau_mem=4"], ["core.tau_mem: have 4", "from 0 to 1"]),
}
TASKS = {
    "no YAML": ("name: [1\ntitle: }", ["bad.yaml:2"]),
    "only text": ("just a sentence", ["bad.yaml:1", "mapping"]),
    "empty": ("", ["empty", "mapping"]),
    "a list": ("- 1\n- 2\n", ["bad.yaml:1", "list", "mapping"]),
    "a tab": (TINY.replace("  hidden", "\thidden"), ["bad.yaml:9"]),
    "binary": ("\x00\x01\x02", ["bad.yaml"]),
    "a list for a mapping": (edit(TINY, "inputs: {pixels: 64}", "inputs: [64]"), ["bad.yaml:7", "inputs"]),
    "text for a mapping": (edit(TINY, "{pixels: 64}", "pixels"), ["bad.yaml:7", "inputs"]),
    "a negative size": (edit(TINY, "size: 12", "size: -12"), ["bad.yaml:9", "size", "-12"]),
    "a zero size": (edit(TINY, "size: 12", "size: 0"), ["bad.yaml:9", "size", "0"]),
    "a huge size": (edit(TINY, "size: 12", "size: 99999999999"), ["bad.yaml:9", "size"]),
    "a fractional size": (edit(TINY, "size: 12", "size: 12.5"), ["bad.yaml:9", "12.5"]),
    "text for a number": (edit(TINY, "size: 12", "size: twelve"), ["bad.yaml:9", "twelve"]),
    "truth for a number": (edit(TINY, "size: 12", "size: yes"), ["bad.yaml:9", "size"]),
    "infinity": (edit(TINY, "dt_s: 0.001", "dt_s: 1e400"), ["bad.yaml:3", "dt_s", "1e400"]),
    "infinity in a loss": (edit(TINY, "scale: 0.2", "scale: .inf"), ["bad.yaml:16", "scale"]),
    "not a number": (edit(TINY, "lr: 0.02", "lr: .nan"), ["bad.yaml:17", "lr"]),
    "a key twice": (edit(TINY, "size: 12", "size: 12, size: 13"), ["bad.yaml:9", "size"]),
    "an unknown key": (edit(TINY, "tau_mem_s: 0.02", "tau_mem: 0.02"), ["bad.yaml:9", "tau_mem", "tau_mem_s"]),
    "a key of a section above it": (edit(TINY, "dt_s: 0.001", "dt_s: 0.001\nepoch: 3"), ["4", "training.epochs"]),
    "a key at the wrong depth": (edit(TINY, "dt_s: 0.001", "dt_s: 0.001\nlr: 3"), ["4", "training.lr"]),
    "a section indented too far": (edit(TINY, "dt_s: 0.001", "dt_s: 0.001\n   training:"), ["bad.yaml:4", "indented"]),
    "a chip": (CHIP, ["bad.yaml", "describes a chip", "neuro tasks"]),
    "an unknown encoder": (edit(TINY, "kind: regular", "kind: morse"), ["bad.yaml:5", "morse", "regular", "latency"]),
    "an unknown data set": (edit(TINY, "sklearn_digits", "sklearn_fingers"), ["sklearn_fingers", "sklearn_digits"]),
    "no encoder": (edit(TINY, "encoder: {kind: regular, steps: 8, max_rate: 0.5}\n", ""), ["encoder"]),
    "no test part": (edit(TINY, "test: 0.7, ", ""), ["data.test"]),
    "a share above one": (edit(TINY, "test: 0.7", "test: 1.7"), ["bad.yaml:4", "1.7"]),
    "nothing left to train on": (edit(TINY, "test: 0.7, validation: 0.3", "test: 0.99, validation: 0.99"), ["data"]),
    "too few channels": (edit(TINY, "pixels: 64", "pixels: 63"), ["pixels", "63", "64"]),
    "two inputs": (edit(TINY, "{pixels: 64}", "{pixels: 64, more: 3}"), ["inputs"]),
    "too few classes": (
        edit(edit(TINY, "classes: 10", "classes: 5"), "digit: {size: 10", "digit: {size: 5"),
        ["5", "10"],
    ),
    "classes that do not divide": (edit(TINY, "classes: 10", "classes: 9"), ["classes", "9", "10"]),
    "an unknown population": (edit(TINY, "{from: hidden,", "{from: hiden,"), ["hiden", "hidden"]),
    "a projection twice": (edit(TINY, "- {from: hidden", "- {from: pixels, to: hidden}\n  - {from: hidden"), ["once"]),
    "linear without classes": (edit(TINY, "readout: spikes, classes: 10", "readout: linear"), ["classes", "tau_out_s"]),
    "two time constants": (edit(TINY, "tau_mem_s: 0.02", "tau_mem_s: 0.02, decay_mem: 0.9"), ["tau_mem_s", "exactly"]),
    "a delay below one step": (DELAYED % 0, ["delay", "0", "hidden", "digit", "allowed: 1"]),
    "a negative delay": (DELAYED % -1, ["delay", "-1"]),
    "a delay where there are none": (DELAYED % 2, ["delay", "2", "dynapse1", "allowed: 1"]),
    "a route delay below one step": (edit(TINY, "size: 12", "size: 12, route_delay: 0"), ["route_delay", "0"]),
    "a route delay where there are none": (edit(TINY, "size: 12", "size: 12, route_delay: 3"), ["route_delay", "3"]),
    "delay lines where there are none": (edit(TINY, "dt_s:", "delay_lines: [0, 4]\ndt_s:"), ["delay_lines", "4"]),
    "a linear leak where there is none": (edit(TINY, "tau_mem_s: 0.02", "leak: 0.1"), ["leak", "dynapse1"]),
    "a current the chip has not": (
        edit(TINY, "tau_syn_s: 0.005", "tau_syn_s: {fastest: 0.005}"),
        ["fastest", "fast, slow"],
    ),
    "more neurons than the chip": (edit(TINY, "size: 12", "size: 5000"), ["neurons", "hidden", "dynapse1"]),
    "labels for every step": (edit(TINY, "kind: spike_count", "kind: per_step"), ["per_step"]),
    "events from pixels": (edit(TINY, "kind: regular", "kind: events"), ["events"]),
    "rows without a number": (edit(TINY, "kind: regular", "kind: rows"), ["encoder.rows"]),
    "rows that do not divide": (edit(TINY, "kind: regular", "kind: rows, rows: 7"), ["encoder.rows", "7"]),
    "two outputs": (
        edit(TINY, "outputs:\n", "outputs:\n  other: {population: hidden, readout: spikes}\n"),
        ["outputs"],
    ),
}


@pytest.mark.parametrize("name", TASKS)
def test_a_wrong_task_is_refused(tmp_path, name):
    text, words = TASKS[name]
    (tmp_path / "bad.yaml").write_text(text)
    before = snapshot(tmp_path)
    refused(call("train", tmp_path / "bad.yaml", "--chip", "dynapse1", "--out", tmp_path / "run"), *words)
    assert snapshot(tmp_path) == before


CHIPS = {
    "no YAML": ("name: [", ["bad.yaml:1"]),
    "no cores": (edit(CHIP, "cores: {per_chip: 1, neurons: 1048576}\n", ""), ["cores", "missing"]),
    "no cores a chip": (edit(CHIP, "per_chip: 1,", "per_chip: 0,"), ["per_chip", "0"]),
    "cores in a list": (edit(CHIP, "cores: {per_chip: 1, neurons: 1048576}", "cores: [1, 2]"), ["cores"]),
    "no neurons": (edit(CHIP, "neurons: 1048576", "neurons: -1"), ["neurons", "-1"]),
    "infinite base": (edit(CHIP, "base_max: 4.0", "base_max: 1e400"), ["base_max", "1e400"]),
    "a task": (TINY, ["bad.yaml", "describes a task", "neuro chips"]),
    "an unknown kind": (edit(CHIP, "kind: counts", "kind: magic"), ["magic", "counts"]),
    "no slots": (edit(CHIP, "slots: 64", "slots: 0"), ["slots", "0"]),
    "an unknown type in a current": (edit(CHIP, "types: [excitatory,", "types: [exciting,"), ["exciting"]),
}


@pytest.mark.parametrize("name", CHIPS)
def test_a_wrong_chip_is_refused(tmp_path, tiny, name):
    text, words = CHIPS[name]
    (tmp_path / "bad.yaml").write_text(text)
    before = snapshot(tmp_path)
    refused(call("train", tiny, "--chip", tmp_path / "bad.yaml", "--out", tmp_path / "run"), *words)
    refused(call("chips", tmp_path / "bad.yaml"), *words)
    assert snapshot(tmp_path) == before


SETS = {
    "no equals sign": ("task.training.epochs", ["task.training.epochs", "key=value"]),
    "no value": ("task.training.epochs=", ["task.training.epochs", "empty"]),
    "no key": ("=3", ["task.", "chip."]),
    "nothing": ("", ["task.", "chip."]),
    "a near miss of slots": ("slotz=3", ["did you mean slots=3"]),
    "no room": ("training.epochs=3", ["task.training.epochs=3", "chip."]),
    "a near miss": ("task.populations.hiden.size=3", ["hiden", "did you mean hidden"]),
    "a near miss in a chip": ("chip.weights.slot=3", ["slot", "did you mean slots"]),
    "a far miss": ("task.banana=3", ["banana", "allowed", "populations"]),
    "a wrong prefix": ("network.populations.hidden.size=3", ["task.", "chip."]),
    "no prefix": ("populations.hidden.size=3", ["task.", "chip."]),
    "only a prefix": ("task=3", ["task."]),
    "a prefix and a dot": ("task.=3", ["task."]),
    "text for a number": ("task.populations.hidden.size=many", ["size", "many", "allowed"]),
    "a list for a number": ("task.populations.hidden.size=[1,2]", ["size", "allowed"]),
    "a number for a mapping": ("task.populations.hidden=3", ["populations.hidden", "3"]),
    "a negative number": ("slots=-1", ["slots", "-1"]),
    "infinity": ("task.dt_s=1e400", ["dt_s", "1e400"]),
    "broken YAML": ("task.data=[1", ["--set task.data"]),
    "below a number": ("task.dt_s.more=1", ["dt_s.more"]),
}


@pytest.mark.parametrize("name", SETS)
def test_a_wrong_override_is_refused(tmp_path, tiny, name):
    text, words = SETS[name]
    before = snapshot(tmp_path)
    refused(call("train", tiny, "--chip", "dynapse1", "--out", tmp_path / "run", "--set", text), *words)
    assert snapshot(tmp_path) == before


def test_unknown_names_come_with_the_nearest_one(tmp_path, shared_run):
    out = tmp_path / "out"
    refused(
        call("train", "digit", "--chip", "dynapse1", "--out", out), "digit", "did you mean digits", "digits-recurrent"
    )
    refused(call("train", "digits", "--chip", "dynapse3", "--out", out), "dynapse3", "did you mean dynapse", "generic")
    refused(call("chips", "speck"), "speck", "generic", "path")
    refused(call("tasks", "poems"), "poems", "digits")
    refused(call("export", shared_run, "--format", "punchcards", "--out", out), "punchcards", "tables")
    refused(call("evaluate", shared_run, "--part", "best"), "best", "validation")
    refused(call("evaluate", shared_run, "--data", tmp_path / "nowhere"), "nowhere")
    refused(call("trian", "digits"), "trian")
    refused(call("train", "digits", "--chip", "dynapse1", "--out", out, "--epochs", "0"), "--epochs")
    refused(call("train", "digits", "--chip", "dynapse1", "--out", out, "--seed", "-1"), "--seed")
    assert not list(tmp_path.iterdir())


def test_missing_files_and_folders_in_their_place(tmp_path):
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    refused(call("train", tmp_path / "no.yaml", "--chip", "dynapse1", "--out", tmp_path / "a"), "no.yaml", "no such")
    refused(call("train", folder, "--chip", "dynapse1", "--out", tmp_path / "a"), "folder.yaml", "is a folder")
    refused(call("train", "digits", "--chip", folder, "--out", tmp_path / "a"), "folder.yaml", "is a folder")
    refused(call("train", "digits", "--chip", tmp_path / "no.yaml", "--out", tmp_path / "a"), "no.yaml", "no such")
    for command in ("evaluate", "verify"):
        refused(call(command, tmp_path / "none"), "none", "no run folder", "neuro train")
        refused(call(command, tmp_path), str(tmp_path), "no run folder")
    refused(call("export", tmp_path / "none", "--out", tmp_path / "a"), "none", "no run folder")
    refused(call("check", tmp_path / "none"), "none", "manifest.json")
    refused(call("check", tmp_path), "manifest.json")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.yaml"]


def test_what_lies_about_a_run_is_told_from_it(tmp_path, shared_run):
    folder = shutil.copytree(shared_run, tmp_path / "run")
    assert call("export", folder, "--out", folder / "tables").status == 0
    assert call("export", folder, "--format", "samna", "--out", folder / "samna").status == 0
    (tmp_path / "file").write_text("run")
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "sweep.json").write_text("{}")
    for command in ("evaluate", "verify"):
        refused(call(command, folder / "tables"), "tables", "holds tables", f"the run, {folder},")
        refused(call(command, folder / "samna"), "no run folder", f"name {folder}")
        refused(call(command, tmp_path / "file"), "is a file", "no run folder")
        refused(call(command, tmp_path / "sweep"), "is a sweep", str(tmp_path / "sweep" / "runs"))


def test_a_network_too_large_is_told_all_it_takes(tmp_path):
    def train(*more):
        return call("train", "digits", "--chip", "dynapse1", *more, "--out", tmp_path / "run")

    said = train("--set", "task.populations.hidden.size=100000")
    refused(said, "--set task.candidates=reachable")
    size = 100_000 - int(said.err.split("smaller by ")[1].split()[0])
    fits = [f"populations.hidden.size={size}"]
    with pytest.raises(FitError, match="or add --set task.candidates=reachable"):
        neuro.place(neuro.load_task("digits", fits).network, neuro.load_chip("dynapse1"))
    told = neuro.load_task("digits", [*fits, "candidates=reachable"])
    neuro.place(told.network, neuro.load_chip("dynapse1"))
    assert not (tmp_path / "run").exists()


def test_an_existing_run_is_never_overwritten(tmp_path, tiny, shared_run):
    run_folder = shutil.copytree(shared_run, tmp_path / "run")
    before = snapshot(run_folder)
    refused(call("train", tiny, "--chip", "dynapse1", "--out", run_folder), str(run_folder), "--resume", "--out")
    other = ["train", tiny, "--chip", "dynapse1", "--out", run_folder, "--resume"]
    refused(call(*other, "--seed", "1"), "another seed (0, not 1)")
    refused(call(*other, "--set", "slots=9"), "another chip.weights.slots (64, not 9)")
    refused(call(*other, "--set", "task.training.lr=0.5"), "another task.training.lr (0.02, not 0.5)")
    refused(call("train", "digits", "--chip", "dynapse1", "--out", run_folder, "--resume"), "another", "task")
    refused(call("export", run_folder, "--out", run_folder), str(run_folder), "not empty")
    assert snapshot(run_folder) == before


def test_places_that_cannot_be_written(tmp_path, tiny, shared_run):
    file = tmp_path / "file"
    file.write_text("precious")
    for out in (file, file / "below", file / "far" / "below"):
        refused(call("train", tiny, "--chip", "dynapse1", "--out", out), "file")
        refused(call("train", tiny, "--chip", "dynapse1", "--out", out, "--resume"), "file")
        refused(call("export", shared_run, "--out", out), "file")
    long = tmp_path / ("x" * 300)
    refused(call("train", tiny, "--chip", "dynapse1", "--out", long), "x" * 300)
    refused(call("export", shared_run, "--out", long), "x" * 300)
    assert file.read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "tiny.yaml"]


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not stop root")
def test_a_folder_that_must_not_be_written(tmp_path, tiny, shared_run):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    refused(call("train", tiny, "--chip", "dynapse1", "--out", closed / "run"), "closed")
    refused(call("export", shared_run, "--out", closed / "tables"), "closed")
    assert not list(closed.iterdir())


@pytest.fixture(scope="module")
def tables(tmp_path_factory, shared_run):
    folder = tmp_path_factory.mktemp("tables") / "tables"
    assert call("export", shared_run, "--out", folder).status == 0
    return folder


def _header(shape: str, descr: str = "'<f4'") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def _ones(dtype="f4", shape=(4, 2, 64), fill=1):
    return np.full(shape, fill, dtype)


INPUTS = {
    "objects": lambda p: np.save(p, np.array([{"a": 1}, None], dtype=object)),
    "pickled bytes": lambda p: p.write_bytes(b"\x80\x04K\x01."),
    "text in place of numbers": lambda p: np.save(p, np.full((4, 2, 64), "1")),
    "complex numbers": lambda p: np.save(p, _ones("c8")),
    "dates": lambda p: np.save(p, _ones("f4").astype("M8[s]")),
    "records": lambda p: np.save(p, np.zeros((4, 2, 64), dtype=[("a", "i4"), ("b", "f4")])),
    "cut short": lambda p: (np.save(p, _ones()), p.write_bytes(p.read_bytes()[:-50])),
    "cut in its header": lambda p: (np.save(p, _ones()), p.write_bytes(p.read_bytes()[:40])),
    "nothing": lambda p: p.write_bytes(b""),
    "text": lambda p: p.write_text("0 1 0 1\n"),
    "a broken archive": lambda p: p.write_bytes(b"PK\x03\x04" + b"\x00" * 60),
    "an archive": lambda p: zipfile.ZipFile(p, "w").close(),
    "several arrays": lambda p: (np.savez(p, a=_ones(), b=_ones()), p.with_suffix(".npy.npz").rename(p)),
    "a header that lies": lambda p: p.write_bytes(_header("(1000000000000, 2, 64)")),
    "a negative shape": lambda p: p.write_bytes(_header("(-4, 2, 64)") + bytes(2048)),
    "a shape of text": lambda p: p.write_bytes(_header("('a', 2, 64)") + bytes(2048)),
    "a strange type": lambda p: p.write_bytes(_header("(4, 2, 64)", "'<q99'") + bytes(2048)),
    "code for a type": lambda p: p.write_bytes(_header("(4, 2, 64)", "__import__('os')") + bytes(2048)),
    "a header that is no dictionary": lambda p: p.write_bytes(b"\x93NUMPY\x01\x00\x04\x00[1,\n" + bytes(64)),
    "NaN": lambda p: np.save(p, _ones(fill=np.nan)),
    "infinity": lambda p: np.save(p, _ones(fill=np.inf)),
    "fractions": lambda p: np.save(p, _ones(fill=0.5)),
    "too many events": lambda p: np.save(p, _ones(fill=2)),
    "too many events in bytes": lambda p: np.save(p, _ones("u1", fill=255)),
    "too many events in words": lambda p: np.save(p, _ones("u2", fill=65535)),
    "too many events in long words": lambda p: np.save(p, _ones("u8", fill=2**64 - 1)),
    "negative events": lambda p: np.save(p, _ones("i8", fill=-1)),
    "too few channels": lambda p: np.save(p, _ones(shape=(4, 2, 63))),
    "too many dimensions": lambda p: np.save(p, _ones(shape=(1, 4, 2, 64))),
    "no steps": lambda p: np.save(p, _ones(shape=(0, 2, 64))),
    "no samples": lambda p: np.save(p, _ones(shape=(4, 0, 64))),
    "one number": lambda p: np.save(p, np.float32(1)),
}


@pytest.mark.parametrize("name", INPUTS)
def test_input_events_that_are_none(tmp_path, tables, name):
    path = tmp_path / "x.npy"
    INPUTS[name](path)
    (tmp_path / "y.npy").write_text("precious")
    before = snapshot(tmp_path)
    refused(call("replay", tables, "--input", path, "--out", tmp_path / "y.npy"))
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8", ">f4", ">i2"])
def test_every_kind_of_whole_number_is_taken_or_refused(tmp_path, tables, dtype):
    np.save(tmp_path / "x.npy", _ones(dtype))
    said = call("replay", tables, "--input", tmp_path / "x.npy", "--out", tmp_path / "y.npy")
    if said.status == 0:
        np.save(tmp_path / "x.npy", _ones("f4"))
        assert call("replay", tables, "--input", tmp_path / "x.npy", "--out", tmp_path / "z.npy").status == 0
        assert np.array_equal(np.load(tmp_path / "y.npy"), np.load(tmp_path / "z.npy"))
    else:
        refused(said, "x")
        assert not (tmp_path / "y.npy").exists()


def test_replay_refuses_wrong_names_and_places(tmp_path, tables):
    x, y = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(x, _ones())
    refused(call("replay", tables, "--input", tmp_path / "no.npy", "--out", y), "no.npy")
    refused(call("replay", tables, "--input", tmp_path, "--out", y), str(tmp_path))
    refused(call("replay", tables, "--input", x, "--out", y, "--spikes", "hiden"), "hiden", "hidden")
    refused(call("replay", tables, "--input", x, "--out", tmp_path), str(tmp_path))
    refused(call("replay", tables, "--input", x, "--out", tmp_path / "no" / "y.npy"), "y.npy")
    refused(call("replay", tables, "--input", x, "--out", x / "y.npy"), "y.npy")
    assert [p.name for p in tmp_path.iterdir()] == ["x.npy"]


def test_replay_overwrites_only_when_asked(tmp_path, tables):
    x, y = tmp_path / "x.npy", tmp_path / "y.npy"
    np.save(x, _ones())
    y.write_text("mine")
    refused(call("replay", tables, "--input", x, "--out", y), "there already", "--overwrite")
    assert y.read_text() == "mine"
    assert call("replay", tables, "--input", x, "--out", y, "--overwrite").status == 0
    assert np.load(y).shape[2] == 10


def test_export_overwrites_only_when_asked(tmp_path, shared_run):
    assert call("export", shared_run, "--out", tmp_path / "a").status == 0
    refused(call("export", shared_run, "--out", tmp_path / "a"), "not empty", "--overwrite")
    assert call("export", shared_run, "--out", tmp_path / "a", "--overwrite").status == 0


@pytest.mark.parametrize("picture", ["a.bmp", "a", "no/a.png", "folder.png"])
def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_done(tmp_path, tiny, shared_run, picture):
    (tmp_path / "folder.png").mkdir()
    folder = shutil.copytree(shared_run, tmp_path / "run")
    (folder / "devices.json").write_text("precious")
    before = snapshot(tmp_path)
    plot = ("--plot", tmp_path / picture)
    refused(call("export", folder, "--format", "samna", "--out", tmp_path / "a", *plot), "--plot", ".png, .svg, .pdf")
    refused(call("evaluate", folder, "--chips", "2", *plot), "--plot", "a folder that exists")
    refused(call("tasks", "digits", *plot), "--plot", "a folder that exists")
    assert snapshot(tmp_path) == before


def test_overrides_that_would_do_nothing_are_refused():
    refused(call("chips", "--set", "slots=8"), "slots=8", "name it")
    refused(call("tasks", "--set", "task.training.lr=1"), "task.training.lr=1", "name it")
    refused(call("chips", "dynapse1", "--set", "task.training.lr=1"), "task.training.lr=1", "chip.")
    refused(call("tasks", "digits", "--set", "slots=8"), "slots=8", "task.")


def test_a_run_folder_in_place_of_tables_is_told(tmp_path, shared_run):
    refused(call("check", shared_run), "run folder", "neuro export")


@pytest.mark.parametrize("out", [".", "..", "/", ""])
def test_replay_refuses_a_folder_in_place_of_its_output(tmp_path, tables, out, monkeypatch):
    np.save(tmp_path / "x.npy", _ones())
    monkeypatch.chdir(tmp_path)
    refused(call("replay", tables, "--input", "x.npy", "--out", out))
    assert [p.name for p in tmp_path.iterdir()] == ["x.npy"]


def change(folder, table, edit_rows):
    """Edit the lines of a table (without its header), in place."""
    path = folder / f"{table}.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *edit_rows(rows), ""]))


def cells(row, **changed):
    names = ["chip", "core", "neuron", "slot", "tag", "type", "part", "code", "delay"]
    return ",".join(str(changed.get(n, c)) for n, c in zip(names, row.split(","), strict=True))


def _full_neuron(rows):
    """Give one neuron's words a 65th, of a tag its core hears."""
    from collections import Counter

    words = Counter(tuple(r.split(",")[:3]) for r in rows)
    neuron, n = words.most_common(1)[0]
    mine = next(r for r in rows if tuple(r.split(",")[:3]) == neuron)
    return [*rows, *(cells(mine, slot=slot) for slot in range(n, 65))]


BROKEN = {
    "a 65th slot": ("synapses", _full_neuron, 1, ["slots", "65", "64"]),
    "a slot beyond the memory": ("synapses", lambda r: [cells(r[0], slot=64), *r[1:]], 1, ["slot"]),
    "a duplicate row": ("synapses", lambda r: [*r, r[0]], 1, ["duplicate rows in synapses"]),
    "an unknown tag": ("synapses", lambda r: [cells(r[0], tag=1023), *r[1:]], 1, ["unknown tag", "1023"]),
    "a tag beyond its bits": ("synapses", lambda r: [cells(r[0], tag=1024), *r[1:]], 1, ["tag", "1024"]),
    "a forbidden tag": ("synapses", lambda r: [cells(r[0], tag=0), *r[1:]], 1, ["forbidden tag"]),
    "a neuron that is not there": ("synapses", lambda r: [cells(r[0], neuron=255), *r[1:]], 1, ["neuron", "255"]),
    "an unused type": ("synapses", lambda r: [cells(r[0], type=2), *r[1:]], 1, ["synapses.type", "2"]),
    "too few cells": ("synapses", lambda r: [r[0] + ",1", *r[1:]], 2, ["synapses.csv:2", "10 cells", "9"]),
    "text in a number's place": ("synapses", lambda r: [cells(r[0], code="x"), *r[1:]], 2, ["synapses.csv:2", "'x'"]),
    "a neuron too few": ("neurons", lambda r: r[1:], 1, ["population size", "hidden"]),
    "a route too few": ("routes", lambda r: r[1:], 1, ["unknown tag"]),
    "another weight": (
        "weights",
        lambda r: [r[0].rsplit(",", 1)[0] + "," + str(int(r[0].rsplit(",", 1)[1]) + (-1) ** ("-" in r[0])), *r[1:]],
        1,
        ["base weight"],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_tables(tmp_path, tables, name):
    table, how, status, words = BROKEN[name]
    folder = shutil.copytree(tables, tmp_path / "tables")
    change(folder, table, how)
    before = snapshot(folder)
    refused(call("check", folder), f"{table}.csv", "sha256", "export again")
    np.save(tmp_path / "x.npy", _ones())
    refused(call("replay", folder, "--input", tmp_path / "x.npy", "--out", tmp_path / "y.npy"), f"{table}.csv")
    said = call("check", folder, "--edited")
    if status == 2:
        refused(said, *words)
    else:
        assert said.status == 1, said
        assert all(word in said.out for word in words), said.out
        assert said.err == ""
        told = json.loads(call("check", folder, "--edited", "--json").out)
        assert told["findings"] and any(words[0] in f for f in told["findings"])
    assert snapshot(folder) == before


def test_broken_table_files(tmp_path, tables, shared_run):
    folder = shutil.copytree(tables, tmp_path / "tables")
    synapses, manifest = folder / "synapses.csv", folder / "manifest.json"
    kept = {p: p.read_bytes() for p in folder.iterdir()}

    def with_files(changed, *words):
        for path, data in kept.items():
            path.write_bytes(changed.get(path, data))
        refused(call("check", folder, "--edited"), *words)
        refused(call("verify", shared_run, "--tables", folder), *words[:1])

    with_files({synapses: kept[synapses].replace(b"slot", b"plot", 1)}, "synapses.csv", "slot")
    with_files({synapses: b""}, "synapses.csv")
    with_files({synapses: kept[synapses][:-5]}, "synapses.csv")
    with_files({synapses: b"\xff\xfe" + kept[synapses]}, "synapses.csv")
    with_files({manifest: b""}, "manifest.json")
    with_files({manifest: b"[]"}, "manifest.json")
    with_files({manifest: kept[manifest][:1000]}, "manifest.json", "JSON")
    with_files({manifest: kept[manifest].replace(b'"version": 1', b'"version": 2')}, "manifest.json", "version")
    (folder / "others.csv").write_text("chip\n")
    synapses.unlink()
    manifest.write_bytes(kept[manifest])
    refused(call("check", folder, "--edited"), "synapses.csv")


def test_for_real_in_a_process_of_its_own(tmp_path):
    (tmp_path / "bad.yaml").write_text("name: [1")
    before = snapshot(tmp_path)
    refused(run("train", "bad.yaml", "--chip", "dynapse1", "--out", "run", cwd=tmp_path), "bad.yaml:1")
    refused(run("evaluate", "none", cwd=tmp_path), "none", "no run folder")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ANALOG)
def test_devices_that_cannot_be(tmp_path, name):
    chip, changes, words = ANALOG[name]
    options = [part for change in changes for part in ("--set", f"chip.{change}")]
    before = snapshot(tmp_path)
    refused(call("chips", chip, *options), *words)
    refused(call("train", "digits", "--chip", chip, *options, "--out", tmp_path / "run"), *words)
    assert snapshot(tmp_path) == before


def test_a_chip_file_with_such_a_device_is_named_by_line(tmp_path):
    text = (ROOT / "chips" / "pcm-crossbar.yaml").read_text()
    (tmp_path / "bad.yaml").write_text(edit(text, "  ratio: null", "  ratio: 0.5"))
    line = text[: text.index("  ratio: null")].count("\n") + 1
    refused(call("chips", tmp_path / "bad.yaml"), f"bad.yaml:{line}", "devices.ratio: have 0.5")


@pytest.mark.parametrize("scale", ["20", "-1", "nan"])
def test_a_device_drawn_with_400_percent_is_refused(tmp_path, scale):
    refused(call("virtual", "dynapse1", "--scale", scale, "--out", tmp_path / "board.safetensors"), "scale")
    change = f"task.training.mismatch={{scale: {scale}}}"
    refused(call("train", "digits", "--chip", "dynapse1", "--set", change, "--out", tmp_path / "run"), "scale")
    assert not list(tmp_path.iterdir())
