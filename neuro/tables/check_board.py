"""Rules of a measured board: no word that fails for its tag is used, and no tag that does not reach a core."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuro.tables.finding import CORE, SYNAPSE, Finding, found
from neuro.tables.joined import Joined


def board_findings(joined: Joined) -> list[Finding]:
    """Find words that do not work on the board the descriptor names, and events that would not arrive."""
    if joined.chip.defects is None:
        return []
    return [*_words(joined), *_tags(joined)]


def _words(joined: Joined) -> list[Finding]:
    words, works = joined.tables.frames["synapses"], joined.chip.working_words
    inside = words["slot"] < works.shape[3]
    findings = found("slot", words[~inside], SYNAPSE, "{slot}", f"0 to {works.shape[3] - 1}")
    words = words[inside]
    half = words["tag"] * works.shape[4] // 2**joined.chip.tags.bits
    good = works[tuple(words[name] for name in ("chip", "core", "neuron", "slot")) + (half,)]
    have = "a word that does not work for tag {tag}"
    return findings + found("defective word", words[~good], SYNAPSE, have, "words that work on this board")


def _tags(joined: Joined) -> list[Finding]:
    heard, listened = joined.deliveries, joined.words[["chip", "core", "tag"]]
    used = pd.concat([heard[["chip", "core", "tag"]], listened]).drop_duplicates()
    works = joined.chip.working_tags[tuple(used[name] for name in ("chip", "core", "tag"))]
    lost = used[~np.asarray(works)]
    return found("defective tag", lost, CORE, "tag {tag}", "tags that reach this core on this board")
