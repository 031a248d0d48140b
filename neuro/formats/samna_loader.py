"""Fill samna's objects with the configuration.json beside this file, on a machine that has samna; needs nothing else.

import samna, load                           # load.py, from this folder
model.apply_configuration(load.configuration(samna))
load.set_latches(model.get_dynapse1_api())   # DYNAP-SE1: neurons that take the second membrane time constant
events = load.events(samna, [(0.001, 0, 5)]) # (time in seconds, input, channel), in order of time
"""

import functools
import importlib
import itertools
import json
from pathlib import Path

PLACE = ("chip", "core", "neuron", "index", "input", "channel")
FLAGS = ("sx", "sy", "in_use", "stp", "precise_delay", "mismatched_delay")


@functools.cache
def content():
    """Read configuration.json."""
    return json.loads(Path(__file__).with_name("configuration.json").read_text())


def rows(table):
    """Give the rows of a table as dictionaries."""
    columns = content()[table]["columns"]
    return [dict(zip(columns, row)) for row in content()[table]["rows"]]  # noqa: B905  (older Pythons)


def place_of(row):
    """Give the neuron a row belongs to."""
    return row["chip"], row["core"], row["neuron"]


def module_of(samna):
    """Give samna's module for this family of chips."""
    return importlib.import_module(f"{samna.__name__}.{content()['module']}")


def configuration(samna):
    """Give the configuration object with every synapse, destination and parameter set."""
    module = module_of(samna)
    family = content()["module"].capitalize()
    whole = getattr(module, family + "Configuration")()
    for table in ("synapses", "destinations"):
        for place, words in itertools.groupby(sorted(rows(table), key=place_of), place_of):
            chip, core, number = place
            neuron = whole.chips[chip].cores[core].neurons[number]
            held = getattr(neuron, table)
            for word in words:
                write(held[word["index"]], word, module)
            setattr(neuron, table, held)
    for row in rows("parameters"):
        core = whole.chips[row["chip"]].cores[row["core"]]
        group = core.parameter_group.param_map if hasattr(core, "parameter_group") else core.parameters
        group[row["name"]].coarse_value = row["coarse_value"]
        group[row["name"]].fine_value = row["fine_value"]
    return whole


def write(target, word, module):
    """Set the fields of one of samna's objects."""
    for field, value in word.items():
        if field in PLACE:
            continue
        if field == "syn_type":
            value = module.Dynapse1SynType(value)
        elif field == "dendrite":
            value = module.Dendrite(value)
        elif field == "weight":
            value = [bool(value >> bit & 1) for bit in range(4)]
        elif field == "core_mask" and hasattr(target, "core"):
            field, value = "core", [bool(value >> core & 1) for core in range(4)]
        elif field in FLAGS:
            value = bool(value)
        setattr(target, field, value)


def set_latches(api):
    """Let neurons take the second membrane time constant of their core (DYNAP-SE1)."""
    for row in rows("latches"):
        api.set_tau_2(row["chip"], 256 * row["core"] + row["neuron"])


def events(samna, spikes, isi_base=900):
    """Give the input events of spikes, each (time in seconds, input, channel), in order of time.

    DYNAP-SE1: events of its spike generator, with intervals in units of isi_base / 90 microseconds.
    """
    module = module_of(samna)
    targets = {}
    for row in rows("inputs"):
        targets.setdefault((row["input"], row["channel"]), []).append(row)
    made, last = [], 0
    for time, source, channel in spikes:
        for word in targets.get((source, channel), ()):
            if hasattr(module, "FpgaSpikeEvent"):
                event, now = module.FpgaSpikeEvent(), round(time * 9e7 / isi_base)
                event.isi, last = now - last, now
                write(event, word, module)
            else:
                destination = module.Dynapse2Destination()
                write(destination, word, module)
                event = module.NormalGridEvent(destination, round(time * 1e6))
            made.append(event)
    return made
