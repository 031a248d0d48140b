"""Rules on the off-chip read-out: weights and decays that float32 holds."""

from __future__ import annotations

import numpy as np

from neuro.tables.check_neurons import is_float32
from neuro.tables.finding import Finding, found
from neuro.tables.joined import Joined


def readout_findings(joined: Joined) -> list[Finding]:
    """Find read-out weights and decays that are not finite float32 numbers."""
    readout = joined.tables.frames["readout"]
    good = [bool(np.isfinite(w)) and is_float32(w) for w in readout["weight"]]
    where = "output {output} row {row} index {index}"
    findings = found("read-out weight", readout[~np.array(good, dtype=bool)], where, "{weight!r}", "a finite float32")
    for output in joined.manifest.outputs:
        if output.decay is not None and not is_float32(output.decay):
            findings.append(Finding("decay", f"manifest output {output.name}", output.decay.hex(), "a float32"))
    return findings
