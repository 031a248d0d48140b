"""Write the README's figures from the committed results, between its two markers."""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent
START, END = "<!-- figures:", "<!-- end of figures -->"


def result(name: str) -> dict | None:
    path = HERE / "results" / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def accuracy_row(task: str, chip: str) -> str:
    """One line of the accuracy table; "not run" where there is no result."""
    found = result(f"{task}_{chip}".replace("-", "_"))
    if found is None:
        return f"| {task} on {chip} | not run | | | |"
    compared = sum(row["spikes_compared"] for row in found["rows"])
    differ = sum(row["spikes_differ"] for row in found["rows"])
    sd = f" ± {found['test_accuracy_sd']:.1%}" if found["test_accuracy_sd"] is not None else ""
    slots = sum(row["slots_mean"] for row in found["rows"]) / len(found["rows"])
    return (
        f"| {task} on {chip} | {found['test_accuracy_mean']:.1%}{sd} ({found['seeds']} seeds) | {slots:.1f} | "
        f"{differ} of {compared:,} | {sum(row['limits_exceeded'] for row in found['rows'])} |"
    )


def text() -> str:
    shown = [
        ("digits", "dynapse1"),
        ("digits", "dynapse2"),
        ("digits", "truenorth"),
        ("digits", "binary-core"),
        ("digits-recurrent", "dynapse1"),
    ]
    rows = [accuracy_row(task, chip) for task, chip in shown]
    lines = [
        "| task and chip | test accuracy, mean ± sd | slots a neuron | neuron steps that differ | limits exceeded |",
        "|---|---|---|---|---|",
        *rows,
        "",
    ]
    speed = result("training_step")
    if speed:
        r, about = speed["ratios"], speed["circumstances"]
        lines.append(
            f"One training step of `digits-recurrent` takes {speed['times']['neuro']['median_ms']:.0f} ms here, "
            f"{r['norse / neuro']:.1f} × that in norse and {r['snntorch / neuro']:.1f} × in snnTorch; the projection is "
            f"{r['projection share of a step']:.0%} of it ({about['cpu']}, {about['threads']} threads, torch "
            f"{about['versions']['torch']}; batch {speed['batch']}, {speed['steps']} steps)."
        )
    large = result("speed")
    if large:
        row = large["rows"]["1"]
        of = row["contenders"]
        norse, snntorch, floor = (f"{of[n]['ratio']:.0f} ×" for n in ("norse", "snntorch", "dense products alone"))
        lines.append(
            f"\nForward and backward through {row['neurons']:,} recurrent neurons of {row['words']} words each "
            f"({row['inputs']} inputs, {row['steps']} steps, batch {row['batch']}; slot storage) take "
            f"{of['neuro, slots']['median_ms']:.0f} ms; norse takes {norse} that, snnTorch {snntorch}, the dense matrix "
            f"products alone {floor}{_more(of)}. More sizes, and where we fall short, in `benchmarks/README.md`."
        )
    replay = result("replay")
    if replay:
        stream, mesh = (replay["rows"][row] for row in ("stream", "mesh"))
        ours, board, brian = (
            row["contenders"].get(name)
            for row, name in ((stream, "neuro"), (mesh, "neuro"), (stream, "Brian2, C++ standalone"))
        )
        beside = f" (Brian2's C++ at {brian['rate_hz']:.0f} Hz: {brian['times_real_time']:.0f} ×)" if brian else ""
        lines.append(
            f"\nA configuration of {stream['neurons']:,} neurons at {ours['rate_hz']:.0f} Hz is replayed "
            f"{ours['times_real_time']:.0f} × faster than real time{beside}, one of {mesh['neurons']:,} at "
            f"{board['rate_hz']:.0f} Hz {board['times_real_time']:.1f} ×."
        )
    return "\n".join(lines)


def _more(contenders: dict) -> str:
    """What other peers take, where they were measured."""
    names = {"SpikingJelly": "SpikingJelly", "jax under jit": "jax", "brainevent, 64 a neuron": "brainevent"}
    told = [f"{said} {contenders[name]['ratio']:.0f} ×" for name, said in names.items() if name in contenders]
    return "".join(f", {text}" for text in told)


def main() -> None:
    path = HERE.parent / "README.md"
    before, rest = path.read_text().split(START, 1)
    comment, rest = rest.split("\n", 1)
    _, after = rest.split(END, 1)
    path.write_text(f"{before}{START}{comment}\n{text()}\n{END}{after}")


if __name__ == "__main__":
    main()
