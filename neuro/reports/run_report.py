"""What the report of a run says: its verdict, limits, figures, and how to make it again."""

from __future__ import annotations

import shlex

import numpy as np

from neuro.data import load_dataset
from neuro.emit import export
from neuro.errors import NeuroError
from neuro.evaluation import (
    DeviceEvaluation,
    count_operations,
    energy_estimate,
    evaluate,
    load_devices,
    resources_of,
    usage,
)
from neuro.reports.chip_map import chip_map
from neuro.reports.codes import WHAT, signed_codes
from neuro.reports.core_figures import core_figures
from neuro.reports.devices import devices_facts, devices_figure
from neuro.reports.limits import limits_of
from neuro.reports.proof import proof_of
from neuro.reports.run_plots import SHOWN
from neuro.reports.sample import activity
from neuro.runs import Run
from neuro.runs.files import read_object
from neuro.runs.picture import COLOURS
from neuro.silicon import VirtualChip
from neuro.tables import Tables


def run_page(run: Run, progress=None, virtual: VirtualChip | None = None) -> dict:
    """Measure, verify and draw a run: the values its page is filled with; virtual: a device it is shown on, too."""
    tested, proof = evaluate(run), _proof(run, progress)
    on_device = [] if virtual is None else _on_device(run, progress, virtual)
    has_tables = run.chip.weights.kind != "float"  # a float twin fits no chip
    tables = export(run) if has_tables else None
    limits = limits_of(tables) if has_tables else []
    devices = load_devices(run.folder)
    exceeded = sum(not limit.kept for limit in limits)
    fits = ("yes", f"{exceeded} limits exceeded", "good")
    if exceeded or not has_tables:
        fits = ("no", f"{exceeded} limits exceeded" if has_tables else "floating-point weights fit no chip", "bad")
    return {
        "kind": "run",
        "title": f"{run.task.name} on {run.chip.label}",
        "subtitle": f"{run.task.title} · {run.chip.title} · seed {run.seed}",
        "verdict": [
            ("accuracy", f"{tested.accuracy:.1%}", f"of {tested.samples} test samples", "plain"),
            ("fits", *fits),
            ("verified", *proof),
            *on_device,
        ],
        "limits": limits,
        "facts": [*(devices_facts(devices) if devices else []), *_costs(run)],
        "figures": _figures(run, tables, devices),
        "reproduce": _reproduce(run),
    }


def _on_device(run: Run, progress, virtual: VirtualChip) -> list[tuple[str, str, str, str]]:
    found, told = evaluate(run, virtual=virtual), _proof(run, progress, virtual)
    of = "measured" if virtual.seed is None else f"seed {virtual.seed}, spreads times {virtual.scale:g}"
    return [
        ("on a virtual chip", f"{found.accuracy:.1%}", f"of {found.samples} test samples ({of})", "plain"),
        ("verified on it", *told),
    ]


def _proof(run: Run, progress, virtual: VirtualChip | None = None) -> tuple[str, str, str]:
    try:
        return proof_of(run, progress, virtual)
    except NeuroError as error:  # a float twin has no tables
        return "no", str(error), "bad"


def _costs(run: Run) -> list[tuple[str, str]]:
    takes = resources_of(run.network)
    done = count_operations(run.network, run.task, load_dataset(run.task.data).test)
    energy = energy_estimate(run.chip, done, run.task.steps * run.task.dt_s)
    return [
        ("neurons", f"{takes.neurons:,}"),
        ("slots used", f"{takes.slots:,}, {takes.slots_mean:.1f} a neuron"),
        ("distinct sources", f"{takes.sources:,}, {takes.sources_mean:.1f} a neuron"),
        ("synapse memory in use", f"{takes.memory_bytes:,} bytes, packed"),
        ("route rows", f"{takes.routes:,}"),
        (
            "synaptic operations a sample (NeuroBench)",
            f"{done.acs:,.0f} ACs, {done.macs:,.0f} MACs; dense {done.dense:,.0f}",
        ),
        ("activation sparsity (NeuroBench)", f"{done.activation_sparsity:.4f}"),
        ("membrane updates a sample (NeuroBench)", f"{done.membrane_updates:,.0f}"),
        ("connection sparsity (NeuroBench)", f"{takes.connection_sparsity:.4f}"),
        ("footprint in torch (NeuroBench)", f"{takes.footprint:,} bytes"),
        ("spikes a sample", f"{done.spikes:,.0f}"),
        ("energy a sample", f"{energy:.3g} J (estimate)" if energy is not None else UNKNOWN),
    ]


CALIBRATION = ("calibrated_from", "settings", "constants")  # what run.json says of a run that was calibrated
UNKNOWN = "unknown: the chip's description states no energies, so there is no estimate"


def _reproduce(run: Run) -> list[tuple[str, str]]:
    about = read_object(run.folder / "run.json", "the versions are unknown")
    known = ("format", "version", "seed", *CALIBRATION)
    return [
        ("command (a file of your own goes by its path)", shlex.join(_command(run, about))),
        ("made with", ", ".join(f"{k} {v}" for k, v in about.items() if k not in known)),
        ("folder", str(run.folder)),
    ]


def _command(run: Run, about: dict) -> list[str]:
    """The words that make a run again: those of training, or of calibration for a device that lies in its folder."""
    recipe = run.task.training
    if "calibrated_from" in about:
        begun = [
            "neuro",
            "calibrate",
            str(about["calibrated_from"]),
            "--virtual",
            str(run.folder / "device.safetensors"),
        ]
        recipe = [
            "--epochs",
            str(recipe.epochs),
            "--lr",
            str(recipe.lr),
            "--settings",
            str(about.get("settings", "all")),
            *(["--constants", ",".join(about["constants"])] if about.get("constants") else []),
        ]
        return [*begun, *recipe, "--out", "runs/again"]
    sets = [*(f"task.{text}" for text in run.task.changed), *(f"chip.{text}" for text in run.chip.changed)]
    parts = ["neuro", "train", run.task.name, "--chip", run.chip.name, "--seed", str(run.seed), "--out", "runs/again"]
    return [*parts, *(word for text in sets for word in ("--set", text))]


def _figures(run: Run, tables: Tables | None, devices: DeviceEvaluation | None) -> list[dict]:
    figures = [("chip", "Neurons on the chip, coloured by the slots they use", chip_map(run.network))]
    figures += core_figures(tables) if tables is not None else []
    if devices:
        figures.append(("devices", "Accuracy on virtual chips", devices_figure(devices)))
    figures.append(("curves", "Learning", _curves(run)))
    figures.append(("raster", "Spikes of the first test sample", _raster(run)))
    figures.append(("slots", "Slots used, and distinct sources heard", _slots(run)))
    figures.append(("codes", "What synapse words hold", _codes(run)))
    return [{"id": name, "title": title, **figure} for name, title, figure in figures if figure]


def _curves(run: Run) -> dict:
    metrics = run.metrics
    epochs = [m["epoch"] for m in metrics]
    lines = []
    for part, colour, dash in (("train", COLOURS[0], "solid"), ("validation", COLOURS[1], "dash")):
        y = [round(100 * m[f"{part}_accuracy"], 3) for m in metrics]
        line = {"color": colour, "dash": dash}
        lines.append({"type": "scatter", "x": epochs, "y": y, "name": part, "line": line, "mode": "lines+markers"})
    return {
        "data": lines,
        "layout": {"xaxis": {"title": {"text": "epoch"}}, "yaxis": {"title": {"text": "accuracy (%)"}}},
    }


def _raster(run: Run) -> dict:
    done, lines, offset, middles = activity(run), [], 0, []
    rows = sum(min(z.shape[1], SHOWN) + 5 for z in done.signals.values())
    height = min(max(420, 65 + 2 * rows), 760)
    width = min(max(700 // len(next(iter(done.signals.values()))), 3), 12)
    for (name, z), colour in zip(done.signals.items(), COLOURS * 9, strict=False):
        t, n = z[:, :SHOWN].nonzero()
        thick = min(max((height - 65) // rows - 1, 1), 3)  # so that rows stay apart
        marker = {"symbol": "line-ew-open", "size": width, "color": colour, "line": {"width": thick}}
        points = {"x": t.tolist(), "y": (n + offset).tolist(), "customdata": n.tolist()}
        hover = f"{name} %{{customdata}}, step %{{x}}<extra></extra>"
        lines.append(
            {"type": "scattergl", "mode": "markers", "name": name, "marker": marker, "hovertemplate": hover, **points}
        )
        middles.append((offset + min(z.shape[1], SHOWN) / 2, f"{name}<br>{_first(z.shape[1])}"))
        offset += min(z.shape[1], SHOWN) + 5
    layout = {
        "xaxis": {"title": {"text": f"time step ({1000 * run.task.dt_s:g} ms)"}},
        "yaxis": {
            "range": [-3, offset],
            "tickvals": [at for at, _ in middles],
            "ticktext": [name for _, name in middles],
            "showgrid": False,
            "zeroline": False,
        },
    }
    return {"data": lines, "layout": {**layout, "height": height, "showlegend": False}}


def _first(size: int) -> str:
    return f"{SHOWN} of {size:,}" if size > SHOWN else f"{size:,}"


def _slots(run: Run) -> dict:
    bars = []
    for name, values, colour in zip(("slots used", "distinct sources"), usage(run.network), (0, 2), strict=True):
        counts = np.bincount(values.astype(int))
        x = np.flatnonzero(counts)
        bar = {
            "type": "bar",
            "x": x.tolist(),
            "y": counts[x].tolist(),
            "name": name,
            "marker": {"color": COLOURS[colour]},
        }
        bars.append(bar)
    return {
        "data": bars,
        "layout": {"xaxis": {"title": {"text": "per neuron"}}, "yaxis": {"title": {"text": "neurons"}}},
    }


def _codes(run: Run) -> dict:
    bars = []
    for name, colour in zip(run.network.memories, COLOURS * 9, strict=False):
        values, counts = signed_codes(run.network, name)
        if len(values) <= 1000:
            shown = {"x": values.tolist(), "y": counts.tolist(), "name": name, "marker": {"color": colour}}
            bars.append({"type": "bar", **shown})
    what, hint = WHAT[run.chip.weights.kind]
    axes = _axes(what, "connections")
    most = max((n for bar in bars for n in bar["y"]), default=1)
    plain = {"type": "log", "dtick": 1, "tickformat": ",d", "range": [-0.3, float(np.log10(most)) + 0.1]}
    return {"data": bars, "layout": {**axes, "yaxis": {**axes["yaxis"], **plain}}, "hint": hint}


def _axes(x: str, y: str) -> dict:
    return {"xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}}}
