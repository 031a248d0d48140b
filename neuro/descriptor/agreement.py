"""What the parts of a chip must agree on; each check raises a Disagreement at the value to be put right."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

from neuro.descriptor.paths import KeyPath

if TYPE_CHECKING:
    from neuro.descriptor.analog import Devices
    from neuro.descriptor.mixed_signal import BiasDac
    from neuro.descriptor.models import Chip, Neuron, Routes, Tags, Weights


class Disagreement(ValueError):
    """A value that does not go with another; `path` leads to it from the part that was checked."""

    def __init__(self, path: KeyPath, text: str) -> None:
        super().__init__(f"{'.'.join(map(str, path))}: {text}")
        self.path = path
        self.text = text


def latches_pick_one_of_two(neuron: Neuron) -> None:
    for constant in neuron.latches:
        values = neuron.distinct_per_core.get(constant)
        if values not in (1, 2):
            have = "any number" if values is None else values
            text = f"a latch picks one of two values, but neuron.distinct_per_core allows {have}; allowed: 1 or 2"
            raise Disagreement(("latches", constant), text)


PLACES = {  # of words, where nothing else limits them
    "conductance": "an array has a pair at every crosspoint",
    "crossbar": "a neuron may close its crosspoint with every axon of its core; cores.axons limits those",
}


def kind_has_its_fields(weights: Weights) -> None:
    kind, levels = weights.kind, weights.levels
    if kind == "levels" and not levels:
        raise Disagreement(("levels",), "is missing; kind levels needs the values a word can take")
    if kind == "levels" and 0 in levels:
        raise Disagreement(("levels",), "hold 0, allowed: other numbers; leave it out, an empty slot weighs nothing")
    if kind == "levels" and weights.sign in ("source", "row") and min(levels) < 0:
        raise Disagreement(("levels",), f"have {min(levels)}, allowed: > 0, as sign {weights.sign} gives the sign")
    if kind in ("counts", "masks") and weights.slots is None:
        raise Disagreement(("slots",), f"is missing; kind {kind} needs the words per neuron")
    for field in ("axon_types", "weight_bits"):
        if kind == "crossbar" and getattr(weights, field) is None:
            raise Disagreement((field,), "is missing; kind crossbar needs the signed weights of a neuron")
        if kind not in ("crossbar", "float") and getattr(weights, field) is not None:
            raise Disagreement((field,), f"belongs to kind crossbar, but kind is {kind}; leave it out")
    if kind in PLACES and weights.slots is not None:
        raise Disagreement(("slots",), f"have {weights.slots}, allowed: none; {PLACES[kind]}")
    if weights.dac and weights.weight_unit_a is None:
        raise Disagreement(("weight_unit_a",), "is missing; dac needs the bias current of a base weight of 1")
    if weights.weight_unit_a and not weights.dac:
        raise Disagreement(("dac",), "is missing; weight_unit_a needs the table base weights are read from")


def bases_suit_the_kind(weights: Weights) -> None:
    unique(("bases",), "name", [base.name for base in weights.bases])
    unique(("bases",), "bias", [base.bias for base in weights.bases if base.bias])
    if not weights.bases and not weights.axon_types:
        raise Disagreement(("bases",), f"is missing; kind {weights.kind} needs at least one base weight")
    most = {"masks": min(16, weights.word_bits), "levels": 1, "crossbar": 0, "conductance": 2}.get(
        weights.kind, len(weights.bases)
    )
    if len(weights.bases) > most:
        raise Disagreement(("bases",), f"have {len(weights.bases)}, allowed: at most {most} of kind {weights.kind}")
    for i, base in enumerate(weights.bases):
        if weights.dac and base.bias is None:
            text = f"is missing; dac {weights.dac} needs the name of the parameter that sets the base weight"
            raise Disagreement(("bases", i, "bias"), text)


def tags_fit_their_bits(tags: Tags) -> None:
    if tags.own_bits > tags.bits:
        raise Disagreement(("own_bits",), f"have {tags.own_bits}, allowed: 0 to bits = {tags.bits}")
    for i, tag in enumerate(tags.forbidden):
        if tag >= 2**tags.bits:
            text = f"have {tag}, allowed: 0 to {2**tags.bits - 1}, the tags of {tags.bits} bits"
            raise Disagreement(("forbidden", i), text)


def a_route_is_left(routes: Routes) -> None:
    if routes.entries is not None and routes.reserved >= routes.entries:
        text = f"have {routes.reserved}, allowed: 0 to {routes.entries - 1} of {routes.entries} entries"
        raise Disagreement(("reserved",), text)


def codes_stand_once(dac: BiasDac) -> None:
    for table in ("N", "P"):
        unique((table,), "code", [f"coarse {coarse} fine {fine}" for coarse, fine, _ in getattr(dac, table)])


def types_agree(chip: Chip) -> None:
    types = [t.name for t in chip.types]
    unique(("types",), "name", types)
    unique(("types",), "id", [t.id for t in chip.types])
    unique(("currents",), "name", [c.name for c in chip.currents])
    unique(("currents",), "type", [t for c in chip.currents for t in (*c.types, *c.shunting)])
    for i, current in enumerate(chip.currents):
        known(("currents", i, "types"), current.types, types)
        known(("currents", i, "shunting"), current.shunting, types)


def weights_agree(chip: Chip) -> None:
    if chip.weights.kind == "counts":
        bases = [base.name for base in chip.weights.bases]
        known(("weights", "bases"), bases, [t.name for t in chip.types])
        for i, current in enumerate(chip.currents):
            known(("currents", i, "types"), current.types, bases, ", the types that have a base weight")
    if chip.weights.dac and chip.bias_dac is None:
        raise Disagreement(("bias_dac",), f"is missing; weights.dac is {chip.weights.dac} and needs its tables")


def addresses_agree(chip: Chip) -> None:
    tags, cores = chip.tags, chip.cores
    if tags.own_bits and cores.neurons > 2**tags.own_bits:
        text = f"have {tags.own_bits}, which name {2**tags.own_bits} neurons, but cores.neurons is {cores.neurons}"
        raise Disagreement(("tags", "own_bits"), text)
    for i, (core, neuron) in enumerate(tags.silent_sources):
        if core >= cores.per_chip or neuron >= cores.neurons:
            limits = f"core 0 to {cores.per_chip - 1}, neuron 0 to {cores.neurons - 1}"
            raise Disagreement(("tags", "silent_sources", i), f"have core {core}, neuron {neuron}, allowed: {limits}")


def a_crossbar_agrees(chip: Chip) -> None:
    """An axon is one bit of one source in one core, and all that a neuron has is one of them."""
    if (chip.weights.axon_types is None) != (chip.weights.weight_bits is None):
        raise Disagreement(("weights", "weight_bits"), "goes with axon_types: give both, or leave both out")
    if chip.weights.axon_types is None:
        return
    single = {
        ("currents",): (len(chip.currents), "current: a neuron adds all its axons up"),
        ("routes", "entries"): (chip.routes.entries, "row: a neuron has one destination"),
        ("routes", "cores"): (chip.routes.cores, "core: a neuron has one destination"),
        ("inputs", "events_per_step"): (chip.inputs.events_per_step, "event: an axon is active in a step, or not"),
        ("delays", "lines"): (chip.delays.lines, "line: a crosspoint has no delay of its own"),
    }
    for path, (have, why) in single.items():
        if have != 1:
            raise Disagreement(path, f"have {have}, allowed on a crossbar: 1 {why}")
    if chip.cores.axons is None or chip.cores.axons > 2**chip.tags.bits:
        text = f"have {chip.cores.axons}, allowed on a crossbar: 1 to {2**chip.tags.bits}, what tags.bits name"
        raise Disagreement(("cores", "axons"), text)


def a_pair_makes_both_signs(devices: Devices) -> None:
    """Negative weights need gain · g_max > g_min, positive ones g_max > gain · g_min."""
    if devices.ratio is not None and not 1 / devices.ratio < devices.gain < devices.ratio:
        text = (
            f"have {devices.gain:g}, allowed: between 1 / ratio and ratio = {devices.ratio:g}, or one sign is missing"
        )
        raise Disagreement(("gain",), text)
    for i in range(65) if devices.programming_us else ():
        spread = sum(c * (i / 64) ** power for power, c in enumerate(devices.programming_us))
        if spread < 0:
            text = f"give {spread:g} at g / g_max = {i / 64:g}, allowed: 0 and above from 0 to 1"
            raise Disagreement(("programming_us",), text)


def an_array_agrees(chip: Chip) -> None:
    """Kind conductance needs devices, tiles and rows; a crosspoint has one pair, so one current and one delay."""
    kind = chip.weights.kind
    for part in ("devices", "tiles"):
        if kind == "conductance" and getattr(chip, part) is None:
            raise Disagreement((part,), "is missing; kind conductance needs it")
        if kind not in ("conductance", "float") and getattr(chip, part) is not None:
            raise Disagreement((part,), f"belongs to kind conductance, but kind is {kind}; leave it out")
    if kind != "conductance":
        return
    if chip.cores.axons is None:
        raise Disagreement(("cores", "axons"), "is missing; kind conductance needs the rows a neuron's pairs lie in")
    if chip.weights.dac:
        raise Disagreement(
            ("weights", "dac"), f"have {chip.weights.dac}, allowed: none; a scale is set beside the array"
        )
    single = {
        ("currents",): (len(chip.currents), "current: a column adds all its pairs up"),
        ("delays", "lines"): (chip.delays.lines, "line: a crosspoint has no delay of its own"),
    }
    for path, (have, why) in single.items():
        if have != 1:
            raise Disagreement(path, f"have {have}, allowed for conductances: 1 {why}")
    if {t.sign for t in chip.types if t.name in chip.currents[0].types} != {-1, 1}:
        raise Disagreement(("currents", 0, "types"), "lack a sign, allowed for conductances: a type of each sign")
    if len(chip.weights.bases) == 2 and (chip.devices.ratio is not None or chip.devices.gain != 1):
        text = "have 2, allowed: 1; two need devices that switch off (no ratio) and a gain of 1, which they take over"
        raise Disagreement(("weights", "bases"), text)


def mismatch_agrees(chip: Chip) -> None:
    """Mismatch is of analog neurons, and of base weights that synapse types share only where there are such."""
    if chip.mismatch is None:
        return
    if chip.weights.axon_types is not None:
        raise Disagreement(("mismatch",), "belongs to analog neurons, not to those of a crossbar: leave it out")
    for key in ("neuron", "core"):
        if "weight" in getattr(chip.mismatch, key) and chip.weights.kind == "conductance":
            text = "belongs to words of synapse types; how conductances vary stands in devices"
            raise Disagreement(("mismatch", key, "weight"), text)
        if "base" in getattr(chip.mismatch, key) and chip.weights.kind not in ("masks", "float"):
            text = f"belongs to kind masks, but kind is {chip.weights.kind}; weight says how its types differ"
            raise Disagreement(("mismatch", key, "base"), text)


def biases_agree(chip: Chip) -> None:
    """Every bias of `circuits` has what its equation needs, and a code of the bias generator."""
    if chip.circuits is None:
        return
    if chip.bias_dac is None:
        raise Disagreement(("bias_dac",), "is missing; circuits needs the codes of biases")
    unique(("circuits", "biases"), "bias", [b.name for b in chip.circuits.biases])
    for i, bias in enumerate(chip.circuits.biases):
        path = ("circuits", "biases", i)
        needed = {"threshold": "unit_a", None: "code"}.get(bias.constant, "capacitance_f")
        if getattr(bias, needed) is None:
            raise Disagreement((*path, needed), f"is missing; constant {bias.constant or 'none'} needs it")
        if (bias.constant == "tau_syn") != (bias.type is not None):
            raise Disagreement((*path, "type"), "is missing or out of place; constant tau_syn alone needs it")
        if (bias.constant == "delay") != (bias.line is not None):
            raise Disagreement((*path, "line"), "is missing or out of place; constant delay alone needs it")
        if bias.line == 0 and chip.delays.undelayed:
            raise Disagreement(
                (*path, "line"), "have 0, allowed: 1 or more, as line 0 adds no delay (delays.undelayed)"
            )
        if bias.type is not None:
            known((*path, "type"), [bias.type], [t.name for t in chip.types])
        codes = {(coarse, fine) for coarse, fine, _ in getattr(chip.bias_dac, bias.name[-1])}
        if bias.code is not None and bias.code not in codes:
            raise Disagreement((*path, "code"), f"have {bias.code}, allowed: a code of bias_dac.{bias.name[-1]}")


def a_board_agrees(chip: Chip) -> None:
    """What was measured of a board is of just this chip's cores, neurons, words and tags."""
    if chip.defects is None:
        return
    kind, (*have, classes) = chip.weights.kind, chip.defects.shape
    if kind in ("crossbar", "conductance") or chip.weights.slots is None:
        raise Disagreement(("defects",), f"needs neurons with a number of words of their own; kind is {kind}")
    wanted = [chip.chips * chip.cores.per_chip, chip.cores.neurons, chip.weights.slots]
    if have != wanted:
        text = f"have {have}, allowed: {wanted}, the cores of the board, neurons of a core and words of a neuron"
        raise Disagreement(("defects", "file"), f"{chip.defects.file}: {text}")
    if classes == 2 and kind == "counts":
        text = "words measured for two classes of tags, allowed: one, where a connection is a count of equal words"
        raise Disagreement(("defects", "file"), f"{chip.defects.file}: {text}")
    for name in ("words", "tags"):
        if getattr(chip, f"working_{name}") is None:
            where = f"{chip.defects.file}: {name}"
            each = wanted + [classes] if name == "words" else [wanted[0], 2**chip.tags.bits]
            raise Disagreement(("defects", "file"), f"{where} are not truth values of the shape {each}")


def unique(path: KeyPath, what: str, names: Iterable[Hashable]) -> None:
    seen: set[Hashable] = set()
    for name in names:
        if name in seen:
            raise Disagreement(path, f"the {what} {name} stands more than once")
        seen.add(name)


def known(path: KeyPath, names: Iterable[str], allowed: list[str], why: str = "") -> None:
    for name in names:
        if name not in allowed:
            raise Disagreement(path, f"have {name}, allowed: {', '.join(allowed)}{why}")
