"""A value as a small table for notebooks; every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def html_table(title: str, rows: Iterable[tuple], heads: tuple[str, ...] = ()) -> str:
    """Give a titled HTML table; whole numbers get their thousands parted."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows)
    return f"<p><b>{escape(title)}</b></p><table>{f'<tr>{head}</tr>' if head else ''}{body}</table>"


def _cell(value) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else escape(str(value))
