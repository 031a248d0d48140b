"""samna's DYNAP-SE classes as far as they are documented, with no other attributes; `install` makes them importable.

dynapse1 hands out its objects themselves, dynapse2 copies of them, as bindings of vectors may: a loader must suit both.
"""

import copy
import enum
import sys
import types


class Lazy(dict):
    """A list of fixed length whose items are made when first looked at; `items` gives those that were."""

    def __init__(self, length, make):
        super().__init__()
        self.length, self.make = length, make

    def __missing__(self, index):
        if not isinstance(index, int) or not 0 <= index < self.length:
            raise IndexError(index)
        self[index] = self.make(index)
        return self[index]

    def __iter__(self):
        return (self[index] for index in range(self.length))


class Parameters(dict):
    """Parameters by name; only the chip's own names are there."""

    def __missing__(self, name):
        if name not in self.known:
            raise KeyError(name)
        self[name] = record("Parameter", coarse_value=0, fine_value=0)()
        return self[name]


def record(name, **fields):
    """A class whose instances have these fields and no others."""

    def init(self):
        for field, value in fields.items():
            setattr(self, field, value() if callable(value) else copy.deepcopy(value))

    return type(name, (), {"__slots__": tuple(fields), "__init__": init})


class Dynapse1SynType(enum.IntEnum):
    GABA_B, GABA_A, NMDA, AMPA = range(4)


class Dendrite(enum.IntEnum):
    none, shunt, nmda, gaba, ampa = 0, 128, 256, 512, 1024


def dynapse1(names):
    module = types.ModuleType("fakesamna.dynapse1")
    synapse = record("Dynapse1Synapse", listen_core_id=0, listen_neuron_id=0, syn_type=Dynapse1SynType.NMDA)
    fields = dict(in_use=False, target_chip_id=0, virtual_core_id=0, core_mask=0, sx=False, sy=False, dx=0, dy=0)
    destination = record("Dynapse1Destination", **fields)

    def destinations():
        made = [destination() for _ in range(4)]
        made[0].in_use, made[0].target_chip_id = True, 16  # the monitor
        return made

    neuron = record("Dynapse1Neuron", synapses=lambda: [synapse() for _ in range(64)], destinations=destinations)
    known = type("Known", (Parameters,), {"known": names})
    group = record("Dynapse1ParameterGroup", param_map=known)
    core = record("Dynapse1Core", neurons=lambda: Lazy(256, lambda _: neuron()), parameter_group=group)
    chip = record("Dynapse1Chip", cores=lambda: [core() for _ in range(4)])
    module.Dynapse1Configuration = record("Dynapse1Configuration", chips=lambda: [chip() for _ in range(4)])
    module.Dynapse1SynType = Dynapse1SynType
    module.FpgaSpikeEvent = record("FpgaSpikeEvent", core_mask=0, neuron_id=0, target_chip=0, isi=0)
    return module


def dynapse2(names):
    module = types.ModuleType("fakesamna.dynapse2")
    fields = dict(tag=0, dendrite=Dendrite.none, weight=[False] * 4, stp=False)
    synapse = record("Dynapse2Synapse", **fields, precise_delay=False, mismatched_delay=False)
    destination = record("Dynapse2Destination", tag=0, core=[False] * 4, x_hop=0, y_hop=0)

    class Neuron:
        def __init__(self):
            self._synapses = [synapse() for _ in range(64)]
            self._destinations = [destination() for _ in range(4)]

        synapses = property(
            lambda self: copy.deepcopy(self._synapses), lambda self, words: setattr(self, "_synapses", words)
        )
        destinations = property(
            lambda self: copy.deepcopy(self._destinations), lambda self, words: setattr(self, "_destinations", words)
        )

    known = type("Known", (Parameters,), {"known": names})
    core = record("Dynapse2Core", neurons=lambda: Lazy(256, lambda _: Neuron()), parameters=known)
    chip = record("Dynapse2Chip", cores=lambda: [core() for _ in range(4)])
    module.Dynapse2Configuration = record("Dynapse2Configuration", chips=lambda: [chip() for _ in range(4)])
    module.Dynapse2Destination, module.Dendrite = destination, Dendrite

    class NormalGridEvent:
        def __init__(self, event, timestamp):
            self.event, self.timestamp = event, timestamp

    module.NormalGridEvent = NormalGridEvent
    return module


def install(names, put=sys.modules.__setitem__):
    """Make `fakesamna` and its modules importable; names: the parameters a core has."""
    samna = types.ModuleType("fakesamna")
    put("fakesamna", samna)
    for make in (dynapse1, dynapse2):
        module = make(names)
        put(module.__name__, module)
    return samna
