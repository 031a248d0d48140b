"""What slot storage costs in accuracy: dense latents against entries with reserves of 0, S/4, S and 4 S, validation only.

Expected before measuring: dense and 4 S alike, as a hidden neuron of this task hears 64 pixels and 4 S + S covers them from
13 slots on; a reserve of S within a point; without reserve or without growth clearly worse at 8 slots, since a
connection then must win a word in one step or is never tried.

Found (5 seeds): at 16 slots nothing differs by more than two standard errors, reserve 4 S is if anything ahead (+0.7 ± 0.4
points). At 8 slots everything loses to dense: reserve 0, 2, 8 and 32 by 3.3, 2.8, 2.1 and 1.2 (± 0.8), 8 without growth by
3.1: growth is worth a point, a reserve of S is not enough there, as expected of 0 but not of S.

    python benchmarks/storage.py [--seeds 0 1 2 3 4] [--slots 8 16]
"""

from __future__ import annotations

import argparse
import statistics

from digits_run import validation_accuracy
from machine import circumstances, save


def variants(slots: int) -> dict[str, list[str]]:
    """Overrides of the recipe by name."""
    entries = {
        f"reserve {n}": ["training.storage=slots", f"training.reserve={n}"] for n in (0, slots // 4, slots, 4 * slots)
    }
    still = {f"reserve {slots}, no growth": [*entries[f"reserve {slots}"], "training.growth_share=0"]}
    return {"dense": []} | entries | still


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--slots", type=int, nargs="+", default=[8, 16])
    arguments = parser.parse_args()
    facts, rows = circumstances("numba"), []
    for slots in arguments.slots:
        dense = None
        for name, overrides in variants(slots).items():
            found = [validation_accuracy(overrides, slots, seed) for seed in arguments.seeds]
            dense = found if dense is None else dense
            differences = [a - b for a, b in zip(found, dense, strict=True)]
            row = {
                "slots": slots,
                "storage": name,
                "validation_accuracy": [round(a, 4) for a in found],
                "mean": round(statistics.mean(found), 4),
                "minus_dense": round(statistics.mean(differences), 4),
                "standard_error": round(statistics.stdev(differences) / len(found) ** 0.5, 4)
                if len(found) > 1
                else None,
            }
            print(row, flush=True)
            rows.append(row)
    seeds = arguments.seeds
    save("storage", {"task": "digits", "chip": "dynapse1", "seeds": seeds, "rows": rows, "circumstances": facts})


if __name__ == "__main__":
    main()
