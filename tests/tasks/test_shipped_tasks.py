"""Every shipped task fits the chip it names, and trains, exports, replays and verifies on small files of its form."""

from pathlib import Path

import pytest
from tiny_task import ROOT, call

import neuro
from neuro.training.progress import Quiet

FILES = ROOT / "tests/data/files"
TASKS = sorted((ROOT / "tasks").glob("*.yaml"))
FEW = [  # each of them quick, together every kind of label, read-out, input and encoder that training must carry
    "braille",
    "ecg-core",
    "mnist-binary",
]


def told(path: Path) -> tuple[str, list[str]]:
    """Read chip and overrides of a task from the command on its file's first line."""
    words = path.read_text().splitlines()[0].split("#")[1].split()
    assert words[:3] == ["neuro", "train", path.stem], words
    overrides = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    return words[words.index("--chip") + 1], [o.removeprefix("chip.") for o in overrides]


@pytest.mark.parametrize("path", TASKS, ids=lambda p: p.stem)
def test_it_fits_its_chip(path):
    chip, overrides = told(path)
    task, chip = neuro.load_task(path.stem), neuro.load_chip(chip, overrides)
    plan = neuro.place(task.network, chip)
    homes = {int(place[0]) for places in plan.locations.values() for place in places}
    assert len(homes) == 1, "one chip of the board"


@pytest.mark.parametrize("name", ["yinyang", "mnist1d", "braille", "emg", "ecg", "ecg-core"])
def test_what_says_the_neurons_of_one_core_fits_one_core(name):
    one = neuro.load_chip("dynapse1", ["cores.per_chip=1", "board.columns=1", "board.rows=1"])
    task = neuro.load_task(name)
    if name == "ecg-core":  # all neurons of one core would have to adapt alike: two cores there, though few neurons
        assert sum(p.size for p in task.populations.values()) <= 255
    else:
        assert len(neuro.place(task.network, one).cores) == 1


def trained(path, tmp_path, monkeypatch):
    chip, overrides = told(path)
    monkeypatch.setenv("NEURO_DATA", str(FILES))
    task = neuro.load_task(path.stem, ["training.epochs=1", "data.validation=0.3", "training.batch=24"])
    run = neuro.train(task, neuro.load_chip(chip, overrides), tmp_path / "run", progress=Quiet())
    proof = neuro.verify(run)
    assert proof.passed, str(proof)
    assert proof.spikes > 0, "a silent network proves nothing"
    assert proof.accuracy == proof.replay_accuracy
    assert run.metrics[-1]["violations"] == 0


@pytest.mark.parametrize("path", [p for p in TASKS if p.stem in FEW], ids=lambda p: p.stem)
def test_it_trains_and_verifies(path, tmp_path, monkeypatch):
    trained(path, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in TASKS if p.stem not in FEW], ids=lambda p: p.stem)
def test_it_trains_and_verifies_too(path, tmp_path, monkeypatch):
    trained(path, tmp_path, monkeypatch)


def test_users_are_told_what_does_not_fit_together(tmp_path):
    for change, words in (
        ("task.loss.kind=spike_count", ("per_step", "a label a step")),
        ("task.encoder.steps=1300", ("1301", "1300")),
        ("task.inputs.leads=5", ("inputs.leads is 5", "4")),
    ):
        said = call("train", "ecg", "--chip", "dynapse1", "--out", tmp_path / "r", "--data", FILES, "--set", change)
        assert said.status == 2 and all(word in said.err for word in words), said.err
        assert not (tmp_path / "r").exists()


def test_no_more_than_a_batch_is_ever_encoded_at_once(tmp_path, monkeypatch):
    import neuro.data.batches as batches

    sizes, encode = [], batches.encode

    def noted(encoder, x, ids, *rest):
        sizes.append(len(ids))
        return encode(encoder, x, ids, *rest)

    monkeypatch.setattr(batches, "encode", noted)
    monkeypatch.setenv("NEURO_DATA", str(FILES))
    task = neuro.load_task("mnist-binary", ["training.epochs=1", "data.validation=0.3", "training.batch=7"])
    neuro.train(task, "binary-core", tmp_path / "run", progress=Quiet())
    assert max(sizes[: -(-42 // 7)]) == 7 and sum(sizes[1:7]) == 40
