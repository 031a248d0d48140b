"""One look for all pictures: colour-blind safe (Okabe & Ito 2008), no window, no clutter."""

from __future__ import annotations

from pathlib import Path

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
PINK, SKY, YELLOW = "#CC79A7", "#56B4E9", "#E69F00"
COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, YELLOW, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # so that a print without colours can be read too
FORMATS = ("png", "svg", "pdf")


def figure(rows: int, columns: int, size: tuple[float, float], **options):
    """Make a figure and its axes without touching any display; `options` are those of `Figure.subplots`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    class Picture(Figure):
        """A figure that notebooks show by themselves."""

        def _repr_png_(self) -> bytes:
            return drawn(self, "png")

    fig = Picture(figsize=size, layout="constrained")
    FigureCanvasAgg(fig)
    axes = fig.subplots(rows, columns, squeeze=False, **options)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
        ax.xaxis.get_major_locator().set_params(integer=True)
    return fig, axes


def drawn(fig, kind: str) -> bytes:
    """A figure's bytes in one format, without the hour it was drawn: the same figure gives the same file."""
    import io

    from matplotlib import rc_context

    buffer = io.BytesIO()
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with rc_context({"svg.hashsalt": "neuro", "svg.fonttype": "none", "pdf.fonttype": 42}):
        fig.savefig(buffer, format=kind, dpi=120, metadata=undated)
    return buffer.getvalue()


def save(fig, path: str | Path) -> None:
    """Write a picture, whole or not at all; the ending chooses PNG, SVG or PDF."""
    from neuro.runs.files import write_atomically

    write_atomically(Path(path), drawn(fig, Path(path).suffix.lstrip(".") or "png"))
