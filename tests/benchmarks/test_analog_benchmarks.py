"""The benchmarks of conductance pairs run at tiny size, go on where they stood, and say what was not run."""

import json
import subprocess
import sys

import pytest
from tiny_task import ROOT


def run(name, *arguments):
    script = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *map(str, arguments)]
    return subprocess.run(script, check=True, capture_output=True, text=True, timeout=600).stdout


@pytest.mark.slow
def test_self_correction(tmp_path):
    common = ("--seeds", 0, "--samples", 300, "--tune", 1, "--epochs", 1, "--cache", tmp_path / "c", "--out", tmp_path)
    said = run("self_correction", *common, "--states", 3)
    rows = json.loads((tmp_path / "self_correction.json").read_text())["rows"]
    assert len(rows) == 3 + 8 and "not run" in said
    before = (tmp_path / "self_correction.json").read_bytes()
    run("self_correction", *common, "--states", 3)
    assert (tmp_path / "self_correction.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(("network", "activations"), [("mlp", [1, 4]), ("spiking", [None])])
@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_hardware_aware(tmp_path, network, activations, dataset):
    common = ("--samples", 200, "--out", tmp_path, "--network", network, "--dataset", dataset)
    narrow = ("--weight-bits", 2, "--activation-bits", 1, 4, "--plain")
    said = run("hardware_aware", *common, *narrow, "--methods", "float", "stages", "through")
    rows = json.loads((tmp_path / "hardware_aware.json").read_text())["rows"]
    assert len(rows) == 1 + 2 * len(activations) and all(0 <= row["test"] <= 1 for row in rows)
    found = [(row["key"].get("weight_bits"), row["key"].get("activation_bits")) for row in rows]
    assert sorted(found, key=str) == sorted([(None, None), *((2, bits) for bits in activations * 2)], key=str)
    other = "4" if network == "mlp" else "spikes"
    assert f"2 x {other} " in said and "not run: 3 x" in said and "2 x 4;" not in said.split("not run:")[1]
    run("hardware_aware", *common, *narrow)
    again = json.loads((tmp_path / "hardware_aware.json").read_text())["rows"]
    assert len(again) == 1 + 4 * len(activations) and all(row in again for row in rows)


def test_weight_and_activation_bits_are_a_grid():
    import hardware_aware

    made = list(hardware_aware.devices("mlp"))
    plain = [d for d in made if d["ratio"] == float("inf") and d["nonlinearity"] == 0 and d["gain"] == 1]
    assert {(d["weight_bits"], d["activation_bits"]) for d in plain} == {
        (w, a) for w in (1, 2, 3, 4, 8) for a in (1, 2, 3, 4, 8)
    }
    keys = [str(hardware_aware.key_of("mlp", "mnist", 0, "stages", d)) for d in made]
    assert len(set(keys)) == len(keys) == 25 + 4 + 2 + 2
    assert all("activation_bits" not in d for d in hardware_aware.devices("spiking"))


def test_spiking_benchmark_neurons_by_hand():
    import hardware_aware
    import torch

    spikes = hardware_aware.Spikes()(torch.tensor([[0.0, 0.5, 1.0, 0.3]]))
    assert spikes.shape == (12, 1, 4) and spikes.sum(0).tolist() == [[0, 6, 12, 3]]
    currents = torch.tensor([0.6, 0.5, 0.0, 2.0]).view(4, 1, 1)
    assert hardware_aware.Neurons()(currents).flatten().tolist() == [0, 1, 0, 1]  # u: 0.6, 1.04, 0.036, 2.03
