"""Accuracy over virtual chips: the same as one evaluation each, kept, told, drawn, and refused where it cannot be."""

import json
import shutil

import numpy as np
import pytest
import torch
from random_networks import random_events, random_network, with_mismatch
from tiny_task import call, refused

import neuro
from neuro.errors import RunError
from neuro.evaluation import evaluate, evaluate_devices, load_devices, save_devices
from neuro.reports.devices import devices_figure
from neuro.runs import load_virtual_chip, save_virtual_chip
from neuro.silicon import drawn_deviation


@pytest.fixture(scope="module")
def folder(shared_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "run"
    shutil.copytree(shared_run, path)
    return path


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    path = tmp_path_factory.mktemp("device") / "d.safetensors"
    save_virtual_chip(neuro.virtual_chip(neuro.load_chip("dynapse1"), 3), path)
    return path


@pytest.mark.parametrize("name", ["dynapse1", "dynapse2", "generic"])
def test_devices_side_by_side_are_devices_one_by_one(name):
    for seed in range(4):
        rng = np.random.default_rng([5, seed])
        network = with_mismatch(random_network(rng, name), rng)
        x, some = random_events(rng, network), [drawn_deviation(network.plan, k) for k in range(3)]
        together = network.on_devices(x, some)
        for k, deviation in enumerate(some):
            with torch.no_grad():
                alone, _ = network(x, deviation=deviation)
            pairs = [(together, alone)] if torch.is_tensor(alone) else [(together[n], alone[n]) for n in alone]
            assert all(torch.allclose(a[k], b, rtol=1e-6, atol=1e-6) for a, b in pairs)


def test_many_are_what_each_is_alone(folder):
    run = neuro.load_run(folder)
    found = evaluate_devices(run, 4, seed=2, yield_at=0.3)
    alone = [evaluate(run, virtual=neuro.virtual_chip(run.chip, 2 + k)).accuracy for k in range(4)]
    assert list(found.accuracies) == alone
    assert found.plain == evaluate(run).accuracy
    assert (found.mean, found.worst, found.best) == (np.mean(alone), min(alone), max(alone))
    assert found.good == sum(a >= 0.3 for a in alone) and found.yield_share == found.good / 4
    assert evaluate_devices(run, 4, seed=2, yield_at=0.3) == found
    assert evaluate_devices(run, 2, scale=0.0).accuracies == (found.plain, found.plain)


def test_the_command_keeps_tells_and_draws(folder, tmp_path):
    said = call("evaluate", folder, "--chips", 5, "--yield-at", 0.25, "--plot", tmp_path / "h.svg")
    assert said.status == 0 and "5 virtual chips" in said.out and "yield" in said.out
    told = json.loads(call("evaluate", folder, "--chips", 5, "--yield-at", 0.25, "--json").out)
    kept = load_devices(folder)
    assert told["accuracies"] == list(kept.accuracies) and told["good"] == kept.good == sum(
        a >= 0.25 for a in kept.accuracies
    )
    assert "virtual chips" in (tmp_path / "h.svg").read_text()
    assert "devices.svg" in {p.name for p in neuro.plot(folder, tmp_path / "all", ("svg",))}
    bars, *lines = devices_figure(kept)["data"]
    assert sum(bars["y"]) == 5 and [line["name"].split()[0] for line in lines] == ["mean", "as", "yield"]
    assert [line["x"][0] for line in lines] == [100 * value for value in (kept.mean, kept.plain, 0.25)]
    page = neuro.report(folder, tmp_path / "r.html").read_text()
    assert "Accuracy on virtual chips" in page and "reach 25.0%" in page


def test_one_device_by_its_file(folder, device, tmp_path):
    told = json.loads(call("evaluate", folder, "--virtual", device, "--json").out)
    virtual = load_virtual_chip(device)
    assert told["accuracy"] == evaluate(folder, virtual=virtual).accuracy
    assert call("verify", folder, "--virtual", device).status == 0
    assert call("report", folder, "--virtual", device, "--out", tmp_path / "r.html").status == 0
    page = (tmp_path / "r.html").read_text()
    assert "verified on it" in page and f"<strong>{told['accuracy']:.1%}</strong>" in page
    x = (np.random.default_rng(0).random((11, 2, 64)) < 0.3).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    tables = neuro.export(folder)
    tables.save(tmp_path / "t")
    said = call(
        "replay", tmp_path / "t", "--input", tmp_path / "x.npy", "--out", tmp_path / "y.npy", "--virtual", device
    )
    assert said.status == 0
    assert np.array_equal(np.load(tmp_path / "y.npy"), neuro.replay(tables, x, virtual=virtual)[0].numpy())
    assert not np.array_equal(np.load(tmp_path / "y.npy"), neuro.replay(tables, x)[0].numpy())


def test_a_device_is_written_and_read_back_unchanged(device, tmp_path):
    first = neuro.virtual_chip(neuro.load_chip("dynapse1"), 3)
    again = load_virtual_chip(device)
    assert (again.chip, again.shape, again.held, again.names) == (first.chip, first.shape, first.held, first.names)
    assert (again.seed, again.scale) == (3, 1.0)
    assert all((again.factors[name] == factor).all() for name, factor in first.factors.items())
    save_virtual_chip(again, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == device.read_bytes()
    assert call("virtual", "dynapse1", "--seed", 3, "--out", tmp_path / "said").status == 0
    assert (tmp_path / "said").read_bytes() == device.read_bytes()


def mutations(data: bytes):
    yield b""
    yield data[:40]
    yield data[:-4]
    yield b"PK" + data
    yield data.replace(b"neuro-virtual-chip", b"other-virtual-chip")
    yield data.replace(b"dynapse1", b"\xff\xfe\xfddynap")
    yield data[:-4] + np.float32(-1).tobytes()
    yield data[:-4] + np.float32("nan").tobytes()


@pytest.mark.parametrize("number", range(8))
def test_damaged_devices_are_refused(folder, device, tmp_path, number):
    (tmp_path / "bad").write_bytes(list(mutations(device.read_bytes()))[number])
    refused(call("evaluate", folder, "--virtual", tmp_path / "bad"), "bad")


def test_what_the_commands_refuse(folder, device, tmp_path):
    refused(call("evaluate", folder, "--virtual", tmp_path / "none"), "no such file", "neuro virtual")
    refused(call("evaluate", folder, "--virtual", device, "--chips", 3), "one of the two")
    refused(call("evaluate", folder, "--chips", 0), "--chips")
    refused(call("evaluate", folder, "--chips", 2, "--yield-at", 2), "--yield-at")
    refused(call("evaluate", folder, "--chips", 2, "--scale", 20), "400%")
    refused(call("evaluate", folder, "--chips", 2, "--scale", -1), "scale")
    refused(call("evaluate", folder, "--plot", tmp_path / "h.png"), "--chips")
    refused(call("virtual", "dynapse1", "--out", device), "--overwrite")
    refused(call("virtual", "truenorth", "--out", tmp_path / "d"), "states no mismatch")
    refused(call("virtual", "dynapse1", "--out", tmp_path / "d", "--set", "task.dt_s=1"), "keys of the chip")
    refused(call("virtual", folder, "--out", tmp_path / "d", "--set", "slots=3"), "is a run")
    refused(
        call("calibrate", folder, "--virtual", device, "--out", tmp_path / "c", "--settings", "taus"), "all, biases"
    )
    save_virtual_chip(neuro.virtual_chip(neuro.load_chip("dynapse2"), 0), tmp_path / "other")
    refused(call("evaluate", folder, "--virtual", tmp_path / "other"), "not a dynapse1")
    assert not (tmp_path / "d").exists() and not (tmp_path / "c").exists()


def test_a_damaged_evaluation_is_told_of(folder, tmp_path):
    run = neuro.load_run(folder)
    copy = tmp_path / "run"
    shutil.copytree(folder, copy)
    save_devices(copy, evaluate_devices(run, 2))
    whole = (copy / "devices.json").read_text()
    for bad in ("{", "[]", whole.replace('"chips": 2', '"chips": 3'), whole.replace('"seed"', '"sead"')):
        (copy / "devices.json").write_text(bad)
        with pytest.raises(RunError, match="devices.json"):
            load_devices(copy)
    refused(call("report", copy), "devices.json")
