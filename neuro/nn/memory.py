"""A synapse memory: the latent that training moves, the code a chip holds, and the weight the forward pass reads."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from neuro.errors import FeasibilityError
from neuro.nn.bases import BaseWeights, rows_of
from neuro.nn.checksum import UNPROJECTED, checksum
from neuro.weights import NestedSlots

CHANGED = "the code was changed without projection; call project()"
NOT_ITS_CODE = "is not what its latent gives: this state was edited, or is of another chip; load one `state_dict` gave"


class SynapseMemory(nn.Module):
    """Hold the codes of one latent tensor and pass gradients straight through to it.

    scheme: what the memory can hold. allowed: bool mask of usable words, or None. cores: core of each row, for base
    weights that belong to cores. For slot storage: usable [M, C, D], the words each column may use; itself [n], the
    column a neuron may not listen to, or [0]; source [n, E], which column each entry listens to. rounding: None, or what
    gives a second, drawn code (`neuro.rewiring`): training mode reads that one, evaluation and export the nearest; it
    depends on the latent and turn, the step and number of this memory, alone. search: None, or what says when and how many
    candidates for other sources are tried. A latent moved without
    projection is noticed by a checksum over its bits, which does not see changes that keep the 64-bit sum of those bits
    (two equal and opposite moves of bit patterns, a swap).
    """

    def __init__(
        self,
        scheme,
        allowed=None,
        limits=None,
        bases: BaseWeights | None = None,
        cores=None,
        usable=None,
        itself=None,
        source=None,
    ):
        super().__init__()
        self.scheme = scheme
        self.nested = slots if isinstance(slots := getattr(scheme, "slots", None), NestedSlots) else None
        self.bases = (bases,)  # in a tuple: shared by memories, owned by the network
        self.register_buffer("allowed", allowed, persistent=False)
        self.register_buffer("limits", limits, persistent=False)
        self.register_buffer("cores", cores, persistent=False)
        self.register_buffer("usable", usable, persistent=False)
        self.register_buffer("itself", itself, persistent=False)
        self.register_buffer("source", None)
        self.register_buffer("code", None)
        self.register_buffer("weight", None, persistent=False)
        self.register_buffer("drawn_code", None, persistent=False)
        self.register_buffer("drawn_weight", None, persistent=False)
        self.rounding, self.turn = None, (0, 0)
        self.search, self.candidates = None, None
        self.stamp: int | None = None
        if source is not None:
            self.listen(source)

    def listen(self, source: torch.Tensor) -> None:
        """Take other sources for the entries, ascending column numbers [n, E]; `project` must follow."""
        self.source = source
        self.allowed = None if bool(self.usable.all()) else self.usable[source]
        if self.nested is not None:
            self.scheme = replace(self.scheme, slots=self.nested.at(source))

    def spread(self, weight: torch.Tensor, source: torch.Tensor | None = None) -> torch.Tensor:
        """Put the weights of entries where their columns are: [n, M, C, D]; what has columns stays as it is.

        source: the columns of the entries, if they are not the memory's own.
        """
        source = self.source if source is None else source
        if source is None:
            return weight
        shape = (len(weight), len(self.usable), *weight.shape[2:])
        return weight.new_zeros(shape).scatter(1, source[:, :, None, None].expand_as(weight), weight)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """Give the weight the chip holds for this latent, float32 in the latent's shape; the drawn one in training."""
        self.refuse_moved(latent)
        base_latent = self.bases[0].latent if self.bases[0] is not None else None
        return _StraightThrough.apply(latent, base_latent, self)

    def refuse_moved(self, latent: torch.Tensor) -> None:
        """Raise FeasibilityError where a latent moved without projection."""
        if self.moved(latent):
            raise FeasibilityError(UNPROJECTED)

    def refuse_other_sources(self, source: torch.Tensor | None) -> None:
        """Raise FeasibilityError on the way back where entries listen to others than on the way forward."""
        if self.source is not source:
            raise FeasibilityError("entries got new sources after this forward pass; run forward again before backward")

    def moved(self, latent: torch.Tensor) -> bool:
        """Whether a latent is not the one the present code was made from."""
        return self.stamp != checksum(latent)

    def violations(self, latent: torch.Tensor) -> list[str]:
        """Every limit the code breaks, and whether latent, code and weight belong together."""
        found = self._broken(self.code, self.weight) + self.wrong_sources()
        if self.drawn_code is not None:
            found += [f"drawn: {v}" for v in self._broken(self.drawn_code, self.drawn_weight)]
        return [*found, UNPROJECTED] if self.moved(latent) else found

    def _broken(self, code: torch.Tensor, weight: torch.Tensor) -> list[str]:
        found = [str(v) for v in self.scheme.violations(code, self.allowed)]
        if not found and not torch.equal(self.scheme.decode(code).view_as(weight), weight):
            return [CHANGED]
        return found

    def wrong_sources(self) -> list[str]:
        """Say which neurons' entries do not name columns, each once and in order."""
        if self.source is None:
            return []
        good = (self.source >= 0) & (self.source < len(self.usable))
        good[:, 1:] &= self.source[:, 1:] > self.source[:, :-1]
        if len(self.itself):
            good &= self.source != self.itself[:, None]
        return [
            f"neuron {int(n)}: its sources are not other columns, each once" for n in (~good.all(1)).nonzero()[:, 0]
        ]

    def project(self, latent: torch.Tensor) -> None:
        """Set the code to the nearest point the chip can hold, and the weight to what it stands for."""
        with torch.no_grad():
            wanted = self.within_limits(latent.detach())
            self.code, self.weight = self.scheme.hold(wanted, self.allowed)
            self.drawn_code = self.drawn_weight = None
            if self.rounding is not None:
                self.drawn_code, self.drawn_weight = self.rounding.draw(self.scheme, wanted, self.allowed, *self.turn)
            self.stamp = checksum(latent)

    def rounded(self, latent: torch.Tensor, rule, step: int, number: int) -> torch.Tensor:
        """Give the weight a rule of `neuro.rewiring` has for a latent; the nearest for a rule that draws none."""
        wanted = self.within_limits(latent.detach())
        if not hasattr(rule, "draw"):
            return self.scheme.hold(wanted, self.allowed)[1]
        return rule.draw(self.scheme, wanted, self.allowed, step, number)[1]

    def within_limits(self, latent: torch.Tensor) -> torch.Tensor:
        """Cut off signs that a current has no synapse type for."""
        return latent if self.limits is None else torch.clamp(latent, self.limits[0], self.limits[1])

    def word_values(self, latent: torch.Tensor) -> torch.Tensor:
        """What words of each latent's sign are worth (at most), falling, [.., J] float64; inf where there is none."""
        return self.scheme.word_values(latent)

    def allowed_for(self, latent: torch.Tensor) -> torch.Tensor:
        """Which places of a latent may be used: bool in its shape."""
        mask = torch.ones_like(latent, dtype=torch.bool) if self.allowed is None else self.allowed
        return mask.reshape(*mask.shape, *(1,) * (latent.dim() - mask.dim())).expand(latent.shape)

    @property
    def reads_drawn(self) -> bool:
        """Whether the next forward pass reads the drawn code."""
        return self.training and self.drawn_code is not None

    def hull(self, latent: torch.Tensor) -> torch.Tensor:
        """The nearest latent within the convex hull of what fits."""
        return self.scheme.hull(latent, self.allowed)

    def refresh_bases(self) -> None:
        """Take over base weights that have moved."""
        bases = self.bases[0]
        if bases is not None:
            self.scheme = self.scheme.with_bases(rows_of(bases.values(), self.cores))

    def base_gradient(self, code: torch.Tensor, grad_weight: torch.Tensor, factors=None) -> torch.Tensor:
        """Sum a weight's gradient into its core's base latents [cores, K]; a latent is the log of its value.

        factors: [n, K], what each neuron makes of its core's base weights, or None.
        """
        bases = self.bases[0]
        values = bases.values()
        rows = self.scheme.base_gradient(code, grad_weight)
        rows = rows if factors is None else rows * factors
        total = torch.zeros(values.shape, dtype=values.dtype)  # on the CPU, as a GPU adds in any order
        total.index_add_(0, self.cores.cpu(), rows.to("cpu", values.dtype))
        return total.to(values.device) * values

    def _apply(self, fn, *args, **kwargs):
        result = super()._apply(fn, *args, **kwargs)
        if self.code is not None:
            self.scheme = self.scheme.to(self.code.device)
        return result


def codes_that_differ(have: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> list[str]:
    """Name the codes, or values of weights, of a state that are not what its latents give."""
    codes = [name for name in have if name.rpartition(".")[2] in ("code", "values") and name in wanted]
    return [name for name in codes if not torch.equal(have[name].cpu(), wanted[name].cpu())]


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, latent, base_latent, memory: SynapseMemory):
        code, weight = memory.code, memory.weight
        if memory.reads_drawn:
            code, weight = memory.drawn_code, memory.drawn_weight
        ctx.memory, ctx.source, ctx.allowed, ctx.code = memory, memory.source, memory.allowed, code
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx, grad):
        memory = ctx.memory
        memory.refuse_other_sources(ctx.source)
        to_base = memory.base_gradient(ctx.code, grad) if ctx.needs_input_grad[1] else None
        return (grad if ctx.allowed is None else grad * ctx.allowed), to_base, None
