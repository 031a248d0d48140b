"""Run by a Python that has Rockpool: rates of its DynapSim with the parameters of exported tables, as JSON.

python dynapsim_runs.py TABLES EVENTS.npy PULSE [PULSE …]

TABLES: a folder of CSV tables of DYNAP-SE2, one core in use. EVENTS [samples, steps, channels]. PULSE: width of the pulse a
spike makes, in seconds, which the tables leave to the board. Prints {pulse: rates [samples][neurons] in Hz}.
"""

from __future__ import annotations

import csv
import json
import logging
import sys
from pathlib import Path

import numpy as np

logging.disable(logging.WARNING)  # Rockpool warns of samna, which is not needed here

WEIGHT_SCALE = 0.22  # device current of a SYAM_W current of 1: synsense/rockpool@42cee1c9 lookup/scaling.py
SWITCH_V, PULSE_F = 0.7, 0.5e-12
SCALE_A = 1e-8  # Iscale: weights are told to DynapSim in multiples of it


def rows(folder: Path, table: str) -> list[dict[str, str]]:
    """Read a table; none where a network needs none."""
    path = folder / f"{table}.csv"
    return list(csv.DictReader(path.open())) if path.exists() else []


def weights_of(folder: Path, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights in amperes, [channels, N] and [N, N]: sign times the sum of the currents a word's mask has."""
    manifest = json.loads((folder / "manifest.json").read_text())
    chip = manifest["chip"]
    current = {row["name"]: float.fromhex(row["current_a"]) for row in rows(folder, "biases")}
    bits = [current[base["bias"]] * WEIGHT_SCALE for base in chip["weights"]["bases"]]
    sign = {str(t["id"]): t["sign"] for t in chip["types"]}
    place = {row["neuron"]: int(row["index"]) for row in rows(folder, "neurons")}
    channel = {row["tag"]: int(row["channel"]) for row in rows(folder, "inputs")}
    source = {row["tag"]: place[row["neuron"]] for row in rows(folder, "routes")}
    given, recurrent = np.zeros((channels, len(place))), np.zeros((len(place), len(place)))
    for word in rows(folder, "synapses"):
        value = sign[word["type"]] * sum(bit for b, bit in enumerate(bits) if int(word["code"]) >> b & 1)
        matrix, row = (given, channel[word["tag"]]) if word["tag"] in channel else (recurrent, source[word["tag"]])
        matrix[row, place[word["neuron"]]] += value
    return given, recurrent


def currents_of(folder: Path) -> dict[str, float]:
    """DynapSim's currents, in amperes: bias currents times what a device makes of them."""
    manifest = json.loads((folder / "manifest.json").read_text())
    scale = {bias["name"]: bias["scale"] for bias in manifest["chip"]["circuits"]["biases"]}
    current = {row["name"]: float.fromhex(row["current_a"]) for row in rows(folder, "biases")}
    names = {
        "Itau_mem": "SOIF_LEAK_N",
        "Igain_mem": "SOIF_GAIN_N",
        "Iref": "SOIF_REFR_N",
        "Ispkthr": "SOIF_SPKTHR_P",
        "Itau_syn": "DEAM_ETAU_P",
        "Igain_syn": "DEAM_EGAIN_P",
    }
    return {name: current[bias] * scale[bias] for name, bias in names.items()}


def main() -> None:
    from rockpool.devices.dynapse import DynapSim

    folder, events = Path(sys.argv[1]), np.load(sys.argv[2])
    given, recurrent = weights_of(folder, events.shape[2])
    found = {}
    for pulse in sys.argv[3:]:
        neurons = DynapSim(
            (recurrent.shape[0],) * 2,
            has_rec=True,
            w_rec=recurrent / SCALE_A,
            Iscale=SCALE_A,
            Idc=5e-13,
            Ipulse=SWITCH_V * PULSE_F / float(pulse),
            Iw_ahp=5e-13,
            dt=1e-3,
            **currents_of(folder),
        )
        spikes, _, _ = neurons.evolve((events @ given / SCALE_A).astype(np.float32))
        found[pulse] = (np.asarray(spikes).sum(1) / events.shape[1] * 1e3).tolist()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
