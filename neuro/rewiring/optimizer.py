"""Wrap any torch optimizer so that after each of its steps the network is one its chip can hold.

One step: (a) the wrapped optimizer moves the latents along gradients passed straight through; (b) every code becomes the
nearest point that fits, all incoming words of a neuron counted against one budget; (c) the next forward pass reads codes
and base weights only. Latents are never replaced by their codes: a step is far smaller than half a code, and training
would stand still (Muller & Indiveri 2015, arXiv 1504.05767; Petschenig & Legenstein 2023, doi 10.1088/2634-4386/accd8f).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from neuro.errors import FeasibilityError, NeuroError
from neuro.rewiring.gradient import CountSpace
from neuro.rewiring.growth import AtLeast, Redraw, Refill
from neuro.rewiring.noise import Langevin
from neuro.rewiring.removal import RandomShares, ToConnectivity, parts_of
from neuro.rewiring.rounding import RULES, Feedback, Nearest, OneCopy, Stochastic, put_on_codes

LATENT_RULES = ("free", "hull")
PLAIN_BASE_SHARE = 0.1  # how far bases move in a group that has no learning rate of its own for them


class QRewiring(torch.optim.Optimizer):
    """Step the wrapped optimizer, then project.

    network: a `neuro.Network` or what `neuro.constrain` gives. latent: "free" leaves latents where they went, "hull" draws
    them back into the convex hull of what fits (for counts the L1 ball of radius slots), whose nearest code is empty where
    a neuron hears many more sources than it has words (measured: benchmarks/latent_rule.py). base_every: base weights and
    trained constants move every so many steps, by that step's gradient; with plain `network.parameters()` at a tenth of the
    group's step. rounding: what training reads (evaluation and export read the nearest code). removal, growth, noise: None,
    a part, or a tuple of parts, applied to the latents in this order before the projection: noise, removal, growth;
    `Redraw`, which gives empty entries new sources, comes last and needs storage "slots". What they do follows from seed
    and step alone. gradient: None, or what scales gradients before the step.
    Raises FeasibilityError on gradients or parameters that are not finite; the network stays that of the last good step.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        network,
        *,
        latent: str = "free",
        base_every: int = 10,
        rounding: Nearest | Stochastic | Feedback | OneCopy = Nearest(),  # noqa: B008 (frozen)
        removal: ToConnectivity | RandomShares | tuple | None = None,
        growth: Redraw | AtLeast | Refill | tuple | None = None,
        noise: Langevin | None = None,
        gradient: CountSpace | None = None,
    ):
        if isinstance(optimizer, torch.optim.LBFGS):
            raise NeuroError("LBFGS evaluates its closure several times between projections; use Adam, AdamW or SGD")
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise NeuroError(f"optimizer is {type(optimizer).__name__}, allowed: a torch.optim.Optimizer")
        if latent not in LATENT_RULES:
            raise NeuroError(f"latent is {latent!r}, allowed: {', '.join(LATENT_RULES)}")
        if latent == "hull" and not all(hasattr(memory.scheme, "hull") for _, _, memory in network.synapses()):
            raise NeuroError(
                "latent is 'hull', but what a crossbar can hold has none: its weights follow the latents; use free"
            )
        if not isinstance(base_every, int) or base_every < 1:
            raise NeuroError(f"base_every is {base_every!r}, allowed: a whole number from 1")
        held = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if not any(id(latent) in held for _, latent, _ in network.synapses()):
            raise NeuroError(
                "the optimizer holds none of this network's latents; make it of network.parameter_groups(lr)"
            )
        self.optimizer, self.network = optimizer, network
        self.latent, self.base_every, self.steps = latent, base_every, 0
        self.noise = parts_of(Langevin, "noise", noise)
        self.gradient = parts_of(CountSpace, "gradient", gradient)
        self.removal = parts_of((ToConnectivity, RandomShares), "removal", removal)
        self.growth = parts_of((Redraw, AtLeast, Refill), "growth", growth)
        self._redraws = [part for part in self.growth if isinstance(part, Redraw)]
        if self._redraws and any(memory.source is None for _, _, memory in network.synapses()):
            raise NeuroError("growth needs entries that can be drawn anew: build the network with storage slots")
        searches = [part for part in self._redraws if part.candidates]
        if len(searches) > 1:
            raise NeuroError(f"growth has {len(searches)} parts that try candidates, allowed: one")
        for _, _, memory in network.synapses():
            memory.search, memory.candidates = searches[0] if searches else None, None
        self.rounding = rounding
        self._begin_rounding()

    def step(self, closure: Callable[[], torch.Tensor] | None = None):
        """Move the parameters and bring them back into what fits; a closure is evaluated once."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._refuse_gradients()
        bases_due = (self.steps + 1) % self.base_every == 0
        before = [p.detach().clone() for p in self.network.parameters()]
        for part in self.gradient:
            for _, latent, memory in self.network.synapses():
                part.apply(latent, memory)
        self._step_wrapped(bases_due)
        self._stir()
        self._refuse_parameters(before)
        self.steps += 1
        if bases_due:
            self.network.project_bases()
        self._rewire()
        if self.latent == "hull":
            self._draw_back()
        self._number_turns()
        self._project()
        for part in self._redraws:
            if part.due(self.steps):
                self.network.redraw(part.share, part.generator(self.steps), self._moments)
        return loss

    @torch.no_grad()
    def _step_wrapped(self, bases_due: bool) -> None:
        biases = _bias_latents(self.network)
        kept, before = [latent.grad for latent in biases], [latent.clone() for latent in biases]
        for latent in biases if not bases_due else ():
            latent.grad = None
        self.optimizer.step()
        own = {id(group["params"][0]) for group in self.param_groups if len(group["params"]) == 1}
        for latent, grad, old in zip(biases, kept, before, strict=True):
            latent.grad = grad
            if not bases_due:
                latent.copy_(old)
            elif id(latent) not in own:
                latent.copy_(old + PLAIN_BASE_SHARE * (latent - old))

    @torch.no_grad()
    def _stir(self) -> None:
        """Let active latents wander, each at the learning rate of its group."""
        if not self.noise:
            return
        rates = {id(p): float(group["lr"]) for group in self.param_groups for p in group["params"]}
        for number, (_, latent, memory) in enumerate(self.network.synapses()):
            for part in self.noise:
                part.apply(latent, memory, rates.get(id(latent), 0.0), self.steps, number)

    @torch.no_grad()
    def _rewire(self) -> None:
        """Remove, then grow."""
        parts = [part for part in (*self.removal, *self.growth) if not isinstance(part, Redraw)]
        for number, (_, latent, memory) in enumerate(self.network.synapses() if parts else ()):
            for part in parts:
                part.apply(latent, memory, self.steps, number)

    def _begin_rounding(self) -> None:
        """Hand the rounding to every memory, and draw the first codes where it draws."""
        if not isinstance(self.rounding, RULES):
            names = ", ".join(f"{rule.__name__}()" for rule in RULES)
            raise NeuroError(f"rounding is {self.rounding!r}, allowed: {names} of neuro.rewiring")
        rule = self.rounding.rule if isinstance(self.rounding, OneCopy) else self.rounding
        memories = [memory for _, _, memory in self.network.synapses()]
        for memory in memories if hasattr(rule, "draw") else ():
            if not hasattr(memory.scheme, "draw"):
                raise NeuroError(f"{type(memory.scheme).__name__} has no codes to draw: use rounding Nearest()")
        drawing = self.rounding if hasattr(self.rounding, "draw") else None
        changed = any(memory.rounding != drawing for memory in memories) or isinstance(self.rounding, OneCopy)
        for memory in memories:
            memory.rounding = drawing
        self._number_turns()
        if changed:
            self._project()

    def _project(self) -> None:
        """Bring every code to what fits; where there is one copy only, the latent goes with it."""
        if isinstance(self.rounding, OneCopy):
            put_on_codes(self.network, self.rounding.rule, self.steps)
        else:
            self.network.project_codes()

    def _number_turns(self) -> None:
        """Tell every memory which draw is next, where one draws codes or candidates."""
        if not (hasattr(self.rounding, "draw") or any(part.candidates for part in self._redraws)):
            return
        for number, (_, _, memory) in enumerate(self.network.synapses()):
            memory.turn = (self.steps, number)

    @torch.no_grad()
    def _draw_back(self) -> None:
        for _, latent, memory in self.network.synapses():
            latent.copy_(memory.hull(latent))

    def _moments(self, latent: torch.nn.Parameter) -> list[torch.Tensor]:
        """What the wrapped optimizer keeps of a latent, entry by entry."""
        kept = self.optimizer.state.get(latent, {}).values()
        return [x for x in kept if isinstance(x, torch.Tensor) and x.shape == latent.shape]

    def _refuse_gradients(self) -> None:
        for name, parameter in self.network.named_parameters():
            if parameter.grad is not None and not _finite(parameter.grad):
                raise FeasibilityError(
                    f"the gradient of {name} holds NaN or infinity; no parameter was moved: lower the learning rate, "
                    "clip gradients, or look for NaN in the loss"
                )

    @torch.no_grad()
    def _refuse_parameters(self, before: list[torch.Tensor]) -> None:
        bad = [name for name, p in self.network.named_parameters() if not _finite(p)]
        if bad:
            for parameter, old in zip(self.network.parameters(), before, strict=True):
                parameter.copy_(old)
            raise FeasibilityError(
                f"{bad[0]} became NaN or infinite in this step; every parameter was put back to what it was: lower the "
                "learning rate and make a new optimizer (this one's moments may be damaged)"
            )

    def __getstate__(self) -> dict:
        return self.__dict__.copy()

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)

    @property
    def param_groups(self):
        return self.optimizer.param_groups

    @param_groups.setter
    def param_groups(self, groups) -> None:
        self.optimizer.param_groups = groups

    @property
    def state(self):
        return self.optimizer.state

    @property
    def defaults(self):
        return self.optimizer.defaults

    def add_param_group(self, group: dict) -> None:
        """Add a group of parameters to the wrapped optimizer."""
        self.optimizer.add_param_group(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of every parameter."""
        self.optimizer.zero_grad(set_to_none)

    def state_dict(self) -> dict:
        """Give the wrapped optimizer's state and the number of steps made."""
        return {"optimizer": self.optimizer.state_dict(), "steps": self.steps}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over a state made by `state_dict`."""
        self.optimizer.load_state_dict(state_dict["optimizer"])
        self.steps = state_dict["steps"]
        self._number_turns()
        if hasattr(self.rounding, "draw"):
            self.network.project_codes()

    def register_step_pre_hook(self, hook):
        return self.optimizer.register_step_pre_hook(hook)

    def register_step_post_hook(self, hook):
        return self.optimizer.register_step_post_hook(hook)

    def __repr__(self) -> str:
        return (
            f"QRewiring({self.optimizer!r}, latent={self.latent!r}, base_every={self.base_every}, "
            f"rounding={self.rounding}, removal={self.removal}, growth={self.growth}, noise={self.noise})"
        )


def _bias_latents(network) -> list[torch.nn.Parameter]:
    """Latents of bias currents: of base weights and trained constants."""
    shared = (getattr(network, "bases", None), getattr(network, "constants", None))
    return [part.latent for part in shared if part is not None]


def _finite(tensor: torch.Tensor) -> bool:
    """Whether every entry is finite; the sum decides in one pass, a closer look only where the sum overflowed."""
    return bool(torch.isfinite(tensor.sum())) or bool(torch.isfinite(tensor).all())
