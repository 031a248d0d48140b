"""Counts: a source connects by n equal words of a synapse type (DYNAP-SE1).

weight[current] = Σ over the current's types of sign · base · n,   Σ n <= slots in every row.

With one type per current and sign the nearest code is found word by word; with several `neuro.weights.several` chooses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from neuro.errors import DescriptionError, FeasibilityError
from neuro.jit import in_parallel
from neuro.weights import violation
from neuro.weights.ball import into_ball
from neuro.weights.latents import (
    aligned,
    as_floats,
    base_rows,
    count_sums,
    finite,
    is_compiled_for,
    row_budget,
    row_parts,
)
from neuro.weights.parameters import base_tensor, most_slots, moved, slot_limit, typical_mean, typical_slots
from neuro.weights.selection import best_words
from neuro.weights.several import nearest_of_several
from neuro.weights.split import draw_split, larger_base

LARGEST_INT16 = 32767


@dataclass(frozen=True, eq=False)
class CountScheme:
    """Hold weights as counts of typed words: code [N, M, K], or [N, M, K, D] with delay lines, integers >= 0.

    base_weights [K] or [N, K] > 0, signs K of ±1, slots an int or [N], currents K indices from 0 (default all 0).
    Latent and weight are [N, M] for one current, [N, M, C] for C > 1, [N, M, C, D] with lines. A source may use
    one sign on each current and line, and every type of that sign. Raises DescriptionError for parameters that cannot be.
    """

    base_weights: torch.Tensor
    signs: tuple[int, ...]
    slots: int | torch.Tensor
    currents: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        signs = tuple(self.signs)
        currents = (0,) * len(signs) if self.currents is None else tuple(self.currents)
        _check_types(signs, currents)
        object.__setattr__(self, "signs", tuple(map(int, signs)))
        object.__setattr__(self, "currents", tuple(map(int, currents)))
        object.__setattr__(self, "base_weights", base_tensor("base_weights", self.base_weights, len(signs)))
        object.__setattr__(self, "slots", slot_limit(self.slots))

    empty = 0

    @property
    def bases(self) -> torch.Tensor:
        return self.base_weights

    def with_bases(self, bases: torch.Tensor) -> CountScheme:
        """Return the same scheme with other base weights [K] or [N, K]."""
        return replace(self, base_weights=bases)

    def to(self, device) -> CountScheme:
        """Return a copy whose tensors are on the device."""
        return moved(self, device)

    def project(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the nearest code that fits; equal gains in the order column, current, line.

        latent [N, M(, C(, D))], allowed bool that broadcasts to it; the code is int16, int32 above 32767 slots.
        Raises FeasibilityError for latents that are not finite. Source: design, exact projection, counts.
        """
        return self.hold(latent, allowed)[0]

    def hold(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the nearest code that fits, as `project` does, and its weight, as `decode` does."""
        if self._most_types > 1:
            code = self.hold_with_gap(latent, allowed)[0]
            return code, self.decode(code)
        places, allowed = self._places(finite(latent)), aligned(allowed, latent)
        if not is_compiled_for(latent):
            code = self._by_tensors(places if allowed is None else places.masked_fill(~allowed.view(places.shape), 0.0))
            code = code if latent.dim() == 4 else code[..., 0]
            return code, self.decode(code)
        code, weight = self._by_rows(places, allowed)
        return code if latent.dim() == 4 else code[..., 0], weight.view(latent.shape)

    def hold_with_gap(
        self, latent: torch.Tensor, allowed: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a code that fits and by how much its squared distance may exceed the least, [N] float64.

        0 means proven nearest: always with one type per current and sign, or where dynamic programming is small enough.
        """
        if self._most_types == 1:
            return self.project(latent, allowed), torch.zeros(len(latent), dtype=torch.float64, device=latent.device)
        places, allowed = self._places(finite(latent)), aligned(allowed, latent)
        places = places if allowed is None else places.masked_fill(~allowed.view(places.shape), 0.0)
        size, _ = self._sizes(places)
        bases = base_rows("base_weights", self.base_weights, places)
        groups = [bases[:, list(kinds)] for kinds in self._groups.values()]
        budget, most = row_budget(self.slots, places), most_slots(self.slots)
        counts, gap = nearest_of_several(size.flatten(1), self._group_of(places).flatten(1), groups, budget, most)
        counts = counts.view(*places.shape, -1)
        code = torch.zeros(*places.shape[:2], len(self.signs), places.shape[3], dtype=self._code_type)
        code = code.to(places.device)
        for (sign, current), kinds in self._groups.items():
            for j, k in enumerate(kinds):
                code[:, :, k] = counts[:, :, current, :, j] * (places[:, :, current] * sign > 0)
        return (code if latent.dim() == 4 else code[..., 0]), gap

    def _by_rows(self, places: torch.Tensor, allowed: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        from neuro.weights.compiled_counts import count_rows  # numba is imported where a projection needs it

        code = torch.empty(*places.shape[:2], len(self.signs), places.shape[3], dtype=self._code_type)
        weight = torch.empty(places.shape)
        bases = base_rows("base_weights", self.base_weights, places)
        allowed = torch.empty(0, 0, dtype=torch.bool) if allowed is None else allowed.flatten(1)
        arrays = (bases, row_budget(self.slots, places), code, weight, allowed.contiguous())
        parts = row_parts(as_floats(places), *(x.numpy() for x in arrays))
        most = most_slots(self.slots)
        in_parallel(torch.get_num_threads(), count_rows, [(self._kinds, most, *part) for part in parts])
        return code, weight

    @property
    def _code_type(self) -> torch.dtype:
        return torch.int16 if most_slots(self.slots) <= LARGEST_INT16 else torch.int32

    def _by_tensors(self, places: torch.Tensor) -> torch.Tensor:
        size, base = self._sizes(places)
        most, budget, kind = most_slots(self.slots), row_budget(self.slots, places), self._code_type
        entry, words = best_words(size.div_(base).flatten(1), base.square_().flatten(1), budget, most)
        number = torch.zeros(size.flatten(1).shape, dtype=kind, device=places.device)
        number = number.scatter_(1, entry, words.to(kind)).view(places.shape)
        of_sign = {1: number * (places > 0), -1: number * (places < 0)}
        return torch.stack([of_sign[s][:, :, c] for s, c in zip(self.signs, self.currents, strict=True)], 2)

    def draw(
        self, latent: torch.Tensor, allowed: torch.Tensor | None = None, generator: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a random code that fits and is right on average, and its weight; no generator: with error feedback.

        The mean is the nearest point of the hull, the real counts of which are rounded as `neuro.weights.drawing` says.
        """
        latent = self.hull(latent, allowed)
        places = self._places(latent)
        units, types = self._falling(places)
        size, units = places.double().abs().flatten(1), units.flatten(1, 3)
        budget = row_budget(self.slots, places)
        counts = draw_split(size, units, (places < 0).flatten(1), budget, generator).view(*places.shape, -1)
        code = torch.zeros(*places.shape, len(self.signs), dtype=self._code_type, device=places.device)
        code = code.scatter_add_(4, types, counts.to(self._code_type)).sum(2).movedim(3, 2)  # a type has one current
        code = (code if latent.dim() == 4 else code[..., 0]).contiguous().to(self._code_type)
        return code, self.decode(code)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Return the float32 weight [N, M], [N, M, C] or [N, M, C, D] of a code."""
        signed = base_rows("base_weights", self.base_weights, code) * torch.tensor(self.signs, device=code.device)
        places = code if code.dim() == 4 else code[..., None]
        shape = (*code.shape[:2], self._current_count, places.shape[3])
        weight = torch.zeros(shape, dtype=torch.float32, device=code.device)
        for k, current in enumerate(self.currents):
            weight[:, :, current] += (places[:, :, k] * signed[:, k, None, None]).to(torch.float32)
        if code.dim() == 4:
            return weight
        return weight[..., 0] if self._current_count > 1 else weight[:, :, 0, 0]

    def slots_used(self, code: torch.Tensor) -> torch.Tensor:
        """Return the number of words each row uses, [N] long."""
        return code.flatten(1).sum(1)

    def violations(self, code: torch.Tensor, allowed: torch.Tensor | None = None) -> list[violation.Violation]:
        """Find every limit a code breaks, by plain counting; [] means the chip can hold it."""
        counts = violation.as_array(code)
        return violation.malformed(counts, (3, 4)) or _broken(self, counts, allowed)

    def base_gradient(self, code: torch.Tensor, grad_weight: torch.Tensor) -> torch.Tensor:
        """Return dL/db [N, K] from dL/dW (shape of the weight): Σ sign · n · dL/dW over a row's sources and lines."""
        grad = grad_weight if grad_weight.dim() > 2 else grad_weight[:, :, None]
        sums = count_sums(code, self.currents, grad)
        return (sums * torch.tensor(self.signs, device=sums.device)).to(grad_weight.dtype)

    def initial_bases(self, latent: torch.Tensor) -> torch.Tensor:
        """Suggest bases [K] with which a typical row of the latent uses about all its slots; 1 where it is all 0.

        Each current has an equal share of the slots. Its base is the median over rows of Σ|w| / share, summed over
        the `share` largest |w| of a row: in wide rows the rest is too small to win a word. Of several types of a current
        and sign the last has half that, the first what `larger_base` fits, those between are spaced evenly in logarithm.
        """
        size, _ = self._sizes(self._places(finite(latent)))
        share = max(typical_slots(self.slots) // self._current_count, 1)
        bases = torch.ones(len(self.signs), dtype=torch.float64, device=latent.device)
        for (_, current), kinds in self._groups.items():
            heard = size[:, :, current].flatten(1)
            bases[list(kinds)] = _first_bases(heard, typical_mean(heard, share), share, len(kinds)).to(bases)
        return bases

    def hull(self, latent: torch.Tensor, allowed: torch.Tensor | None = None) -> torch.Tensor:
        """Return the nearest latent in the convex hull of all that fits: Σ |w| / base <= slots in every row."""
        places, allowed = self._places(finite(latent)), aligned(allowed, latent)
        size, unit = self._sizes(places)[0], self._falling(places)[0][..., 0]
        if allowed is not None:
            size = size.masked_fill(~allowed.reshape(size.shape), 0.0)
        unit = unit.masked_fill(unit.isinf(), 1.0)
        inside = into_ball(size.flatten(1), unit.flatten(1), row_budget(self.slots, places), each=torch.inf)
        return inside.view(latent.shape).to(latent.dtype).copysign(latent.detach())

    def word_values(self, latent: torch.Tensor) -> torch.Tensor:
        """Return the bases that serve each latent's sign, falling: float64 in its shape and J; inf where there is none."""
        return self._falling(self._places(latent.detach()))[0].view(*latent.shape, -1)

    @property
    def _current_count(self) -> int:
        return max(self.currents) + 1

    def _places(self, latent: torch.Tensor) -> torch.Tensor:
        """View the latent as [N, M, C, D]."""
        count = self._current_count
        if latent.shape[2:3] != (() if latent.dim() == 2 and count == 1 else (count,)) or latent.shape[2:] == (1,):
            wanted = "[N, M] or [N, M, 1, D]" if count == 1 else f"[N, M, {count}] or [N, M, {count}, D]"
            raise FeasibilityError(
                f"latent has the shape {list(latent.shape)}, allowed: {wanted}, as the scheme has {count} currents; "
                "give one entry a source and current"
            )
        return latent.reshape(*latent.shape[:2], count, -1 if latent.dim() == 4 and latent.numel() else 1)

    @cached_property
    def _groups(self) -> dict[tuple[int, int], tuple[int, ...]]:
        """The types of each sign and current there is."""
        pairs = list(zip(self.signs, self.currents, strict=True))
        return {pair: tuple(k for k, other in enumerate(pairs) if other == pair) for pair in dict.fromkeys(pairs)}

    @cached_property
    def _most_types(self) -> int:
        return max(map(len, self._groups.values()))

    @cached_property
    def _kinds(self) -> np.ndarray:
        """Which type, the first of several, serves the positive [0] and negative [1] weights of each current; −1 none."""
        table = [[self._groups.get((sign, c), (-1,))[0] for c in range(self._current_count)] for sign in (1, -1)]
        return np.array(table)

    def _group_of(self, places: torch.Tensor) -> torch.Tensor:
        """Number the group of each place, 0 where none serves its sign (its size is 0 there)."""
        number = {pair: i for i, pair in enumerate(self._groups)}
        table = [[number.get((sign, c), 0) for c in range(self._current_count)] for sign in (1, -1)]
        plus, minus = torch.tensor(table, device=places.device)[:, :, None]
        return torch.where(places < 0, minus, plus)

    def _falling(self, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return for every place [N, M, C, D] the bases of its sign, falling, inf behind, and their types: [.., J]."""
        bases = base_rows("base_weights", self.base_weights, places)
        shape = (len(bases), 2, self._current_count, self._most_types)
        units, types = torch.full(shape, torch.inf, dtype=torch.float64), torch.zeros(shape, dtype=torch.int64)
        units, types = units.to(places.device), types.to(places.device)
        for (sign, current), kinds in self._groups.items():
            found, order = bases[:, list(kinds)].sort(dim=1, descending=True, stable=True)
            side = 0 if sign > 0 else 1
            units[:, side, current, : len(kinds)] = found
            types[:, side, current, : len(kinds)] = torch.tensor(kinds, device=places.device)[order]
        negative = (places < 0)[..., None]
        return tuple(torch.where(negative, x[:, None, 1, :, None], x[:, None, 0, :, None]) for x in (units, types))

    def _sizes(self, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return |w|, 0 where no type serves it, and its (first) type's base, both [N, M, C, D] float64."""
        kinds, negative = torch.tensor(self._kinds, device=places.device), places < 0
        bases = base_rows("base_weights", self.base_weights, places)[:, kinds.clamp(min=0), None]
        base = torch.where(negative, bases[:, None, 1], bases[:, None, 0])
        size = places.to(torch.float64, copy=True).abs_()
        if len(self._groups) < 2 * self._current_count:
            absent = (kinds < 0)[:, :, None]
            size = size.masked_fill(torch.where(negative, absent[1], absent[0]), 0.0)
        return size, base


def _first_bases(size: torch.Tensor, typical: torch.Tensor, share: int, types: int) -> torch.Tensor:
    """Suggest the bases of the types of one current and sign, falling, from sizes [N, E] and the one that fits alone."""
    if types == 1:
        return typical.reshape(1)
    small = float(typical) / 2
    large = larger_base(size.topk(min(share, size.shape[1]), 1).values, small)
    return torch.logspace(0, 1, types, base=small / large, dtype=torch.float64) * large


def _check_types(signs: tuple, currents: tuple) -> None:
    """Refuse signs other than ±1, and currents with gaps."""
    if not signs or len(currents) != len(signs) or not set(signs) <= {1, -1}:
        raise DescriptionError(
            f"signs are {signs} for currents {currents}, allowed: as many signs as currents, each +1 or -1; "
            "give one of each for every synapse type"
        )
    if set(currents) != set(range(len(set(currents)))):
        raise DescriptionError(f"currents are {currents}, allowed: 0, 1, … without gaps; number the currents from 0")


def _broken(scheme: CountScheme, counts: np.ndarray, allowed) -> list[violation.Violation]:
    """Count words, signs and permissions in a code [N, M, K(, D)]."""
    types = list(zip(scheme.currents, scheme.signs, strict=True))
    if counts.shape[2] != len(types):
        return [violation.Violation(violation.EVERY_ROW, "types in the code", counts.shape[2], len(types))]
    found = violation.out_of_range(counts, 0, np.iinfo(np.int32).max, ("column", "type", "line"))
    found += violation.over_budget(counts.astype(np.int64).clip(min=0), scheme.slots)
    connected = []
    for current in sorted(set(scheme.currents)):
        of_sign = [[k for k, pair in enumerate(types) if pair == (current, sign)] for sign in (1, -1)]
        signs = [(counts[:, :, kinds] != 0).any(2) for kinds in of_sign]
        both = np.argwhere(np.logical_and(*signs))
        places = [(i, violation.place((i[1], current, *i[2:]))) for i in both]
        found += [violation.Violation(int(i[0]), f"signs at {where}", "+ and -", "one sign") for i, where in places]
        connected.append(np.any(signs, axis=0))
    single = len(connected) == 1 and counts.ndim == 3
    return found + violation.not_allowed(connected[0] if single else np.stack(connected, axis=2), allowed)
