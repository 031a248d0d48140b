"""What works of a measured board, as a chip holds it once its file was read (`neuro.descriptor.boards`)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from neuro.descriptor.part import Count, Part


class Defects(Part):
    """What works of one measured board; a chip file names `file` and `tolerance`, the rest is read from there.

    words, tags: truth values, eight a byte in base 64, of `Chip.working_words` and `Chip.working_tags`.
    """

    file: str = Field(
        min_length=1, description="NPZ file of a measured board, beside the chip file or in the data folder"
    )
    tolerance: float = Field(0.1, ge=0, lt=1, description="a word works that failed in at most this share of trials")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    shape: tuple[Count, Count, Count, Literal[1, 2]] = Field(description="cores, neurons, words, classes of tags")
    words: str = Field(min_length=1)
    tags: str = Field(min_length=1)
