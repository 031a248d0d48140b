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


def main() -> None:
    for name, script, write in (("speed", "speed.py", table), ("profile_step", "profile_step.py", parts)):
        path = RESULTS / f"{name}.json"
        text = write(json.loads(path.read_text())["rows"]) if path.exists() else "not run"
        write_between(name, script, text, fenced=False)


if __name__ == "__main__":
    main()
