"""Training on drawn devices and calibration for one: reproducible, resumable, feasible, and better where it should be."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_task import TINY, call, metrics_without_time, network_bits, refused

import neuro
from neuro.data import load_dataset, make_batch
from neuro.errors import DescriptionError, RunError
from neuro.evaluation import accuracy_on
from neuro.losses import task_loss
from neuro.reports import run_report
from neuro.runs import load_virtual_chip, save_virtual_chip
from neuro.silicon import deviation_of, drawn_deviation
from neuro.training.devices import attacked, forward_on
from neuro.training.progress import Quiet

REDRAWN = TINY.replace(
    "lr: 0.02}", "lr: 0.02, mismatch: {groups: 3, warmup: 0.7, attack_steps: 2, attack_size: 0.5, validation_chips: 2}}"
)


class Stopping(Quiet):
    """End after the first epoch, as if the process had been killed."""

    def epoch(self, line, better):
        raise EOFError


@pytest.fixture(scope="module")
def redrawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redrawn")
    (folder / "tiny.yaml").write_text(REDRAWN)
    neuro.train(str(folder / "tiny.yaml"), "dynapse1", folder / "run", seed=2, progress=Quiet())
    return folder


@pytest.fixture(scope="module")
def run(shared_run):
    return neuro.load_run(shared_run)


def test_the_same_seed_gives_the_same_bits_resumed_or_not(redrawn, tmp_path):
    task = str(redrawn / "tiny.yaml")
    with pytest.raises(EOFError):
        neuro.train(task, "dynapse1", tmp_path / "run", seed=2, progress=Stopping())
    neuro.train(task, "dynapse1", tmp_path / "run", seed=2, resume=True, progress=Quiet())
    for name in ("last", "best"):
        assert network_bits(tmp_path / "run", name) == network_bits(redrawn / "run", name)
    assert metrics_without_time(tmp_path / "run") == metrics_without_time(redrawn / "run")
    assert all(line["violations"] == 0 for line in metrics_without_time(redrawn / "run"))


def test_what_was_trained_on_devices_verifies_like_any_other(redrawn):
    assert neuro.verify(redrawn / "run").passed


def test_groups_run_their_part_of_the_samples_on_their_device(run):
    network, part = run.network, load_dataset(run.task.data).test
    x, _ = make_batch(run.task, part, np.arange(7), 0)
    devices = [drawn_deviation(network.plan, k) for k in range(3)]
    with torch.no_grad():
        outputs, record = forward_on(network, x, devices, record=("hidden",))
        for device, own in zip(devices, (slice(0, 3), slice(3, 5), slice(5, 7)), strict=True):
            y, alone = network(x[:, own], record=("hidden",), deviation=device)
            assert torch.equal(outputs[:, own], y)
            assert torch.equal(record.spikes["hidden"][:, own], alone.spikes["hidden"])
        few, _ = forward_on(network, x[:, :2], devices)  # fewer samples than devices
    assert few.shape[1] == 2


def test_an_attack_climbs_within_its_bound(run):
    network, part = run.network, load_dataset(run.task.data).train
    x, labels = make_batch(run.task, part, np.arange(64), 0)
    drawn = [drawn_deviation(network.plan, k) for k in range(2)]

    def loss_on(deviations):
        return task_loss(run.task.loss, forward_on(network, x, deviations)[0], labels)

    moved = attacked(drawn, loss_on, 3, {"weight": 0.1})
    assert float(loss_on(moved).detach()) > 1.05 * float(loss_on(drawn).detach())
    for before, after in zip(drawn, moved, strict=True):
        for name in before.memories:
            share = after.memories[name].words / before.memories[name].words
            assert float((share - 1).abs().max()) <= 0.1 + 1e-12
            assert float((share - 1).abs().max()) > 0.05
            assert after.constants[name] is before.constants[name]


def test_an_attack_on_all_parameters_climbs_within_their_bounds(run):
    network, part = run.network, load_dataset(run.task.data).train
    x, labels = make_batch(run.task, part, np.arange(64), 0)
    drawn = [drawn_deviation(network.plan, k) for k in range(2)]

    def loss_on(deviations):
        return task_loss(run.task.loss, forward_on(network, x, deviations)[0], labels)

    bounds = {"weight": 0.1, "threshold": 0.1, "tau_mem": 0.2, "tau_syn": 0.05}
    losses = {"none": float(loss_on(drawn).detach())}
    for some in (("weight",), ("threshold",), ("tau_mem",), ("tau_syn",), tuple(bounds)):
        moved = attacked(drawn, loss_on, 3, {p: bounds[p] for p in some})
        losses[some] = float(loss_on(moved).detach())
        assert losses[some] > losses["none"], some
        for before, after in zip(drawn, moved, strict=True):
            for name in before.memories:
                far = {"weight": after.memories[name].words / before.memories[name].words}
                far |= {
                    p: np.asarray(torch.as_tensor(f)) / before.constants[name][p]
                    for p, f in after.constants[name].items()
                }
                for parameter, share in far.items():
                    most = float(abs(share - 1).max())
                    assert most <= bounds.get(parameter, 0) * (parameter in some) + 1e-12
                    assert (most > bounds.get(parameter, 0) / 4) == (parameter in some), (parameter, some)
    assert losses[tuple(bounds)] > max(loss for some, loss in losses.items() if some != tuple(bounds))


def test_training_against_attacks_on_all_parameters_exports_and_verifies(tmp_path):
    recipe = "{attack_steps: 2, attack_size: 0.5, attack_on: all, groups: 2}"
    (tmp_path / "tiny.yaml").write_text(TINY.replace("lr: 0.02}", f"lr: 0.02, mismatch: {recipe}}}"))
    words = TINY.replace("lr: 0.02}", f"lr: 0.02, mismatch: {recipe.replace('all', 'words')}}}")
    (tmp_path / "words.yaml").write_text(words)
    made = [
        neuro.train(str(tmp_path / f"{name}.yaml"), "dynapse1", tmp_path / name, progress=Quiet())
        for name in ("tiny", "words")
    ]
    proof = neuro.verify(made[0])
    assert proof.differ == 0 and proof.findings == () and all(m["violations"] == 0 for m in made[0].metrics)
    assert made[0].metrics[-1]["train_loss"] != made[1].metrics[-1]["train_loss"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("{scale: 20.0}", "400%"),
        ("{attack_steps: 1, attack_on: biases}", "words or all"),
        ("{attack_steps: 1, attack_size: 9.0}", "attack_size"),
        ("{redraw: never}", "batch or epoch"),
        ("{chips: 3}", "unknown key"),
        ("{groups: 0}", "groups"),
    ],
)
def test_recipes_that_cannot_be(tmp_path, change, words):
    (tmp_path / "tiny.yaml").write_text(TINY.replace("lr: 0.02}", f"lr: 0.02, mismatch: {change}}}"))
    with pytest.raises(DescriptionError, match=words):
        neuro.train(str(tmp_path / "tiny.yaml"), "dynapse1", tmp_path / "run", progress=Quiet())
    assert not (tmp_path / "run").exists()


def test_calibration_is_better_on_its_device_and_verifies(run, tmp_path):
    device = neuro.virtual_chip(run.chip, 5)
    tuned = neuro.calibrate(run, device, tmp_path / "run", epochs=3, progress=Quiet())
    deviation, test = deviation_of(run.network.plan, device), load_dataset(run.task.data).test
    before, after = (accuracy_on(r.network, run.task, test, [deviation])[0] for r in (run, tuned))
    assert after > before + 0.05
    words = [text for what, text in run_report._reproduce(tuned) if what.startswith("command")][0]
    assert words.startswith(
        f"neuro calibrate {run.folder} --virtual {tmp_path / 'run' / 'device.safetensors'} --epochs 3"
    )
    assert neuro.verify(tmp_path / "run").passed and neuro.verify(tmp_path / "run", virtual=device).passed
    kept = load_virtual_chip(tmp_path / "run" / "device.safetensors")
    assert all((kept.factors[name] == factor).all() for name, factor in device.factors.items())
    again = neuro.calibrate(run, device, tmp_path / "again", epochs=3, progress=Quiet())
    assert network_bits(tmp_path / "run", "last") == network_bits(tmp_path / "again", "last")
    assert tuned.network.plan.describe() == again.network.plan.describe() == run.network.plan.describe()


def test_calibration_of_biases_leaves_the_latents(run, tmp_path):
    neuro.calibrate(
        run, neuro.virtual_chip(run.chip, 5), tmp_path / "run", epochs=3, settings="biases", progress=Quiet()
    )
    before, after = network_bits(run.folder, "best"), network_bits(tmp_path / "run", "last")
    assert all(before[f"latents.{n}"] == after[f"network.latents.{n}"] for n in run.task.populations)
    assert before["bases.latent"] != after["network.bases.latent"]


def all_synapses(chip, factor):
    """A device on which every synaptic time constant is so many times what it should be."""
    return replace(drawn := neuro.virtual_chip(chip, 5, 0.0), factors={
        name: np.full_like(f, factor) if name == "tau_syn" else f for name, f in drawn.factors.items()
    })  # fmt: skip


def test_calibration_of_constants_makes_good_what_a_core_shares(run, tmp_path):
    device, test = all_synapses(run.chip, 0.1), load_dataset(run.task.data).test
    begun = network_bits(run.folder, "best")
    options = {"epochs": 12, "lr": 0.5, "settings": "biases", "progress": Quiet()}
    without = neuro.calibrate(run, device, tmp_path / "without", **options)
    tuned = neuro.calibrate(run, device, tmp_path / "run", constants=("tau_syn",), **options)
    deviation = deviation_of(run.network.plan, device)
    before, other, after = (accuracy_on(r.network, run.task, test, [deviation])[0] for r in (run, without, tuned))
    assert after > before + 0.05 and after > other + 0.03
    assert tuned.task.trainable == ("tau_syn",) and tuned.network.violations() == []
    assert tuned.network.plan.describe() == run.network.plan.describe()
    moved = tuned.network.constants
    assert all(v > e.start for v, e in zip(moved.values.tolist(), moved.entries, strict=True))
    now = network_bits(tmp_path / "run", "best")
    assert all(begun[f"latents.{n}"] == now[f"latents.{n}"] for n in run.task.populations)
    assert neuro.verify(tmp_path / "run").passed and neuro.verify(tmp_path / "run", virtual=device).passed
    assert neuro.check(neuro.export(tmp_path / "run")) == []
    words = [text for what, text in run_report._reproduce(tuned) if what.startswith("command")][0]
    assert "--settings biases --constants tau_syn" in words


def test_constants_trained_before_go_on_from_where_they_are(tmp_path):
    (tmp_path / "tiny.yaml").write_text(
        TINY.replace("training: {", "trainable: [tau_mem]\ntraining: {constant_lr: 0.3, ")
    )
    run = neuro.train(str(tmp_path / "tiny.yaml"), "dynapse1", tmp_path / "a", progress=Quiet())
    tuned = neuro.calibrate(
        run, all_synapses(run.chip, 1.0), tmp_path / "b", epochs=1, lr=1e-9, constants=("tau_syn",), progress=Quiet()
    )
    assert tuned.task.trainable == ("tau_mem", "tau_syn") and tuned.task.training.constant_lr == 0.3
    before, after = run.network.constants, load_run_start(tuned)
    values = dict(zip([(e.core, e.row, e.start) for e in before.entries], before.values.tolist(), strict=True))
    starts = [e.start for e in before.entries]
    assert any(v != s for v, s in zip(before.values.tolist(), starts, strict=True))
    found = {(e.core, e.row, e.start): v for e, v in zip(after.entries, after.values.tolist(), strict=True)}
    assert len(found) > len(values) and all(found[key] == value for key, value in values.items())


def load_run_start(tuned):
    """The constants a calibration began with."""
    from neuro.training.calibration import _network

    return _network(neuro.load_run(tuned.folder.parent / "a"), tuned.task).constants


def test_calibration_of_constants_on_the_command_line(run, tmp_path):
    save_virtual_chip(neuro.virtual_chip(run.chip, 5), tmp_path / "d.safetensors")
    common = (
        "calibrate",
        run.folder,
        "--virtual",
        tmp_path / "d.safetensors",
        "--out",
        tmp_path / "run",
        "--epochs",
        1,
    )
    refused(call(*common, "--constants", "tau_mem,taus"), "taus", "threshold")
    assert not (tmp_path / "run").exists()
    refused(call(*common, "--constants", "threshold"), "no bias of dynapse1 sets threshold")
    assert call(*common, "--constants", "tau_mem,tau_syn").status == 0
    assert neuro.load_run(tmp_path / "run").task.trainable == ("tau_mem", "tau_syn")


def test_calibration_resumes_to_the_same_bits(run, tmp_path):
    device = neuro.virtual_chip(run.chip, 5)
    neuro.calibrate(run, device, tmp_path / "whole", epochs=2, progress=Quiet())
    with pytest.raises(EOFError):
        neuro.calibrate(run, device, tmp_path / "run", epochs=2, progress=Stopping())
    neuro.calibrate(run, device, tmp_path / "run", epochs=2, resume=True, progress=Quiet())
    assert network_bits(tmp_path / "run", "last") == network_bits(tmp_path / "whole", "last")
    assert metrics_without_time(tmp_path / "run") == metrics_without_time(tmp_path / "whole")


def test_what_cannot_be_calibrated_is_refused(run, tmp_path):
    other = neuro.virtual_chip(neuro.load_chip("dynapse2"), 0)
    with pytest.raises(DescriptionError, match="not a dynapse1"):
        neuro.calibrate(run, other, tmp_path / "run", progress=Quiet())
    own = neuro.virtual_chip(run.chip, 0)
    with pytest.raises(DescriptionError, match="all, biases"):
        neuro.calibrate(run, own, tmp_path / "run", settings="taus", progress=Quiet())
    with pytest.raises(DescriptionError, match="epochs"):
        neuro.calibrate(run, own, tmp_path / "run", epochs=0, progress=Quiet())
    with pytest.raises(RunError, match="there already"):
        neuro.calibrate(run, own, run.folder, progress=Quiet())
    with pytest.raises(DescriptionError, match="nothing of chip"):
        neuro.calibrate(run, replace(own, held=(), factors={}, names={}), tmp_path / "run", progress=Quiet())
    assert not (tmp_path / "run").exists()
