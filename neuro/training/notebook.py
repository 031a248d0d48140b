"""A place in a notebook's output that is written over as work goes on; needs no widgets."""

from __future__ import annotations

import sys
from html import escape


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")


class Place:
    """Text with a bar below; what is shown last stays."""

    def __init__(self):
        from IPython.display import HTML, display

        self.html = HTML
        self.handle = display(HTML(""), display_id=True)

    def show(self, lines: list[str], done: int, total: int, left: str) -> None:
        """Write over what was shown."""
        text = escape("\n".join(lines))
        bar = f"<progress max='{total}' value='{done}' style='width:50%'></progress> {done} of {total} {escape(left)}"
        self.handle.update(self.html(f"<pre style='white-space:pre-wrap'>{text}</pre>{bar}"))
