"""What chips of whole numbers, and chips that keep synapse words by their source, must agree on."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from neuro.descriptor.agreement import Disagreement

if TYPE_CHECKING:
    from neuro.descriptor.models import Chip

WHOLE = ("fraction", "shift")
NEEDED = ("threshold", "v_reset", "bias")


def whole_numbers_agree(chip: Chip) -> None:
    """Whole constants and leaks need weights that are whole numbers of units."""
    weights, neuron = chip.weights, chip.neuron
    if weights.shifts and weights.axon_types is None:
        _shifts_agree(chip)
    if neuron.constant_bits and weights.axon_types is None and not weights.shifts:
        text = "needs weights.axon_types or weights.shifts: only these chips have weight units"
        raise Disagreement(("neuron", "constant_bits"), text)
    for constant in neuron.constant_steps:
        if constant not in neuron.constant_bits:
            text = f"is no whole number; give neuron.constant_bits.{constant} too, or leave it out"
            raise Disagreement(("neuron", "constant_steps", constant), text)
    if neuron.leak not in WHOLE:
        if neuron.decay_bits is not None:
            raise Disagreement(
                ("neuron", "decay_bits"), f"belongs to leak fraction or shift, but leak is {neuron.leak}"
            )
        return
    if neuron.decay_bits is None:
        raise Disagreement(("neuron", "decay_bits"), f"is missing; leak {neuron.leak} needs the bits of a decay")
    most = 4 if neuron.leak == "shift" else 23  # float32 holds 1 - 2^-15 and n / 2^23
    if neuron.decay_bits > most:
        raise Disagreement(
            ("neuron", "decay_bits"), f"have {neuron.decay_bits}, allowed: 1 to {most} for {neuron.leak}"
        )
    for constant in NEEDED:
        if constant not in neuron.constant_bits:
            text = f"lacks {constant}; leak {neuron.leak} needs constants that are whole numbers: {', '.join(NEEDED)}"
            raise Disagreement(("neuron", "constant_bits"), text)
    if neuron.floor:
        text = f"have {neuron.floor}, allowed with leak {neuron.leak}: 0 or none, whole numbers of any unit"
        raise Disagreement(("neuron", "floor"), text)


def _shifts_agree(chip: Chip) -> None:
    weights = chip.weights
    if weights.kind not in ("levels", "float"):
        raise Disagreement(("weights", "shifts"), f"belongs to kind levels, but kind is {weights.kind}; leave it out")
    if any(a >= b for a, b in pairwise(weights.shifts)):
        raise Disagreement(("weights", "shifts"), f"have {list(weights.shifts)}, allowed: rising, each once")
    if weights.dac:
        raise Disagreement(("weights", "shifts"), "go without dac: a scale is a power of two or what a bias gives")
    for i, level in enumerate(weights.levels or ()):
        if level != round(level):
            text = f"have {level}, allowed with shifts: whole numbers"
            raise Disagreement(("weights", "levels", i), text)


def words_by_source_agree(chip: Chip) -> None:
    """Limits on the words of one source leave a neuron as many words as it likes, of either sign."""
    weights = chip.weights
    limits = {
        ("cores", "memory"): chip.cores.memory,
        ("weights", "fan_out"): weights.fan_out,
        ("weights", "fan_out_mean"): weights.fan_out_mean,
    }
    for path, limit in limits.items():
        if limit is None or weights.kind == "float":
            continue
        if weights.kind != "levels" or weights.sign in ("source", "row") or weights.slots is not None:
            text = (
                "goes with weights of kind levels, sign free and no slots: words are counted by source, not by neuron"
            )
            raise Disagreement(path, text)


def outputs_agree(chip: Chip) -> None:
    """Neurons that are read out leave others."""
    outputs = chip.cores.outputs
    if outputs is not None and outputs >= chip.cores.neurons:
        text = f"have {outputs}, allowed: 1 to {chip.cores.neurons - 1}, fewer than cores.neurons"
        raise Disagreement(("cores", "outputs"), text)
    if outputs is not None and chip.weights.axon_types is not None:
        raise Disagreement(("cores", "outputs"), "does not go with a crossbar, whose placement knows no such neurons")
    if chip.tags.echo and 2**chip.tags.own_bits < chip.cores.neurons:
        text = f"needs tags.own_bits that name {chip.cores.neurons} neurons, have {chip.tags.own_bits}"
        raise Disagreement(("tags", "echo"), text)
