"""Which latent rule is the default: "free" against "hull" at 4, 8, 16 and 64 slots, on the validation part only.

Expected before measuring: at 64 slots no difference; at 4 slots "free" lets latents of connections that lost their words
drift far from the region, so that they answer late: "hull" might be ahead there.

Found: the opposite. Inside the hull Σ|w|/b ≤ slots; spread over many more sources than slots that is less than half a
word each, so the nearest code is empty, neurons fall silent and no gradient wakes them. "free" is the default.

    python benchmarks/latent_rule.py [--seeds 0 1 2 3 4]
"""

from __future__ import annotations

import argparse
import statistics

from digits_run import validation_accuracy
from machine import circumstances, save

SLOTS = (4, 8, 16, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    seeds = parser.parse_args().seeds
    facts, rows = circumstances(), []
    for slots in SLOTS:
        found = {
            rule: [validation_accuracy([f"training.latent={rule}"], slots, seed) for seed in seeds]
            for rule in ("free", "hull")
        }
        differences = [hull - free for free, hull in zip(found["free"], found["hull"], strict=True)]
        row = {
            "slots": slots,
            **{rule: [round(a, 4) for a in accuracies] for rule, accuracies in found.items()},
            "free_mean": round(statistics.mean(found["free"]), 4),
            "hull_mean": round(statistics.mean(found["hull"]), 4),
            "hull_minus_free": round(statistics.mean(differences), 4),
            "standard_error": round(statistics.stdev(differences) / len(seeds) ** 0.5, 4) if len(seeds) > 1 else None,
        }
        print(row, flush=True)
        rows.append(row)
    save("latent_rule", {"task": "digits", "chip": "dynapse1", "seeds": seeds, "rows": rows, "circumstances": facts})


if __name__ == "__main__":
    main()
