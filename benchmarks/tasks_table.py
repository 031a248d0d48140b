"""Write the table of tasks in benchmarks/README.md from the committed results; a row without results reads "not run"."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

from tasks import ROWS, SEEDS, Row, result_path

START = "<!-- tasks: made by `python benchmarks/tasks_table.py` from benchmarks/results/tasks -->"
END = "<!-- end of tasks -->"
HEAD = (
    "task and chip",
    "bar (%)",
    "accuracy (%)",
    "float twin",
    "rounded twin",
    "seeds, epochs, hours",
    "slots",
    "sources",
    "synapse bytes (all words of its cores)",
    "rate",
    "operations a sample",
    "neuron steps that differ",
)


def line(row: Row) -> str:
    """One row of the table."""
    name, bar = f"{row.task} on {row.chip}{' with ' + ', '.join(row.chip_set) if row.chip_set else ''}", row.bar or "–"
    found = [json.loads(p.read_text()) for p in (result_path(row, seed) for seed in SEEDS) if p.exists()]
    if not found:
        return f"| {name} | {bar} | not run |" + " |" * (len(HEAD) - 3)

    def mean(key: str) -> float:
        return statistics.mean(f[key] for f in found)

    room = found[0]["synapse_bytes_of_cores"]
    cells = (
        name,
        bar,
        _spread([100 * f["test_accuracy"] for f in found]),
        _spread([100 * f["float_twin"] for f in found if f["float_twin"] is not None]),
        _spread([100 * f["rounded_twin"] for f in found if f["rounded_twin"] is not None]),
        f"{len(found)}, {found[0]['epochs']}, {sum(f['training_seconds'] for f in found) / 3600:.2f}",
        f"{mean('slots_mean'):.1f}",
        f"{mean('sources_mean'):.1f}",
        f"{mean('synapse_bytes'):,.0f}" + (f" ({room:,})" if room else ""),
        f"{mean('rate'):.3f}",
        f"{mean('operations_per_sample'):,.0f}",
        f"{sum(f['spikes_differ'] for f in found)} of {sum(f['spikes_compared'] for f in found):,}",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def _spread(values: list[float]) -> str:
    if not values:
        return "not run"
    sd = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{sd}"


def table() -> str:
    """The whole table."""
    return "\n".join([f"| {' | '.join(HEAD)} |", "|" + "---|" * len(HEAD), *map(line, ROWS)])


def main() -> None:
    path = Path(__file__).parent / "README.md"
    before, rest = path.read_text().split(START, 1)
    path.write_text(f"{before}{START}\n{table()}\n{END}{rest.split(END, 1)[1]}")


if __name__ == "__main__":
    main()
