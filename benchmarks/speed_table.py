"""Write the tables of speed in benchmarks/README.md from the committed results; what was not measured reads "not run"."""

from __future__ import annotations

import json

from machine import RESULTS
from rows import write_between

SHOWN = {
    "neuro, slots": "neuro, 64 words a neuron",
    "neuro, slots and reserve": "neuro, with as many in reserve",
    "neuro, dense latents": "neuro, a latent for every source",
    "neuro, dense weights": "neuro, a word for every source",
}


def table(rows: dict) -> str:
    """One line a contender: milliseconds of a step, and how many times ours that is."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row["contenders"]))
    sizes = [f"{key}: {row['neurons']:,} neurons, T {row['steps']}, B {row['batch']}" for key, row in rows.items()]
    lines = ["| " + " | ".join(["", *sizes]) + " |", "|---" * (len(rows) + 1) + "|"]
    for name in names:
        cells = [_cell(row["contenders"].get(name), name.startswith("neuro")) for row in rows.values()]
        lines.append("| " + " | ".join([SHOWN.get(name, name), *cells]) + " |")
    return "\n".join(lines)


def _cell(found: dict | None, ours: bool) -> str:
    if found is None:
        return ""
    rate = f", {found['rate']:.1%} spikes" if found["rate"] is not None else ""
    times = "" if ours and found["ratio"] == 1 else f" ({found['ratio']:.1f} ×)"
    return f"{found['median_ms']:.0f} ms{times}{rate}"


def parts(rows: dict) -> str:
    """Where the time of our step goes, in milliseconds."""
    names = [name for name in next(iter(rows.values())) if name != "rate"]
    lines = ["| row | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for key, row in rows.items():
        lines.append(f"| {key} | " + " | ".join(f"{row[name]:.1f}" for name in names) + " |")
    return "\n".join(lines)


def replays(rows: dict) -> str:
    """How many times real time each replay runs, median and best."""
    names = list(rows["stream"]["contenders"])
    lines = ["| row | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for key, row in rows.items():
        modelled = row["steps"] * row["samples"] * 1e-3
        cells = [_times(row["contenders"].get(name), modelled) for name in names]
        size = f"{row['neurons']:,} neurons, {row['samples']} sample{'s' * (row['samples'] > 1)}"
        lines.append(f"| {key}: {size} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _times(found: dict | None, modelled: float) -> str:
    if found is None:
        return ""
    return f"{found['times_real_time']:,.4g} × (best {modelled / found['seconds'][0]:,.4g}), {found['rate_hz']:.0f} Hz"


def first_steps(found: dict) -> str:
    """Seconds of the first step, and bytes a slot."""
    lines = ["| | import and network | first step |", "|---|---|---|"]
    lines += [
        f"| machine code {name} | {row['import_and_network_s']:.1f} s | {row['first_step_s']:.1f} s |"
        for name, row in found["first_step"].items()
    ]
    sizes = found["bytes_a_slot"]
    lines += ["", "| bytes a slot | " + " | ".join(sizes["stays"]) + " | in all | lists of words while a step runs |"]
    cells = [*sizes["stays"].values(), sizes["stays, in all"], sum(sizes["lists of a step"].values())]
    lines += ["|---" * (len(cells) + 1) + "|", "| | " + " | ".join(f"{cell:.0f}" for cell in cells) + " |"]
    return "\n".join(lines)


def main() -> None:
    tables = {"speed": table, "profile_step": parts, "replay": replays, "first_step": first_steps}
    for name, write in tables.items():
        path = RESULTS / f"{name}.json"
        found = json.loads(path.read_text()) if path.exists() else None
        text = "not run" if found is None else write(found.get("rows", found))
        write_between(name, f"{name}.py", text, fenced=False)


if __name__ == "__main__":
    main()
