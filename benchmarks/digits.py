"""Accuracy of the digits tasks on DYNAP-SE1 over five seeds: best epoch by validation, the test part measured once.

Every run is exported and verified. Expected before measuring: at least 96 % mean on `digits` (a float multilayer
perceptron of this size reaches about 97 to 98 % on these images), no spike different, no limit exceeded.

    python benchmarks/digits.py [--task digits] [--chip dynapse1] [--seeds 0 1 2 3 4]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from machine import circumstances, save

import neuro
from neuro.training.progress import progress_for


def one(task: str, chip: str, seed: int) -> dict:
    """Train, measure once, verify."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run = neuro.train(task, chip, Path(folder) / "run", seed=seed, progress=progress_for("quiet"))
        trained = time.perf_counter() - begun
        result, proof = neuro.evaluate(run), neuro.verify(run)
        row = {
            "seed": seed,
            "test_accuracy": result.accuracy,
            "validation_accuracy": run.facts["validation_accuracy"],
            "epoch": run.facts["epoch"],
            "slots_mean": result.slots_mean,
            "sources_mean": result.sources_mean,
            "rate": result.rate,
            "cores": result.cores,
            "spikes_compared": proof.compared,
            "spikes_differ": proof.differ,
            "limits_exceeded": len(proof.findings) + sum(m["violations"] for m in run.metrics),
            "seconds": round(trained, 1),
        }
    print(row, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="digits")
    parser.add_argument("--chip", default="dynapse1")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    arguments = parser.parse_args()
    facts = circumstances("scikit-learn")
    rows = [one(arguments.task, arguments.chip, seed) for seed in arguments.seeds]
    accuracies = [row["test_accuracy"] for row in rows]
    summary = {
        "test_accuracy_mean": round(statistics.mean(accuracies), 4),
        "test_accuracy_sd": round(statistics.stdev(accuracies), 4) if len(accuracies) > 1 else None,
        "validation_accuracy_mean": round(statistics.mean(row["validation_accuracy"] for row in rows), 4),
        "seeds": len(rows),
    }
    print(summary)
    name = f"{arguments.task}_{arguments.chip}".replace("-", "_")
    save(name, {"task": arguments.task, "chip": arguments.chip, **summary, "rows": rows, "circumstances": facts})


if __name__ == "__main__":
    main()
