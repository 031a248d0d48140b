"""The network: a plan made trainable. One synapse memory a population, one budget a neuron, the chip's neuron step.

Populations run group by group (groups are the strongly connected components of the projections, in order): what comes
from outside a group enters as one product over the whole sequence, what is recurrent is stepped through by the scan.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import nn

from neuro.descriptor import Chip
from neuro.errors import DataError, DescriptionError, FeasibilityError
from neuro.nn.exact import exact_products
from neuro.nn.groups import groups_of
from neuro.nn.memory import UNPROJECTED, SynapseMemory, checksum
from neuro.nn.readout import LinearReadout, SpikeReadout
from neuro.nn.schemes import build_bases, build_scheme, row_units, sign_limits
from neuro.nn.state import NetworkState, Record, delayed
from neuro.nn.surrogate import pseudo_derivative
from neuro.placement import Plan, neuron_model, place
from neuro.dynamics import Scan, State, stack
from neuro.task import Task


class Network(nn.Module):
    """A placed network whose weights are, after every projection, exactly what the chip's synapse memory can hold.

    latents: population -> source -> float [n, m] (or [n, m, C, D]) to start from; sources left out start at 0. Without
    them latents are drawn from `seed`. bases: values of the base weights by name, for every core; absent = chosen so
    that typical neurons use all their words.
    """

    def __init__(
        self,
        plan: Plan,
        latents: Mapping[str, Mapping[str, torch.Tensor]] | None = None,
        seed: int = 0,
        *,
        bases: Mapping[str, float] | None = None,
    ):
        super().__init__()
        self.plan = plan
        self.bases = build_bases(plan)
        self.latents = nn.ParameterDict()
        self.memories = nn.ModuleDict()
        for number, name in enumerate(plan.spec.populations):
            self.latents[name] = nn.Parameter(_first_latent(plan, name, latents, seed + number * 7919))
            self.memories[name] = _memory(plan, name, self.bases)
        self.readouts = nn.ModuleDict(
            {name: _readout(plan, name, index, seed) for index, name in enumerate(plan.spec.outputs)}
        )
        self._groups = groups_of(plan.spec)
        self._reach = max(plan.source_delay(p.source) for p in plan.spec.projections) + max(plan.spec.delay_lines)
        if self.bases is not None:
            self._start_bases(bases)
        self.project()

    def forward(self, x, state: NetworkState | None = None, record: Iterable[str] = ()):
        """Run T steps: x [T, B, inputs] or {input: [T, B, n]}, events as whole numbers.

        Gives (outputs, record): outputs [T, B, classes or neurons], a dict by name where there are several; record has
        `state` (to go on from, without gradient) and, for populations named in `record`, `spikes` and `v` [T, B, n].
        """
        x = self._check_input(x)
        record = self._check_record(record)
        steps, batch, _ = next(iter(x.values())).shape
        device = next(iter(x.values())).device
        state = self._zero_state(batch, device) if state is None else state
        weights = {name: self.memories[name](self.latents[name]) for name in self.plan.spec.populations}
        signals, v, neurons = dict(x), {}, {}
        with exact_products(device):
            for group in self._groups:
                z, membrane, last = self._run_group(group, signals, weights, state)
                for name, part in zip(group, z.split([self.plan.spec.size_of(p) for p in group], -1), strict=True):
                    signals[name] = part
                neurons[group] = last
                parts = membrane.split([self.plan.spec.size_of(p) for p in group], -1)
                v.update({name: part for name, part in zip(group, parts, strict=True) if name in record})
            outputs, traces = self._read_out(signals, state)
        history = {name: torch.cat([state.history[name], s.detach()])[-self._reach :] for name, s in signals.items()}
        if not self._reach:
            history = {name: s[:0].detach() for name, s in signals.items()}
        kept = NetworkState(neurons, history, traces)
        return outputs, Record(kept, {name: signals[name] for name in record}, v)

    def _run_group(self, group, signals, weights, state: NetworkState):
        plan = self.plan
        drives = [[] for _ in plan.currents]
        recurrent: dict[int, list[list[torch.Tensor]]] = {}
        for target in group:
            total = [None] * len(plan.currents)
            for source, columns in plan.columns(target).items():
                if source in group:
                    continue
                for line, extra in enumerate(plan.spec.delay_lines):
                    s = delayed(signals[source], state.history[source], plan.source_delay(source) + extra)
                    for c in range(len(plan.currents)):
                        part = s @ weights[target][:, columns, c, line].T
                        total[c] = part if total[c] is None else total[c] + part
            for c, t in enumerate(total):
                drives[c].append(t if t is not None else self._silence(signals, target))
        drives = [torch.cat(parts, -1) if len(parts) > 1 else parts[0] for parts in drives]
        delays, matrices = self._recurrent(group, weights)
        scan = Scan(
            neuron_model(plan.chip),
            self._constants(group, drives[0].device),
            pseudo_derivative(plan.spec.surrogate),
            tuple(delays),
            plan.spec.detach_reset,
        )
        reach = max(delays, default=0)
        history = torch.cat([state.history[name] for name in group], -1)
        history = history[history.shape[0] - reach :]
        return scan.run(drives, matrices, state.neurons[group], history)

    def _silence(self, signals, target):
        some = next(iter(signals.values()))
        return torch.zeros(*some.shape[:2], self.plan.spec.size_of(target), device=some.device)

    def _recurrent(self, group, weights) -> tuple[list[int], list[torch.Tensor]]:
        """Matrices [n, n] over a whole group for each delay, then each current."""
        plan, found = self.plan, {}
        inside = [(t, s) for t in group for s in plan.columns(t) if s in group]
        for delay in sorted({plan.source_delay(s) + extra for _, s in inside for extra in plan.spec.delay_lines}):
            found[delay] = [self._matrix(group, weights, delay, c) for c in range(len(plan.currents))]
        return list(found), [m for matrices in found.values() for m in matrices]

    def _matrix(self, group, weights, delay: int, current: int) -> torch.Tensor:
        plan = self.plan
        rows = []
        for target in group:
            columns = plan.columns(target)
            blocks = []
            for source in group:
                line = delay - plan.source_delay(source)
                if source in columns and line in plan.spec.delay_lines:
                    place = plan.spec.delay_lines.index(line)
                    blocks.append(weights[target][:, columns[source], current, place])
                else:
                    blocks.append(weights[target].new_zeros(plan.spec.size_of(target), plan.spec.size_of(source)))
            rows.append(torch.cat(blocks, 1) if len(blocks) > 1 else blocks[0])
        return torch.cat(rows) if len(rows) > 1 else rows[0].contiguous()

    def _constants(self, group, device):
        sets = [self.plan.parameters[name] for name in group]
        return stack(sets, [self.plan.spec.size_of(name) for name in group]).to(device)

    def _read_out(self, signals, state: NetworkState):
        outputs, traces = {}, {}
        for name, output in self.plan.spec.outputs.items():
            outputs[name], traces[name] = self.readouts[name](signals[output.population], state.traces.get(name))
        return outputs if len(outputs) > 1 else next(iter(outputs.values())), traces

    def _zero_state(self, batch: int, device) -> NetworkState:
        spec = self.plan.spec
        neurons = {
            group: State.zero(batch, sum(map(spec.size_of, group)), len(self.plan.currents), device)
            for group in self._groups
        }
        names = (*spec.inputs, *spec.populations)
        history = {n: torch.zeros(self._reach, batch, spec.size_of(n), device=device) for n in names}
        return NetworkState(neurons, history, {})

    def _check_input(self, x) -> dict[str, torch.Tensor]:
        inputs = self.plan.spec.inputs
        x = x if isinstance(x, Mapping) else {next(iter(inputs)): x}
        if set(x) != set(inputs):
            raise DataError(f"inputs are {', '.join(map(str, x)) or 'none'}, allowed: exactly {', '.join(inputs)}")
        x = {name: torch.as_tensor(x[name]) for name in inputs}
        shapes = {tuple(tensor.shape[:2]) for tensor in x.values()}
        for name, tensor in x.items():
            if tensor.dim() != 3 or tensor.shape[2] != inputs[name] or 0 in tensor.shape or len(shapes) > 1:
                raise DataError(
                    f"input {name} has shape {list(tensor.shape)}, allowed: [T, B, {inputs[name]}] with T and B at "
                    "least 1 and the same for every input"
                )
            _check_events(name, tensor, self.plan.chip)
        return {name: tensor.float() for name, tensor in x.items()}

    def _check_record(self, record) -> tuple[str, ...]:
        record = (record,) if isinstance(record, str) else tuple(record)
        for name in record:
            if name not in self.plan.spec.populations:
                raise DataError(f"record names {name!r}, allowed: {', '.join(self.plan.spec.populations)}")
        return record

    def _start_bases(self, given: Mapping[str, float] | None) -> None:
        names = self.bases.names
        if given is not None and set(given) != set(names):
            raise DescriptionError(f"bases name {', '.join(given)}, allowed: exactly {', '.join(names)}")
        if given is not None:
            wanted = torch.tensor([[given[n] for n in names]]).expand(len(self.plan.cores), -1)
        else:
            wanted = self._suggested_bases()
        self.bases.set(wanted)

    def _suggested_bases(self) -> torch.Tensor:
        """Mean, over the populations of a core, of the logarithms their schemes suggest."""
        logs = [[] for _ in self.plan.cores]
        for name, latent in self.latents.items():
            cores = self.plan.core_index(name)
            for core in set(cores.tolist()):
                rows = latent.detach()[torch.from_numpy(cores == core)]
                scheme = build_scheme(self.plan, name, self.bases)
                logs[core].append(torch.as_tensor(scheme.initial_bases(rows)).double().log())
        return torch.stack([torch.stack(entries).mean(0).exp() for entries in logs])

    def synapses(self) -> list[tuple[str, nn.Parameter, SynapseMemory]]:
        """Every latent with its memory, by name: what QRewiring projects."""
        return [(f"latents.{name}", self.latents[name], self.memories[name]) for name in self.latents]

    def parameter_groups(self, lr: float, base_lr: float | None = None) -> list[dict]:
        """Parameters for an optimizer: latents and read-outs at `lr`, base weights at `base_lr` (default lr / 10)."""
        rest = [p for name, p in self.named_parameters() if not name.startswith("bases.")]
        groups = [{"params": rest, "lr": lr}]
        if self.bases is not None:
            groups.append({"params": [self.bases.latent], "lr": lr / 10 if base_lr is None else base_lr, "base": True})
        return groups

    def project(self, bases: bool = True) -> None:
        """Bring every code to the nearest point the chip can hold, base weights first (unless they did not move)."""
        if bases and self.bases is not None:
            self.bases.project()
            for memory in self.memories.values():
                memory.refresh_bases()
            self.bases_stamp = checksum(self.bases.latent)
        for _, latent, memory in self.synapses():
            memory.project(latent)

    def violations(self) -> list[str]:
        """Every limit the present codes break, as text; empty after every step."""
        found = []
        for name, latent, memory in self.synapses():
            if memory.stamp != checksum(latent):
                found.append(f"{name}: {UNPROJECTED}")
            population = name.removeprefix("latents.")
            found += [f"population {population}, {v}" for v in memory.scheme.violations(memory.code, memory.allowed)]
            found += self._inexact(population, memory)
        return found

    def _inexact(self, population: str, memory: SynapseMemory) -> list[str]:
        """Neurons whose sums could leave the 2^24 grid units that float32 adds exactly."""
        if self.bases is None:
            return []
        grid = self.bases.grid().double()[memory.cores]
        units = memory.weight.double().abs().sum((1, 3)).amax(1) / grid * self.plan.chip.inputs.events_per_step
        return [
            f"population {population}, neuron {int(n)}: Σ|w|·events is {units[n]:.0f} grid units, allowed: below 2^24"
            for n in (units >= 2**24).nonzero().flatten()
        ]

    def load_state_dict(self, state, strict: bool = True, assign: bool = False):
        """Load a network's tensors, project again, and refuse codes that are not what its latents give."""
        codes = {name: state[f"memories.{name}.code"] for name in self.memories if f"memories.{name}.code" in state}
        rest = {key: value for key, value in state.items() if not key.endswith(".code")}
        super().load_state_dict(rest, strict=False, assign=assign)
        missing = set(self.state_dict()) - set(state)
        if strict and (missing or set(state) - set(self.state_dict())):
            odd = sorted(missing | (set(state) - set(self.state_dict())))
            raise FeasibilityError(f"state of another network: {', '.join(odd)} missing or unexpected")
        self.project()
        for name, code in codes.items():
            if not torch.equal(self.memories[name].code.cpu(), code.cpu()):
                raise FeasibilityError(f"codes of population {name} are not what its latents give; the state was edited")


def _check_events(name: str, x: torch.Tensor, chip: Chip) -> None:
    most = chip.inputs.events_per_step
    low, high = x.min().item(), x.max().item()
    whole = not x.is_floating_point() or bool((x == x.round()).all())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DataError(f"input {name} holds NaN or infinity, allowed: whole numbers of events from 0 to {most}")
    if not whole:
        raise DataError(f"input {name} holds fractions, allowed: whole numbers of events from 0 to {most}; encode first")
    if low < 0 or high > most:
        raise DataError(f"input {name} holds {low:g} to {high:g} events a step, allowed on {chip.label}: 0 to {most}")


def _first_latent(plan: Plan, name: str, latents, seed: int) -> torch.Tensor:
    size = plan.spec.size_of(name)
    columns = plan.columns(name)
    width = sum(c.stop - c.start for c in columns.values())
    shape = (size, width, len(plan.currents), len(plan.spec.delay_lines))
    allowed = plan.allowed(name)
    mask = torch.ones(shape) if allowed is None else torch.from_numpy(allowed).float()
    if latents is None:
        population = plan.spec.populations[name]
        heard = max(1.0, float(mask.sum() / size))
        bound = population.init_gain * population.threshold * math.sqrt(3 / heard)
        drawn = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
        return (drawn * 2 - 1) * bound * mask
    result = torch.zeros(shape)
    for source, given in latents.get(name, {}).items():
        if source not in columns:
            raise DataError(f"latents name {source} → {name}, which is no projection; allowed: {', '.join(columns)}")
        given = torch.as_tensor(given, dtype=torch.float32)
        block = result[:, columns[source]]
        if given.shape not in (block.shape[:2], block.shape):
            raise DataError(f"latents {source} → {name} have shape {list(given.shape)}, allowed: {list(block.shape[:2])}")
        if given.dim() == 2:
            _spread(block, given, mask[:, columns[source]])
        else:
            block.copy_(given)
    return result * mask


def _spread(block: torch.Tensor, given: torch.Tensor, mask: torch.Tensor) -> None:
    """Put a plain matrix into the first word each pair may use."""
    first = mask.flatten(2).argmax(-1)
    block.flatten(2).scatter_(2, first[..., None], given[..., None]) if block.is_contiguous() else block.copy_(
        torch.zeros_like(block).flatten(2).scatter_(2, first[..., None], given[..., None]).view_as(block)
    )


def _memory(plan: Plan, name: str, bases) -> SynapseMemory:
    allowed = plan.allowed(name)
    return SynapseMemory(
        build_scheme(plan, name, bases),
        None if allowed is None else torch.from_numpy(allowed),
        sign_limits(plan) if bases is not None else None,
        bases,
        torch.from_numpy(plan.core_index(name)),
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
    return Network(place(task.network, chip, seed), seed=seed)
