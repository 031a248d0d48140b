"""MNIST on the ideal DYNAP-SE2 and on measured boards, and what is lost when a board is not known to training.

Rows: a chip (ideal, or a board) and a seed. A subset of MNIST is used, 10,000 training images and the 10,000 test images,
and a few epochs; the recipe is that of `tasks/mnist.yaml`, nothing was chosen on these rows. The network trained on the
ideal chip is then put on each board in two ways without training: its tables as they are, words that fail and tags that do
not arrive left out; and placed anew for the board, its weights brought to the nearest point the board can hold.
Expected before measuring: within 1 % of the ideal chip when trained for the board, chance as it is, in between when
placed anew.

    python benchmarks/boards.py --data DIR [--seeds 0 1 2] [--epochs 4]     # goes on where it stood
    python benchmarks/boards.py --table                                     # the table in benchmarks/README.md
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from pathlib import Path

import numpy as np
import torch
from machine import RESULTS, circumstances

import neuro
from neuro.data import load_dataset, make_batch
from neuro.data.idx import read_idx
from neuro.evaluation import NOISE_SEED, measure
from neuro.losses import judged, together
from neuro.tables import on_board
from neuro.training.progress import progress_for

BOARDS = ("green", "orange")
IMAGES = 10_000
BATCH = 500
START = "<!-- boards: made by `python benchmarks/boards.py --table` from benchmarks/results/boards -->"
END = "<!-- end of boards -->"


def chip_of(board: str | None, data: Path):
    """The chip, or the chip as measured on a board."""
    file = data / "DYNAPSE" / f"dynapse2_board_{board}.npz"
    return neuro.load_chip("dynapse2", [f"defects.file={file.resolve()}"] if board else [])


def subset(data: Path, runs: Path) -> None:
    """Write the first training images and all test images as the file that the task reads."""
    raw = data / "MNIST" / "raw"
    x, x_test = (read_idx(raw / f"{part}-images-idx3-ubyte.gz", 3) for part in ("train", "t10k"))
    y, y_test = (read_idx(raw / f"{part}-labels-idx1-ubyte.gz", 1) for part in ("train", "t10k"))
    runs.mkdir(parents=True, exist_ok=True)
    flat = (images.reshape(len(images), -1) for images in (x[:IMAGES], x_test))
    np.savez(runs / "mnist.npz", **dict(zip(("x", "x_test"), flat, strict=True)), y=y[:IMAGES], y_test=y_test)


def task_of(epochs: int):
    """MNIST as in its task file, from the file of the subset."""
    settings = ["data.dataset=npz", "data.files={train: mnist.npz}", f"training.epochs={epochs}"]
    return neuro.load_task("mnist", settings)


def accuracy(tables, task, part) -> float:
    """Test accuracy of a configuration, replayed."""
    emulator, right = neuro.emulator.Emulator(tables), 0
    for ids in np.array_split(np.arange(len(part)), -(-len(part) // BATCH)):
        x, labels = make_batch(task, part, ids, NOISE_SEED)
        right += judged(task.loss, together(emulator.run(x)[0]), labels)[0]
    return right / len(part)


def placed_anew(network, chip, seed: int):
    """Bring a network's weights to the nearest point a board can hold, in the placement made for it."""
    plan = neuro.place(network.plan.spec, chip)
    latents = {
        name: {source: memory.weight[:, columns] for source, columns in network.plan.columns(name).items()}
        for name, memory in network.memories.items()
    }
    other = neuro.Network(plan, latents, seed)
    with torch.no_grad():  # a core's base weights: the mean of those its neurons had
        for core in range(len(plan.cores)):
            had = [
                network.bases.latent[network.plan.core_index(name)][plan.core_index(name) == core]
                for name in plan.spec.populations
            ]
            other.bases.latent[core] = torch.cat(had).mean(0)
    other.project()
    return other.eval()


def measured(board: str | None, seed: int, epochs: int, data: Path, runs: Path) -> dict:
    """Train on one chip; where it is the ideal one, put the network on every board without training."""
    chips = {name: chip_of(name, data) for name in (None, *BOARDS)}
    os.environ["NEURO_DATA"] = str(runs)
    folder = runs / f"{board or 'ideal'}-{seed}-{epochs}"
    begun = (folder / "run.json").exists()
    run = neuro.train(task_of(epochs), chips[board], folder, seed=seed, resume=begun, progress=progress_for("auto"))
    result, proof, test = neuro.evaluate(run), neuro.verify(run), load_dataset(run.task.data).test
    row = {
        "board": board or "ideal",
        "chip": run.chip.label,
        "seed": seed,
        "epochs": epochs,
        "training_images": IMAGES,
        "validation_accuracy": run.facts["validation_accuracy"],
        "test_accuracy": result.accuracy,
        "test_samples": result.samples,
        "slots_mean": result.slots_mean,
        "rate": result.rate,
        "training_seconds": run.metrics[-1]["seconds"],
        "spikes_compared": proof.compared,
        "spikes_differ": proof.differ,
        "limits_exceeded": len(proof.findings) + sum(m["violations"] for m in run.metrics),
    }
    return row if board else row | {"on": {name: _moved(run, chips[name], seed, test) for name in BOARDS}}


def _moved(run, chip, seed: int, test) -> dict:
    """What becomes of a network trained on the ideal chip on one board."""
    tables = neuro.export(run)
    left = on_board(tables, chip)
    return {
        "words": len(tables.frames["synapses"]),
        "words_left": len(left.frames["synapses"]),
        "as_it_is": accuracy(left, run.task, test),
        "placed_anew": measure(placed_anew(run.network, chip, seed), run.task, test, "test").accuracy,
    }


def found(board: str) -> list[dict]:
    """The committed rows of one chip."""
    return [json.loads(path.read_text()) for path in sorted((RESULTS / "boards").glob(f"{board}-*.json"))]


def table() -> str:
    """Accuracies in per cent by chip, mean and standard deviation over seeds; a row without results reads "not run"."""
    head = ("chip", "trained for it", "ideal network as it is", "words left", "ideal network placed anew")
    head += ("slots", "seeds", "epochs", "neuron steps that differ")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    ideal = found("ideal")
    for board in ("ideal", *BOARDS):
        rows = found(board)
        if not rows:
            lines.append(f"| {board} | not run |" + " |" * (len(head) - 2))
            continue
        moved = [row["on"][board] for row in ideal] if board != "ideal" else []
        left = f"{statistics.mean(m['words_left'] / m['words'] for m in moved):.0%}" if moved else "–"
        cells = (
            board,
            _spread([row["test_accuracy"] for row in rows]),
            _spread([m["as_it_is"] for m in moved]),
            left,
            _spread([m["placed_anew"] for m in moved]),
            f"{statistics.mean(row['slots_mean'] for row in rows):.1f}",
            len(rows),
            rows[0]["epochs"],
            f"{sum(row['spikes_differ'] for row in rows)} of {sum(row['spikes_compared'] for row in rows):,}",
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _spread(shares: list[float]) -> str:
    if not shares:
        return "–"
    sd = f" ± {100 * statistics.stdev(shares):.2f}" if len(shares) > 1 else ""
    return f"{100 * statistics.mean(shares):.2f}{sd}"


def write_table() -> None:
    path = Path(__file__).parent / "README.md"
    before, rest = path.read_text().split(START, 1)
    path.write_text(f"{before}{START}\n{table()}\n{END}{rest.split(END, 1)[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("NEURO_DATA", ".")))
    parser.add_argument("--runs", type=Path, default=Path("runs/boards"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--table", action="store_true", help="write the table only")
    arguments = parser.parse_args()
    if arguments.table:
        return write_table()
    if not (arguments.runs / "mnist.npz").exists():
        subset(arguments.data, arguments.runs)
    (RESULTS / "boards").mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        for board in (None, *BOARDS):
            path = RESULTS / "boards" / f"{board or 'ideal'}-{seed}.json"
            if not path.exists():
                facts = circumstances("numba")
                row = measured(board, seed, arguments.epochs, arguments.data.resolve(), arguments.runs.resolve())
                path.write_text(json.dumps({**row, "circumstances": facts}, indent=1) + "\n")
                print(f"wrote {path}: {row['test_accuracy']:.2%} {row.get('on', '')}", flush=True)


if __name__ == "__main__":
    main()
