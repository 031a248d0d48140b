"""All pictures of a run or of a sweep, in one folder."""

from __future__ import annotations

from pathlib import Path

from neuro.errors import RunError
from neuro.evaluation import load_devices
from neuro.reports.devices import devices_histogram
from neuro.reports.run_plots import RUN_PLOTS
from neuro.reports.sweep_plots import SWEEP_PLOTS
from neuro.runs import load_run
from neuro.runs.picture import FORMATS, save
from neuro.sweeps import load_sweep


def plot(source: str | Path, out: str | Path, formats: tuple[str, ...] = ("png",)) -> list[Path]:
    """Draw every picture of a run's or a sweep's folder into another folder; gives the files written.

    formats: png, svg, pdf. Raises RunError for a folder that is neither, and for other formats.
    """
    wrong = [kind for kind in formats if kind not in FORMATS]
    if wrong or not formats:
        raise RunError(f"formats are {', '.join(formats) or 'none'}, allowed: {', '.join(FORMATS)}")
    source, out = Path(source), Path(out)
    if (source / "sweep.json").exists():
        subject, plots = load_sweep(source), SWEEP_PLOTS
    else:
        subject, plots = load_run(source), RUN_PLOTS
        if load_devices(source) is not None:
            plots = {**plots, "devices": devices_histogram}
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{out} cannot be made: {error.strerror}") from None
    written = []
    for name, draw in plots.items():
        fig = draw(subject)
        for kind in formats:
            save(fig, out / f"{name}.{kind}")
            written.append(out / f"{name}.{kind}")
    return written
