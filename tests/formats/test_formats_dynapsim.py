"""Rockpool's DynapSim, run with the parameters of an export, orders neurons and samples as our replay does.

Rockpool is looked for as in `test_formats_rockpool`. The tolerance is stated here: a rank correlation of at least 0.99, and
relative errors of at most 0.25 in the mean once the gain is matched; `benchmarks/dynapsim.py` says what differs.
"""

import importlib.util
import os
import sys

import pytest

PYTHON = os.environ.get("NEURO_ROCKPOOL") or (sys.executable if importlib.util.find_spec("rockpool") else None)

pytestmark = pytest.mark.skipif(
    PYTHON is None,
    reason="Rockpool is not here: pip install rockpool jax, or name a Python that has it in NEURO_ROCKPOOL",
)


def test_rates_agree_within_the_stated_tolerance():
    from dynapsim import compare

    found = compare(PYTHON)
    assert found["compared"] > 60 and found["loudest_hz"] < 300, found
    assert found["rank_correlation"] >= 0.99, found
    assert found["relative_error"] <= 0.25, found
