"""One HTML file that needs nothing else: text first, then the drawing library and the data, all of it inside."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from neuro.errors import RunError
from neuro.runs import load_run, write_atomically


def report(source: str | Path, out: str | Path | None = None, progress=None, virtual=None) -> Path:
    """Write the report of a run's or a sweep's folder as one HTML file; gives its path.

    out: default `report.html` in the folder. The file holds all it shows, loads nothing, and can be printed. A run is
    measured and verified for it, so its data must be at hand; of a sweep the best run is verified, where they are.
    progress is called with (samples verified, samples).
    virtual: a virtual chip that a run is also measured and verified on.
    """
    source = Path(source)
    if (source / "sweep.json").exists():
        from neuro.reports.sweep_report import sweep_page

        if virtual is not None:
            raise RunError(f"{source} is a sweep; a virtual chip is for the report of one of its runs")
        values = sweep_page(source, progress)
    else:
        from neuro.reports.run_report import run_page

        values = run_page(load_run(source), progress, virtual)
    path = source / "report.html" if out is None else Path(out)
    write_atomically(path, render(values))
    return path


def render(values: dict) -> str:
    """Fill the page; every text is escaped by the template engine, data by `_script_json`."""
    from jinja2 import Environment
    from plotly.offline import get_plotlyjs

    parts = {name: files("neuro.reports").joinpath("parts", name).read_text(encoding="utf-8") for name in PARTS}
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(parts["page.html"])
    data = {"figures": values["figures"], "table": values.get("data")}
    scripts = [get_plotlyjs(), parts["theme.js"], parts[f"{values['kind']}.js"]]
    return template.render(**values, style=parts["page.css"], scripts=scripts, json=_script_json(data))


PARTS = ("page.html", "page.css", "theme.js", "run.js", "sweep.js")


def _script_json(data) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
