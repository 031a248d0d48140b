"""The network: a plan made trainable. One synapse memory a population, one budget a neuron, the chip's neuron step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Literal

import torch
from torch import nn

from neuro.descriptor import Chip, html_table
from neuro.dynamics import Constants, State, deviated, stack
from neuro.errors import DataError, DescriptionError, FeasibilityError
from neuro.nn.by_words import ByWords, loops_for
from neuro.nn.candidates import Candidates
from neuro.nn.constants import build_constants
from neuro.nn.crossbar import CrossbarMemory
from neuro.nn.deviation import Deviation, refuse_inexact, weight_on
from neuro.nn.entries import draw_candidates, number_of_entries, redraw
from neuro.nn.exact import exact_products
from neuro.nn.groups import groups_of
from neuro.nn.initial import first_bases, first_latent
from neuro.nn.inputs import check_input, check_membranes, check_record, check_truncation
from neuro.nn.memory import NOT_ITS_CODE, SynapseMemory, codes_that_differ
from neuro.nn.propagate import run_pieces
from neuro.nn.readout import LinearReadout, SpikeReadout
from neuro.nn.schemes import build_bases, build_scheme, sign_limits
from neuro.nn.state import NetworkState, Record, check_state
from neuro.placement import Plan, neuron_model, place
from neuro.task import Task
from neuro.weights import CrossbarScheme


class Network(nn.Module):
    """A placed network whose weights are, after every projection, exactly what the chip's synapse memory can hold.

    latents: population -> source -> float [n, m] (or [n, m, C, D]) to start from; sources left out start at 0. Without
    them latents are drawn from `seed`. bases: values of the base weights by name, for every core; absent = chosen so
    that typical neurons use all their words. storage: "dense" keeps a latent for every source a neuron could hear, "slots"
    only for its slots and a reserve (default: as many again) whose sources can be drawn anew: `QRewiring(growth=…)`.
    """

    def __init__(
        self,
        plan: Plan,
        latents: Mapping[str, Mapping[str, torch.Tensor]] | None = None,
        seed: int = 0,
        *,
        bases: Mapping[str, float] | None = None,
        storage: str = "dense",
        reserve: int | None = None,
    ):
        super().__init__()
        self.plan = plan
        self.bases = build_bases(plan)
        self.constants = build_constants(plan)
        self.latents = nn.ParameterDict()
        self.memories = nn.ModuleDict()
        for number, name in enumerate(plan.spec.populations):
            entries = number_of_entries(plan, name, reserve) if _is_slots(storage, reserve) else None
            latent, source = first_latent(plan, name, latents, seed + number * 7919, entries)
            self.latents[name] = nn.Parameter(latent)
            self.memories[name] = _memory(plan, name, self.bases, source)
        self.readouts = nn.ModuleDict(
            {name: _readout(plan, name, index, seed) for index, name in enumerate(plan.spec.outputs)}
        )
        self._groups = groups_of(plan.spec)
        self._by_device: dict[torch.device, ByWords] = {}
        self._reach = max(plan.source_delay(p.source) for p in plan.spec.projections) + max(plan.spec.delay_lines)
        if self.bases is not None:
            self.bases.set(first_bases(plan, self.bases, self.latents, bases))
        self.project()

    def forward(
        self,
        x,
        state: NetworkState | None = None,
        record: Iterable[str] = (),
        *,
        membranes: bool | Literal["last"] = True,
        truncate_steps: int | None = None,
        deviation: Deviation | None = None,
    ):
        """Run T steps: x [T, B, inputs] or {input: [T, B, n]}, events as whole numbers.

        Gives (outputs, record): outputs [T, B, classes or neurons], a dict by name where there are several; record has
        `state` (to go on from, without gradient) and, for populations named in `record`, `spikes` [T, B, n], `rates` [n]
        (their mean over steps and samples, which is cheaper in a loss) and, if `membranes`, `v` ("last": only after the
        last step, [1, B, n]). truncate_steps: neurons carry no gradient from a piece of so many steps to the one before
        (truncated backpropagation through time); spikes are the same. deviation: run on one device, whose neurons differ
        (`neuro.silicon.deviation_of`); gradients go to the latents of the network as described.
        Raises DataError on input the chip does not take, FeasibilityError where a latent moved without projection.
        """
        names = check_record(record, self.plan.spec)
        shown = names if membranes else ()
        check_membranes(membranes)
        check_truncation(truncate_steps)
        signals = check_input(x, self.plan.spec, self.plan.chip)
        first = next(iter(signals.values()))
        self._refuse_other_device(signals, deviation)
        silence = self._zero_state(first.shape[1], first.device)
        state = silence if state is None else check_state(state, silence)
        read = {output.population for output in self.plan.spec.outputs.values()}
        with exact_products(first.device):
            spikes, v, rates, kept = self._run(
                signals, state, {*names, *read}, shown, membranes == "last", truncate_steps, deviation
            )
            outputs, traces = self._read_out(spikes, state)
        spikes, rates = ({name: found[name] for name in names} for found in (spikes, rates))
        return outputs, Record(kept._replace(traces=traces), spikes, {name: v[name] for name in shown}, rates)

    def on_devices(self, x, deviations: Iterable[Deviation]):
        """Run T steps from silence on each of K devices: outputs [K, T, B, classes], a dict by name of several.

        As K calls with `deviation`; input is checked once, and all devices go through the read-outs side by side.
        """
        signals = check_input(x, self.plan.spec, self.plan.chip)
        first = next(iter(signals.values()))
        self._refuse_other_device(signals, True)
        silence = self._zero_state(first.shape[1], first.device)
        read = {output.population for output in self.plan.spec.outputs.values()}
        with torch.no_grad(), exact_products(first.device):
            found = [self._run(signals, silence, read, (), False, None, deviation)[0] for deviation in deviations]
            spikes = {name: torch.cat([part[name] for part in found], 1) for name in read}
            outputs, _ = self._read_out(spikes, silence)
        of_each = {name: y.unflatten(1, (len(found), -1)).transpose(0, 1) for name, y in self._named(outputs).items()}
        return of_each if len(of_each) > 1 else next(iter(of_each.values()))

    def _refuse_other_device(self, signals: dict, deviation) -> None:
        """Raise DataError where input is not where the network is, or devices that differ are to run on a GPU."""
        for name, signal in signals.items():
            if signal.device != self.device:
                raise DataError(
                    f"input {name} is on {signal.device}, the network on {self.device}; use x.to(network.device)"
                )
        if deviation is not None and self.device.type != "cpu":
            raise DataError(
                f"devices that differ run on the CPU alone, the network is on {self.device}; use network.cpu()"
            )

    def _named(self, outputs) -> dict[str, torch.Tensor]:
        return outputs if isinstance(outputs, dict) else {next(iter(self.plan.spec.outputs)): outputs}

    def _run(
        self,
        signals: dict,
        state: NetworkState,
        heard: set[str],
        shown: tuple,
        last_v: bool,
        cut: int | None,
        deviation,
    ):
        """Give spikes of the populations `heard`, membranes of those `shown`, rates, and the state after the last step."""
        found = {name: self._tried(name, weight) for name, weight in self._weights(deviation).items()}
        weights, sources = ({name: pair[k] for name, pair in found.items()} for k in (0, 1))
        constants = self._constants
        if deviation is not None:
            model = neuron_model(self.plan.chip)
            constants = {name: deviated(model, constants[name], deviation.constants[name]) for name in constants}
        if self._goes_by_words(signals, weights):
            words = self._words(next(iter(weights.values())).device)
            return words.run(signals, weights, sources, state, heard, shown, last_v, cut, constants)
        weights = {name: self.memories[name].spread(weight, sources[name]) for name, weight in weights.items()}
        z, v, kept = run_pieces(self.plan, self._groups, signals, weights, state, self._reach, cut, constants)
        rates = {name: z[name].mean((0, 1)) for name in heard}
        return z, {name: values[-1:] for name, values in v.items()} if last_v else v, rates, kept

    def _goes_by_words(self, signals: dict, weights: dict) -> bool:
        """Whether compiled loops serve: exact sums on a device that has them, and no gradient asked for the input."""
        if self.plan.chip.weights.kind == "float" or any(s.requires_grad for s in signals.values()):
            return False
        (device,) = {w.device for w in weights.values()}
        alike = all(w.dtype == torch.float32 for w in weights.values())
        return alike and loops_for(device, neuron_model(self.plan.chip)) is not None

    def _words(self, device: torch.device) -> ByWords:
        if device not in self._by_device:
            loops = loops_for(device, neuron_model(self.plan.chip))
            self._by_device[device] = ByWords(self.plan, self._groups, self._planned, loops, device)
        return self._by_device[device]

    @cached_property
    def _planned(self) -> dict[str, Constants]:
        """Constants of every neuron as the plan describes it, by population."""
        spec = self.plan.spec
        return {name: stack([self.plan.parameters[name]], [spec.size_of(name)]) for name in spec.populations}

    @property
    def _constants(self) -> dict[str, Constants]:
        """The plan's constants with trained ones in their places; gradients go to these."""
        return self._planned if self.constants is None else self.constants.put_into(self._planned)

    def _weights(self, deviation: Deviation | None = None) -> dict[str, torch.Tensor]:
        for shared in (self.bases, self.constants):
            if shared is not None:
                shared.refuse_moved()
        if deviation is None:
            return {name: memory(self.latents[name]) for name, memory in self.memories.items()}
        weights = {}
        for name, memory in self.memories.items():
            weights[name] = weight_on(memory, self.latents[name], deviation.memories[name])
            refuse_inexact(name, weights[name], memory, self.plan.chip.inputs.events_per_step)
        return weights

    def _tried(self, name: str, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Give weights and sources, in a training step that is to find better sources with candidates beside them."""
        memory = self.memories[name]
        step, number = memory.turn
        if memory.search is None or not (self.training and torch.is_grad_enabled() and memory.search.due(step + 1)):
            return weight, memory.source
        if memory.candidates is None or memory.candidates.turn != memory.turn:
            g = memory.search.candidate_generator(step, number)
            columns = draw_candidates(memory.source.cpu(), self.plan, name, memory.search.candidates, g)
            memory.candidates = Candidates(columns.to(weight.device), memory.turn, memory.usable)
        return memory.candidates.beside(weight, memory.source)

    def _read_out(self, signals, state: NetworkState):
        outputs, traces = {}, {}
        for name, output in self.plan.spec.outputs.items():
            outputs[name], traces[name] = self.readouts[name](signals[output.population], state.traces.get(name))
        return outputs if len(outputs) > 1 else next(iter(outputs.values())), traces

    @property
    def device(self) -> torch.device:
        """Where its latents are, and its input is to be."""
        return next(self.parameters()).device

    def _zero_state(self, batch: int, device) -> NetworkState:
        spec, currents = self.plan.spec, len(self.plan.currents)
        neurons = {g: State.zero(batch, sum(map(spec.size_of, g)), currents, device) for g in self._groups}
        names = (*spec.inputs, *spec.populations)
        history = {n: torch.zeros(self._reach, batch, spec.size_of(n), device=device) for n in names}
        return NetworkState(neurons, history, {})

    def _repr_html_(self) -> str:
        """For notebooks: populations with their cores, and what of their synapse memories is in use."""
        rows = []
        for name, memory in self.memories.items():
            slots, places = memory.scheme.slots_used(memory.code), self.plan.locations[name]
            cores = len({(int(c), int(k)) for c, k, _ in places})
            heard = ", ".join(self.plan.spec.sources_of(name))
            rows.append(
                (name, len(places), cores, heard, f"{float(slots.double().mean()):.1f}, most {int(slots.max())}")
            )
        heads = ("population", "neurons", "cores", "may hear", "slots used a neuron")
        return html_table(f"network on {self.plan.chip.label}", rows, heads)

    def synapses(self) -> list[tuple[str, nn.Parameter, SynapseMemory]]:
        """Every latent with its memory, by name: what QRewiring projects."""
        return [(f"latents.{name}", self.latents[name], self.memories[name]) for name in self.latents]

    def parameter_groups(self, lr: float, base_lr: float | None = None, constant_lr: float | None = None) -> list[dict]:
        """Parameters for an optimizer: latents and read-outs at `lr`, base weights at `base_lr` (default lr / 10).

        constant_lr: of trained constants (default base_lr).
        """
        rest = [p for name, p in self.named_parameters() if not name.startswith(("bases.", "constants."))]
        groups, base_lr = [{"params": rest, "lr": lr}], lr / 10 if base_lr is None else base_lr
        for shared, rate in ((self.bases, base_lr), (self.constants, base_lr if constant_lr is None else constant_lr)):
            if shared is not None:
                groups.append({"params": [shared.latent], "lr": rate, "weight_decay": 0.0, "base": True})
        return groups

    def project(self) -> None:
        """Bring base weights and trained constants, then every code, to the nearest point the chip can hold."""
        self.project_bases()
        self.project_codes()

    def project_bases(self) -> None:
        """Set every base weight and trained constant to the nearest value its core can give."""
        if self.constants is not None:
            self.constants.project()
        if self.bases is not None:
            self.bases.project()
            for memory in self.memories.values():
                memory.refresh_bases()

    def project_codes(self) -> None:
        """Bring every code to the nearest point the chip can hold with its present base weights."""
        for _, latent, memory in self.synapses():
            memory.project(latent)

    def violations(self) -> list[str]:
        """Every limit the present codes break, as text; empty after every step."""
        found = [] if self.bases is None else self.bases.violations(self.plan.cores)
        found += [] if self.constants is None else self.constants.violations()
        for name, latent, memory in self.synapses():
            population = f"population {name.removeprefix('latents.')}"
            found += [f"{population}, {v}" for v in memory.violations(latent)]
            found += self._inexact(population, memory)
        return found

    def _inexact(self, population: str, memory: SynapseMemory) -> list[str]:
        """Neurons whose sums could leave the 2^24 grid units that float32 adds exactly."""
        if self.bases is None:
            return []
        grid = self.bases.grid().double()[memory.cores]
        units = memory.weight.double().abs().sum((1, 3)).amax(1) / grid * self.plan.chip.inputs.events_per_step
        return [
            f"{population}, neuron {int(n)}: Σ|w|·events is {units[n]:.0f} grid units, allowed: below 2^24"
            for n in (units >= 2**24).nonzero().flatten()
        ]

    def load_state_dict(self, state: Mapping[str, torch.Tensor], strict: bool = True, assign: bool = False):
        """Load a network's tensors and project again; refuses codes that are not what the latents give."""
        before = {name: tensor.clone() for name, tensor in self.state_dict().items()}
        try:
            result = self._take_state(state, strict, assign)
            for name, memory in self.memories.items():
                for wrong in memory.wrong_sources():
                    raise FeasibilityError(
                        f"population {name}, {wrong}: this state was edited; load one `state_dict` gave"
                    )
            self.project()
            for wrong in codes_that_differ(self.state_dict(), state):
                raise FeasibilityError(f"{wrong} {NOT_ITS_CODE}")
        except Exception:
            self._take_state(before, True, assign)  # into the same tensors: an optimizer may hold them
            self.project()
            raise
        return result

    def _take_state(self, state: Mapping[str, torch.Tensor], strict: bool, assign: bool):
        result = super().load_state_dict(state, strict, assign)
        for memory in self.memories.values():
            if memory.source is not None and not memory.wrong_sources():
                memory.listen(memory.source)
        return result

    def redraw(self, share: float, generator: torch.Generator, moments: Callable[[nn.Parameter], list[torch.Tensor]]):
        """Give a share of every neuron's empty entries new sources; moments: what an optimizer keeps of a latent."""
        for name, memory in self.memories.items():
            if memory.source is None:
                raise FeasibilityError(
                    "growth needs entries that can be drawn anew: build the network with storage slots"
                )
            latent = self.latents[name]
            redraw(memory, latent, moments(latent), self.plan, name, share, generator)
            memory.project(latent)


def _is_slots(storage: str, reserve: int | None) -> bool:
    if storage not in ("dense", "slots"):
        raise DescriptionError(f"storage is {storage!r}, allowed: dense, slots")
    if storage == "dense" and reserve is not None:
        raise DescriptionError(f"reserve is {reserve} with storage dense, which has none; choose storage slots")
    return storage == "slots"


def _memory(plan: Plan, name: str, bases, source: torch.Tensor | None) -> SynapseMemory:
    allowed = plan.allowed(name) if source is None else None
    scheme = build_scheme(plan, name, bases)
    kind = CrossbarMemory if isinstance(scheme, CrossbarScheme) else SynapseMemory
    return kind(
        scheme,
        None if allowed is None else torch.from_numpy(allowed),
        sign_limits(plan) if bases is not None else None,
        bases,
        torch.from_numpy(plan.core_index(name)),
        torch.from_numpy(plan.usable(name)),
        torch.from_numpy(plan.itself(name)),
        source,
    )


def _readout(plan: Plan, name: str, index: int, seed: int) -> nn.Module:
    output = plan.spec.outputs[name]
    size = plan.spec.size_of(output.population)
    if output.readout == "spikes":
        return SpikeReadout(size, output.classes)
    decay = math.exp(-plan.spec.dt_s / output.tau_out_s)
    return LinearReadout(size, output.classes, decay, torch.Generator().manual_seed(seed * 31 + index + 1))


def build(task: Task, chip: Chip, seed: int = 0) -> Network:
    """Place a task's network on a chip and make it trainable."""
    recipe = task.training
    return Network(place(task.network, chip, seed), seed=seed, storage=recipe.storage, reserve=recipe.reserve)
