"""What a sweep can be after: a figure of the table, and whether more of it is better."""

from __future__ import annotations

from dataclasses import dataclass

from neuro.descriptor import nearest
from neuro.errors import DescriptionError


@dataclass(frozen=True)
class Objective:
    """A column to make large (`more`) or small; known before a network has seen data, or not."""

    column: str
    more: bool = False
    needs_data: bool = False


OBJECTIVES = {
    "accuracy": Objective("validation_accuracy", more=True, needs_data=True),
    "loss": Objective("validation_loss", needs_data=True),
    "slots": Objective("slots_mean"),
    "sources": Objective("sources_mean"),
    "bytes": Objective("memory_bytes"),
    "neurons": Objective("neurons"),
    "cores": Objective("cores"),
    "routes": Objective("routes"),
    "rate": Objective("rate", needs_data=True),
    "operations": Objective("synaptic_operations", needs_data=True),
    "energy": Objective("energy_estimate_j", needs_data=True),
    "seconds": Objective("seconds", needs_data=True),
}


def check_objectives(names: tuple[str, ...]) -> None:
    """Raise DescriptionError where a name is none of the objectives, or stands twice."""
    for name in names:
        if name not in OBJECTIVES:
            near = nearest(name, OBJECTIVES)
            raise DescriptionError(
                f"--optimize {name}: unknown{f', did you mean {near}?' if near else ';'} allowed: {', '.join(OBJECTIVES)}"
            )
        if names.count(name) > 1:
            raise DescriptionError(f"--optimize {name} stands more than once")


def may_prune(names: tuple[str, ...], wanted: bool | None) -> bool:
    """Whether hopeless runs are stopped: as wanted, else in optimizations whose costs are known while a run trains."""
    rest = [name for name in names if name != "accuracy" and OBJECTIVES[name].needs_data]
    possible = not names or ("accuracy" in names and not rest)
    if wanted and not possible:
        raise DescriptionError(
            f"--prune compares accuracy at equal cost, but {', '.join(rest or names)} cannot be told before a run is "
            "done; leave --prune out"
        )
    return possible and bool(names) if wanted is None else wanted
