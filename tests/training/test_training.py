"""Training: the same seed gives the same bits, however often it was interrupted; what is kept is what was best."""

import itertools
import json
import os
import random
import shutil
import signal
import time

import pytest
import torch
from tiny_task import TINY, call, metrics_without_time, network_bits, refused, spawn

import neuro
from neuro.data import load_dataset
from neuro.errors import DataError, DescriptionError, FeasibilityError, NeuroError, RunError
from neuro.task import load_task
from neuro.training.progress import Quiet
from neuro.training.start import checked_device

LONGER = TINY.replace("epochs: 2, batch: 64", "epochs: 3, batch: 6, base_every: 3")


def bits(folder):
    return network_bits(folder, "best"), network_bits(folder, "last"), metrics_without_time(folder)


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    """A longer task's file and its uninterrupted run."""
    folder = tmp_path_factory.mktemp("longer")
    path = folder / "longer.yaml"
    path.write_text(LONGER)
    torch.set_num_threads(1)
    neuro.train(str(path), "dynapse1", folder / "run", seed=5, progress=Quiet())
    return path, folder / "run"


def test_the_same_seed_gives_the_same_bits_and_another_does_not(shared_run, tiny, tmp_path):
    neuro.train(str(tiny), "dynapse1", tmp_path / "again", progress=Quiet())
    assert bits(tmp_path / "again") == bits(shared_run)
    for file in ("task.json", "chip.json", "run.json"):
        assert (tmp_path / "again" / file).read_bytes() == (shared_run / file).read_bytes()
    neuro.train(str(tiny), "dynapse1", tmp_path / "other", seed=1, progress=Quiet())
    best, last, metrics = bits(tmp_path / "other")
    assert best != bits(shared_run)[0] and metrics != bits(shared_run)[2]
    assert any(last[k] != v for k, v in bits(shared_run)[1].items() if k.startswith("network.latents"))


def test_training_does_not_depend_on_the_global_generators(tiny, shared_run, tmp_path):
    import numpy as np

    torch.manual_seed(123)
    np.random.seed(123)  # noqa: NPY002
    random.seed(123)
    neuro.train(str(tiny), "dynapse1", tmp_path / "run", progress=Quiet())
    assert bits(tmp_path / "run") == bits(shared_run)


def test_every_line_keeps_the_limits_and_learning_happens(longer):
    _, folder = longer
    lines = neuro.load_run(folder).metrics
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert all(line["violations"] == 0 for line in lines)
    assert all(0 < line["slots_mean"] <= 64 for line in lines)
    assert lines[-1]["train_loss"] < lines[0]["train_loss"] - 0.2
    assert lines[-1]["train_accuracy"] > 0.3
    keys = {"epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "rate", "slots_mean"}
    assert all(line.keys() == keys | {"violations", "seconds"} for line in lines)
    assert all(a["seconds"] <= b["seconds"] for a, b in itertools.pairwise(lines))


def test_a_finished_run_stays_what_it_is(longer, tmp_path):
    path, folder = longer
    copy = shutil.copytree(folder, tmp_path / "copy")
    run = neuro.train(str(path), "dynapse1", copy, seed=5, resume=True, progress=Quiet())
    assert bits(copy) == bits(folder)
    assert run.metrics == neuro.load_run(folder).metrics
    with pytest.raises(RunError, match="is there already"):
        neuro.train(str(path), "dynapse1", copy, seed=5, progress=Quiet())
    assert bits(copy) == bits(folder)


class Stopping(Quiet):
    """Behave like a user who presses Ctrl-C after so many batches."""

    def __init__(self, after):
        self.after = after

    def step(self, at, network):
        super().step(at, network)
        self.after -= 1
        if self.after == 0:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("after", [1, 70])
def test_ctrl_c_saves_and_going_on_gives_the_same_bits(longer, tmp_path, after):
    path, folder = longer
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(RunError, match="--resume") as stopped:
        neuro.train(str(path), "dynapse1", tmp_path / "run", seed=5, progress=Stopping(after))
    assert stopped.value.status == 130
    assert signal.getsignal(signal.SIGINT) is handler
    position = json.loads((tmp_path / "run" / "last.json").read_text())["facts"]["position"]
    per_epoch = -(-len(load_dataset(load_task(path).data).train) // 6)
    assert position["epoch"] * per_epoch + position["batch"] == after
    with pytest.raises(RunError, match="--resume"):  # and once more, before it goes to the end
        neuro.train(str(path), "dynapse1", tmp_path / "run", seed=5, resume=True, progress=Stopping(3))
    neuro.train(str(path), "dynapse1", tmp_path / "run", seed=5, resume=True, progress=Quiet())
    assert bits(tmp_path / "run") == bits(folder)


PARTS = {
    "published": "rounding: stochastic, connectivity: 0.5, random_shares: true, refill: 0.4, least_connections: 2, "
    "temperature: 1e-6, count_space: true",
    "by gradient": "storage: slots, reserve: 4, growth_every: 3, growth_candidates: 9, rounding: one-copy-stochastic",
}


@pytest.mark.parametrize("parts", PARTS)
def test_every_part_of_rewiring_resumes_to_the_same_bits(tmp_path, parts):
    path, chip = tmp_path / "parts.yaml", neuro.load_chip("dynapse1", ["slots=6"])
    path.write_text(LONGER.replace("epochs: 3", f"{PARTS[parts]}, epochs: 1"))
    neuro.train(str(path), chip, tmp_path / "whole", seed=5, progress=Quiet())
    with pytest.raises(RunError, match="--resume"):
        neuro.train(str(path), chip, tmp_path / "run", seed=5, progress=Stopping(40))
    neuro.train(str(path), chip, tmp_path / "run", seed=5, resume=True, progress=Quiet())
    assert bits(tmp_path / "run") == bits(tmp_path / "whole")
    assert all(line["violations"] == 0 for line in metrics_without_time(tmp_path / "run"))
    path.write_text(LONGER.replace("epochs: 3", "epochs: 1"))
    neuro.train(str(path), chip, tmp_path / "plain", seed=5, progress=Quiet())
    assert bits(tmp_path / "plain")[0] != bits(tmp_path / "whole")[0]


def test_ctrl_c_in_the_last_batch_of_all_loses_nothing(longer, tmp_path):
    path, folder = longer
    per_epoch = -(-len(load_dataset(load_task(path).data).train) // 6)
    try:
        neuro.train(str(path), "dynapse1", tmp_path / "run", seed=5, progress=Stopping(3 * per_epoch))
    except RunError:
        neuro.train(str(path), "dynapse1", tmp_path / "run", seed=5, resume=True, progress=Quiet())
    assert bits(tmp_path / "run") == bits(folder)


class Killed(BaseException):
    pass


def test_a_death_before_any_file_is_replaced_costs_nothing(tiny, shared_run, tmp_path, monkeypatch):
    """Die at every single replacement of a file in turn, go on, and find the same bits."""
    replace, wanted = os.replace, bits(shared_run)
    for number in itertools.count():
        folder, left = tmp_path / str(number), number

        def dying(source, target):
            nonlocal left
            if left == 0:
                raise Killed
            replace(source, target)
            left -= 1

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", dying)
            try:
                neuro.train(str(tiny), "dynapse1", folder, progress=Quiet())
            except Killed:
                ended = False
            else:
                ended = True
        if ended:
            break
        if not (folder / "run.json").exists():
            with pytest.raises(RunError, match="no run folder"):
                neuro.train(str(tiny), "dynapse1", folder, resume=True, progress=Quiet())
            continue
        neuro.train(str(tiny), "dynapse1", folder, resume=True, progress=Quiet())
        assert bits(folder) == wanted, number
        assert (folder / "curves.png").exists(), number
    assert number >= 12  # three to begin with, position, best and metrics of each epoch, a picture


def _wait_for(path, process, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def test_ctrl_c_to_a_process_in_the_middle_of_an_epoch(longer, tmp_path):
    path, folder = longer
    command = ("train", path, "--chip", "dynapse1", "--out", tmp_path / "run", "--seed", "5")
    process = spawn(*command)
    _wait_for(tmp_path / "run" / "metrics.jsonl", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert out == "" and "Traceback" not in err and "--resume" in err and str(tmp_path / "run") in err
    position = json.loads((tmp_path / "run" / "last.json").read_text())["facts"]["position"]
    assert position["epoch"] < 3 and position["batch"] > 0
    said = call(*command, "--resume")
    assert said.status == 0, said
    assert "going on from epoch" in said.err
    assert bits(tmp_path / "run") == bits(folder)


@pytest.mark.slow
def test_kill_9_at_any_moment(longer, tmp_path):
    path, folder = longer
    command = ["train", path, "--chip", "dynapse1", "--out", tmp_path / "run", "--seed", "5", "--json"]
    rng = random.Random(0)
    for number in range(3):
        process = spawn(*command, *(["--resume"] if number else []))
        _wait_for(tmp_path / "run" / "last.json", process)
        time.sleep(rng.uniform(0, 1.5) if number == 0 else rng.uniform(3, 5))
        process.kill()
        process.communicate()
    said = call(*command, "--resume")
    assert said.status == 0, said
    assert bits(tmp_path / "run") == bits(folder)
    temporary = [p.name for p in (tmp_path / "run").iterdir() if p.name.startswith(".")]
    assert len(temporary) <= 3
    for name in ("best", "last"):
        assert len(list((tmp_path / "run").glob(f"{name}-*.safetensors"))) == 1


RECIPES = {
    "sgd": "optimizer: sgd, lr: 0.5",
    "adamw": "optimizer: adamw, weight_decay: 0.01, lr: 0.02",
    "constant": "schedule: constant, lr: 0.02",
    "hull": "latent: hull, lr: 0.02",
    "bases": "base_lr: 0.1, base_every: 1, lr: 0.02",
    "unclipped": "clip: null, lr: 0.02",
}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_and_goes_on_to_the_bit(tmp_path, name):
    path = tmp_path / "task.yaml"
    path.write_text(TINY.replace("lr: 0.02", RECIPES[name]))
    neuro.train(str(path), "dynapse1", tmp_path / "whole", progress=Quiet())
    with pytest.raises(RunError, match="--resume"):
        neuro.train(str(path), "dynapse1", tmp_path / "parts", progress=Stopping(3))
    neuro.train(str(path), "dynapse1", tmp_path / "parts", resume=True, progress=Quiet())
    assert bits(tmp_path / "parts") == bits(tmp_path / "whole")
    lines = neuro.load_run(tmp_path / "whole").metrics
    assert all(line["violations"] == 0 for line in lines)
    assert lines[-1]["train_loss"] < 2.4


LINEAR = TINY.replace("readout: spikes, classes: 10", "readout: linear, classes: 10, tau_out_s: 0.02").replace(
    "spike_count, scale: 0.2", "trace_mean, scale: 1.0"
)


@pytest.mark.parametrize("chip", ["dynapse1", "dynapse2", "generic", "binary-core", "truenorth"])
def test_a_linear_read_out_trains_and_verifies_on_every_chip(tmp_path, chip):
    path = tmp_path / "linear.yaml"
    path.write_text(LINEAR)
    run = neuro.train(str(path), chip, tmp_path / "run", epochs=1, progress=Quiet())
    assert run.metrics[-1]["violations"] == 0
    assert run.metrics[-1]["train_loss"] < 2.5
    assert "readouts.digit.weight" in network_bits(tmp_path / "run", "last") or any(
        "readouts" in k for k in network_bits(tmp_path / "run", "last")
    )
    proof = neuro.verify(run)
    assert proof.passed and proof.differ == 0 and proof.accuracy == proof.replay_accuracy
    assert proof.compared == (12 + 10) * 11 * proof.samples and proof.spikes > 0


def test_labels_for_every_step_are_refused_before_anything_is_written(tiny, tmp_path):
    task = load_task(tiny, ["loss.kind=per_step"])
    with pytest.raises(DataError, match="per_step"):
        neuro.train(task, "dynapse1", tmp_path / "run", progress=Quiet())
    assert not (tmp_path / "run").exists()


def test_a_loss_that_explodes_is_told_and_leaves_a_readable_run(tiny, tmp_path, monkeypatch):
    import neuro.training.loop as loop

    monkeypatch.setattr(loop, "task_loss", lambda kind, outputs, labels: outputs.sum() * float("nan"))
    with pytest.raises(FeasibilityError, match="NaN"):
        neuro.train(str(tiny), "dynapse1", tmp_path / "run", progress=Quiet())
    assert neuro.load_run(tmp_path / "run").seed == 0


def test_the_test_part_is_never_looked_at(tiny, shared_run, tmp_path, monkeypatch):
    """Labels and pixels of the test part replaced by nonsense: the same bits come out."""
    from dataclasses import replace

    import neuro.training.start as start

    def blind(data):
        real = load_dataset(data)
        return replace(real, test=replace(real.test, x=real.test.x * 0 + float("nan"), y=real.test.y * 0 - 7))

    monkeypatch.setattr(start, "load_dataset", blind)
    neuro.train(str(tiny), "dynapse1", tmp_path / "run", progress=Quiet())
    assert bits(tmp_path / "run") == bits(shared_run)


def test_regularisers_by_hand():
    from neuro.losses import regularisers, task_loss
    from neuro.nn.state import Record
    from neuro.task import Loss

    z = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]], [[0.0, 0.0]], [[0.0, 0.0]]])
    v = torch.tensor([[[3.0, 0.5]], [[-2.0, 0.0]], [[0.0, 0.0]], [[0.0, 0.0]]])
    record = Record(None, {"a": z}, {"a": v}, {"a": z.mean((0, 1))})
    loss = Loss(rate_target=0.25, rate_weight=2.0)
    assert float(regularisers(loss, record)) == pytest.approx(2 * (0.25**2 + 0.25**2))
    assert float(regularisers(Loss(voltage_weight=1.0), record)) == pytest.approx((2**2 + 1**2) / 8)
    outputs, labels = torch.tensor([[[1.0, 0.0]], [[2.0, 1.0]]]), torch.tensor([0])
    for kind, scores in (("spike_count", (3.0, 1.0)), ("trace_mean", (1.5, 0.5))):
        a, b = (0.5 * s for s in scores)
        expected = torch.log(torch.exp(torch.tensor(b - a)) + 1)
        assert float(task_loss(Loss(kind=kind, scale=0.5), outputs, labels)) == pytest.approx(float(expected), rel=1e-6)


def test_membranes_are_regularised_in_thresholds(tiny, tmp_path, monkeypatch):
    """voltage_weight is on (v/θ)²: the same network in units twice as large has the same loss."""
    import neuro.training.loop as loop

    seen, regularisers = {}, loop.regularisers
    for theta in (1.0, 4.0):
        changes = [f"populations.{p}.threshold={theta}" for p in ("hidden", "digit")]
        task = load_task(tiny, ["loss.voltage_weight=1", "loss.rate_weight=0", *changes])
        losses = seen[theta] = []

        def noted(loss, record, thresholds, *rest, losses=losses):
            value = regularisers(loss, record, thresholds, *rest)
            losses.append(float(value.detach()))
            return value

        monkeypatch.setattr(loop, "regularisers", noted)
        neuro.train(task, "generic", tmp_path / f"{theta}", epochs=1, progress=Quiet())
    assert seen[1.0][0] == pytest.approx(seen[4.0][0], rel=1e-3)
    assert seen[1.0][0] > 0


@pytest.mark.parametrize("recipe", ["latent=hull", "rounding=stochastic"])
def test_what_a_chips_weights_do_not_allow_is_refused_before_anything_is_written(tiny, tmp_path, recipe):
    with pytest.raises(NeuroError, match="hull|draw"):
        neuro.train(load_task(tiny, [f"training.{recipe}"]), "truenorth", tmp_path / "run", progress=Quiet())
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there_is_refused(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    said = refused(call("train", tiny, "--chip", "dynapse1", "--device", "cuda", "--out", tmp_path / "run"))
    assert "device is 'cuda', allowed here: cpu" in said
    assert not (tmp_path / "run").exists()


def test_devices_are_those_of_the_machine(tiny, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    task = load_task(str(tiny))
    assert checked_device("cuda:1", task) == torch.device("cuda", 1)
    with pytest.raises(DescriptionError, match="allowed here: cpu, cuda, cuda:0, cuda:1"):
        checked_device("cuda:2", task)
    monkeypatch.setenv("WORLD_SIZE", "3"), monkeypatch.setenv("LOCAL_RANK", "1")
    assert checked_device(torch.device("cuda"), task) == torch.device("cuda", 1)
    with pytest.raises(DescriptionError, match="allowed here: cpu, cuda$"):
        checked_device("cuda:1", task)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(DescriptionError, match="there are 2 GPUs, and this is process 3"):
        checked_device("cuda", task)
    drawn = load_task(str(tiny), ["training.mismatch={}"])
    with pytest.raises(DescriptionError, match="training.mismatch"):
        checked_device("cuda", drawn)


class Noting(Quiet):
    """Keep what is said, and stop after the first batch."""

    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)

    def step(self, at, network):
        raise InterruptedError


@pytest.mark.parametrize("scale, told", [(0.3, False), (30, True)])
def test_a_gradient_that_explodes_on_its_way_back_is_told_of(tmp_path, scale, told):
    shown = Noting()
    task = load_task("digits-recurrent", [f"surrogate.scale={scale}", "populations.hidden.size=40"])
    with pytest.raises(InterruptedError):
        neuro.train(task, "dynapse1", tmp_path / "run", progress=shown)
    about = [text for text in shown.said if "surrogate.scale (now 30)" in text]
    assert len(about) == told
