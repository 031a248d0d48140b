"""Run folders: complete in themselves, and every damaged file noticed, never trusted, never a traceback."""

import json
import shutil

import numpy as np
import pytest
import torch
from tiny_task import call, metrics_without_time, network_bits, refused, snapshot

import neuro
from neuro.errors import NeuroError, RunError
from neuro.runs import load_checkpoint, save_checkpoint, write_atomically


@pytest.fixture
def run(shared_run, tmp_path):
    """A copy of the finished run, to be damaged."""
    return shutil.copytree(shared_run, tmp_path / "run")


def unfinished(unfinished_run, tmp_path):
    return shutil.copytree(unfinished_run, tmp_path / "unfinished_run")


def test_a_run_folder_holds_all_there_is_to_know(shared_run, tmp_path, monkeypatch):
    moved = shutil.copytree(shared_run, tmp_path / "elsewhere")
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    run = neuro.load_run("../elsewhere")
    assert (run.task.name, run.chip.name, run.seed) == ("tiny", "dynapse1", 0)
    assert run.task.training.epochs == 2 and run.chip.label == "dynapse1"
    assert run.network.violations() == []
    assert [m["epoch"] for m in run.metrics] == [1, 2]
    here, there = neuro.evaluate("../elsewhere"), neuro.evaluate(shared_run)
    assert here == there
    names = {p.name.split("-")[0] if p.suffix == ".safetensors" else p.name for p in moved.iterdir()}
    files = {"run.json", "task.json", "chip.json", "metrics.jsonl", "best.json", "last.json", "curves.png"}
    assert names == files | {"best", "last"}
    assert (moved / "curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    about = json.loads((moved / "run.json").read_text())
    assert about["seed"] == 0 and about["torch"] == torch.__version__ and about["neuro"] == neuro.__version__


def test_overrides_are_kept_in_the_run(tiny, tmp_path):
    out = tmp_path / "run"
    said = call(
        *("train", tiny, "--chip", "dynapse1", "--out", out, "--epochs", "1", "--set", "slots=7"),
        *("--set", "task.populations.hidden.size=5", "--seed", "3"),
    )
    assert said.status == 0, said
    assert "not the real chip: weights.slots=7" in said.err
    run = neuro.load_run(out)
    assert run.chip.weights.slots == 7 and run.chip.changed == ("weights.slots=7",)
    assert run.task.populations["hidden"].size == 5 and run.task.training.epochs == 1 and run.seed == 3
    assert "not the real chip: weights.slots=7" in call("evaluate", out).out
    assert json.loads(call("evaluate", out, "--json").out)["slots_allowed"] == 7


def test_the_best_checkpoint_is_that_of_the_best_line(shared_run):
    run = neuro.load_run(shared_run)
    best = max(run.metrics, key=lambda m: (m["validation_accuracy"], -m["validation_loss"], -m["epoch"]))
    assert {k: best[k] for k in run.facts} == run.facts
    measured = neuro.evaluate(run, "validation")
    assert (measured.accuracy, measured.loss) == (best["validation_accuracy"], best["validation_loss"])
    last_epoch = run.metrics[-1]["epoch"] == best["epoch"]
    best_bits, last_bits = network_bits(shared_run, "best"), network_bits(shared_run, "last")
    assert last_epoch == all(best_bits[k] == last_bits[f"network.{k}"] for k in best_bits)


COMMANDS = {
    "evaluate": lambda run, tiny, out: ("evaluate", run),
    "verify": lambda run, tiny, out: ("verify", run),
    "export": lambda run, tiny, out: ("export", run, "--out", out),
    "resume": lambda run, tiny, out: ("train", tiny, "--chip", "dynapse1", "--out", run, "--resume"),
}


def tensors_of(run, name):
    return next(run.glob(f"{name}-*.safetensors"))


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "best tensors cut": (lambda r: cut(tensors_of(r, "best")), ["evaluate", "verify", "export"]),
    "best tensors edited": (lambda r: flip(tensors_of(r, "best")), ["evaluate", "verify", "export"]),
    "best tensors gone": (lambda r: tensors_of(r, "best").unlink(), ["evaluate", "verify", "export"]),
    "best tensors a folder": (
        lambda r: (
            tensors_of(r, "best").rename(r / "x"),
            (r / json.loads((r / "best.json").read_text())["tensors"]).mkdir(),
        ),
        ["evaluate"],
    ),
    "best facts cut": (lambda r: cut(r / "best.json"), ["evaluate", "verify", "export"]),
    "best facts gone": (lambda r: (r / "best.json").unlink(), ["evaluate", "verify", "export"]),
    "best facts a list": (lambda r: (r / "best.json").write_text("[1]"), ["evaluate"]),
    "best facts a number": (lambda r: (r / "best.json").write_text("1"), ["evaluate"]),
    "best facts not text": (lambda r: (r / "best.json").write_bytes(b"\xff\xfe{}"), ["evaluate"]),
    "best facts too deep": (lambda r: (r / "best.json").write_text("[" * 100_000), ["evaluate"]),
    "best facts elsewhere": (lambda r: edit(r / "best.json", tensors="../../secret"), ["evaluate"]),
    "best is last": (lambda r: shutil.copy(r / "last.json", r / "best.json"), ["evaluate", "verify", "export"]),
    "last tensors cut": (lambda r: cut(tensors_of(r, "last")), ["resume"]),
    "last tensors edited": (lambda r: flip(tensors_of(r, "last")), ["resume"]),
    "last tensors gone": (lambda r: tensors_of(r, "last").unlink(), ["resume"]),
    "last facts cut": (lambda r: cut(r / "last.json"), ["resume"]),
    "last facts a list": (lambda r: (r / "last.json").write_text("[1]"), ["resume"]),
    "last facts without position": (lambda r: edit(r / "last.json", position={}), ["resume"]),
    "last position text": (lambda r: edit(r / "last.json", position={"epoch": "one"}), ["resume"]),
    "last position below zero": (lambda r: edit(r / "last.json", position={"epoch": -1}), ["resume"]),
    "last position fractional": (lambda r: edit(r / "last.json", position={"epoch": 1, "batch": 0.5}), ["resume"]),
    "last position earlier": (lambda r: edit(r / "last.json", position=lambda p: p | {"epoch": 0}), ["resume"]),
    "last best accuracy higher": (
        lambda r: edit(r / "last.json", position=lambda p: p | {"best_accuracy": 1}),
        ["resume"],
    ),
    "best facts edited": (lambda r: edit(r / "best.json", validation_accuracy=0.99), ["evaluate"]),
    "last position beyond": (lambda r: edit(r / "last.json", position={"epoch": 0, "batch": 10**9}), ["resume"]),
    "last optimizer gone": (lambda r: edit(r / "last.json", optimizer={}), ["resume"]),
    "last optimizer a list": (lambda r: edit(r / "last.json", optimizer=[1]), ["resume"]),
    "last optimizer groups edited": (lambda r: edit(r / "last.json", optimizer=wrong_groups), ["resume"]),
    "last is best": (lambda r: shutil.copy(r / "best.json", r / "last.json"), ["resume"]),
    "task cut": (lambda r: cut(r / "task.json"), ["evaluate", "resume"]),
    "task gone": (lambda r: (r / "task.json").unlink(), ["evaluate", "resume"]),
    "task another size": (lambda r: edit(r / "task.json", populations=more_neurons), ["evaluate", "verify", "export"]),
    "chip cut": (lambda r: cut(r / "chip.json"), ["evaluate", "resume"]),
    "chip a list": (lambda r: (r / "chip.json").write_text("[]"), ["evaluate"]),
    "chip of fewer slots": (lambda r: edit(r / "chip.json", weights=fewer_slots), ["evaluate", "verify", "export"]),
    "run.json cut": (lambda r: cut(r / "run.json"), ["evaluate", "resume"]),
    "run.json a list": (lambda r: (r / "run.json").write_text("[]"), ["evaluate"]),
    "run.json of another format": (lambda r: edit(r / "run.json", version=2), ["evaluate", "resume"]),
    "run.json with a seed of text": (lambda r: edit(r / "run.json", seed="x"), ["evaluate"]),
    "run.json with an infinite seed": (lambda r: edit(r / "run.json", seed=float("inf")), ["evaluate"]),
    "run.json a folder": (lambda r: ((r / "run.json").unlink(), (r / "run.json").mkdir()), ["evaluate", "resume"]),
}


def edit(path, **changed):
    tree = json.loads(path.read_text())
    for key, new in changed.items():
        place = tree if key in tree else tree["facts"]
        place[key] = new(place[key]) if callable(new) else new
    path.write_text(json.dumps(tree))


def more_neurons(populations):
    return populations | {"hidden": populations["hidden"] | {"size": 13}}


def fewer_slots(weights):
    return weights | {"slots": 5}


def wrong_groups(optimizer):
    return optimizer | {"groups": [{"params": [0]}]}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_named(run, unfinished_run, tiny, tmp_path, name):
    damage, commands = DAMAGE[name]
    if "resume" in commands:
        run = unfinished(unfinished_run, tmp_path)
    damage(run)
    before = snapshot(tmp_path)
    for command in commands:
        refused(call(*COMMANDS[command](run, tiny, tmp_path / "out")), "run")
        assert snapshot(tmp_path) == before, command


METRICS = ["{", "[1]\n", "1\n", "null\n", "{}\n", '{"epoch": "x"}\n', "\xff", '{"epoch": 1, "epoch": 1}\n' * 2]


@pytest.mark.parametrize("text", METRICS)
def test_damaged_metrics_are_named(unfinished_run, tiny, tmp_path, text):
    run = unfinished(unfinished_run, tmp_path)
    (run / "metrics.jsonl").write_text(text, encoding="latin-1")
    said = call("train", tiny, "--chip", "dynapse1", "--out", run, "--resume")
    assert said.status == 2, said
    assert "metrics.jsonl" in said.err and "Traceback" not in said.err


def test_a_missing_picture_comes_back(run, tiny):
    (run / "curves.png").unlink()
    said = call("train", tiny, "--chip", "dynapse1", "--out", run, "--resume")
    assert said.status == 0, said
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_going_on_with_a_finished_run_changes_nothing_that_counts(run, tiny):
    before = snapshot(run)
    assert call("train", tiny, "--chip", "dynapse1", "--out", run, "--resume").status == 0
    after = snapshot(run)
    assert {k: v for k, v in after.items() if k != "curves.png"} == {
        k: v for k, v in before.items() if k != "curves.png"
    }
    assert metrics_without_time(run)


def test_checkpoints_round_trip_and_replace_each_other(tmp_path):
    generator = torch.Generator().manual_seed(0)
    for number in range(3):
        tensors = {
            "a": torch.randn(3, 4, generator=generator),
            "b": torch.tensor(number),
            "c": torch.randint(0, 9, (2, 3), dtype=torch.int16).T,
            "empty": torch.zeros(0, 3),
        }
        save_checkpoint(tmp_path, "x", tensors, {"number": number, "third": 1 / 3})
        again, facts = load_checkpoint(tmp_path, "x")
        assert facts == {"number": number, "third": 1 / 3}
        assert again.keys() == tensors.keys()
        assert all(again[k].dtype == t.dtype and torch.equal(again[k], t) for k, t in tensors.items())
        assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(RunError, match="missing"):
        load_checkpoint(tmp_path, "y")


def test_writing_is_whole_or_not_at_all(tmp_path, monkeypatch):
    import os

    path = tmp_path / "f"
    path.write_text("old")

    def broken(*_):
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, broken)
            with pytest.raises(RunError, match="No space left"):
                write_atomically(path, "new")
        assert path.read_text() == "old"
        assert [p.name for p in tmp_path.iterdir()] == ["f"]
    write_atomically(path, "new")
    assert path.read_text() == "new"


def test_python_refuses_a_negative_seed_and_a_bad_folder(tiny, tmp_path):
    for seed in (-1, 2**70, 1.5, "a"):
        with pytest.raises(NeuroError):
            neuro.train(str(tiny), "dynapse1", tmp_path / "out", seed=seed)
        assert not (tmp_path / "out").exists()
    for epochs in (0, -1, 2.5, "x"):
        with pytest.raises(NeuroError):
            neuro.train(str(tiny), "dynapse1", tmp_path / "out", epochs=epochs)
        assert not (tmp_path / "out").exists()
    with pytest.raises(NeuroError):
        neuro.evaluate(tmp_path / "none")
    with pytest.raises(NeuroError):
        neuro.load_run("")


@pytest.mark.parametrize(("seed", "times"), [(0, 20), (1, 20), pytest.param(2, 400, marks=pytest.mark.slow)])
def test_random_damage_to_a_run_folder(unfinished_run, tmp_path, tiny, seed, times):
    """Bytes flipped, cut, doubled or written over in any file: the run works, or one message says what is wrong."""
    rng = np.random.default_rng(seed)
    files = sorted(p.name for p in unfinished_run.iterdir() if p.suffix != ".png")
    for number in range(times):
        run = shutil.copytree(unfinished_run, tmp_path / f"run{number}")
        path = run / files[rng.integers(len(files))]
        path.write_bytes(mutated(path.read_bytes(), rng))
        commands = [
            ("evaluate", run),
            ("train", tiny, "--chip", "dynapse1", "--out", run, "--resume"),
        ]
        said = call(*commands[0 if path.name.startswith("best") else rng.integers(2)])
        if said.status:
            assert said.status == 2 and said.err.strip() and "Traceback" not in said.err, (path.name, said)
        shutil.rmtree(run)


def mutated(data: bytes, rng) -> bytes:
    at = int(rng.integers(len(data)))
    match int(rng.integers(6)):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]
        case 2:
            return data[:at] + data[at + int(rng.integers(1, 20)) :]
        case 3:
            return data[:at] + data[max(0, at - 9) : at] + data[at:]
        case 4:
            digits = [i for i, b in enumerate(data) if 48 <= b <= 57] or [at]
            i = digits[int(rng.integers(len(digits)))]
            text = rng.choice([b"9", b"-1", b"1e400", b"null", b'"x"', b"[]", b"0.5", b"99999999999999999999"])
            return data[:i] + bytes(text) + data[i + 1 :]
        case _:
            return data[:at] + rng.integers(0, 256, 5, dtype=np.uint8).tobytes() + data[at + 5 :]
