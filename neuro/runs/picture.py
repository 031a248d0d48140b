"""One look for all pictures: colour-blind safe (Okabe & Ito 2008), no window, no clutter."""

from __future__ import annotations

from pathlib import Path

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"


def figure(rows: int, columns: int, size: tuple[float, float]):
    """Make a figure and its axes without touching any display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(fig)
    axes = fig.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.xaxis.get_major_locator().set_params(integer=True)
    return fig, axes


def save(fig, path: str | Path) -> None:
    """Write a picture, whole or not at all."""
    import io

    from neuro.runs.files import write_atomically

    buffer = io.BytesIO()
    fig.savefig(buffer, format=Path(path).suffix.lstrip(".") or "png", dpi=120)
    write_atomically(Path(path), buffer.getvalue())
