"""Check a configuration against its chip: every limit derived again from the tables and the descriptor alone."""

from __future__ import annotations

from neuro.tables.check_axons import axon_findings
from neuro.tables.check_board import board_findings
from neuro.tables.check_circuits import circuit_findings
from neuro.tables.check_dac import dac_findings
from neuro.tables.check_layers import check_layers
from neuro.tables.check_manifest import manifest_findings
from neuro.tables.check_neurons import neuron_findings
from neuro.tables.check_ranges import range_findings
from neuro.tables.check_readout import readout_findings
from neuro.tables.check_references import reference_findings
from neuro.tables.check_routes import route_findings
from neuro.tables.check_sources import source_findings
from neuro.tables.check_synapses import synapse_findings
from neuro.tables.check_tags import tag_findings
from neuro.tables.check_weights import weight_findings
from neuro.tables.finding import Finding, worst_first
from neuro.tables.joined import Joined
from neuro.tables.layers import LayerTables
from neuro.tables.model import Tables

LIMITS = (
    neuron_findings,
    synapse_findings,
    board_findings,
    axon_findings,
    source_findings,
    weight_findings,
    dac_findings,
    circuit_findings,
    route_findings,
    tag_findings,
    readout_findings,
)


def check(tables: Tables | LayerTables) -> list[Finding]:
    """Find every limit of the chip that a configuration breaks, worst resource first; [] where it can be programmed.

    Tables whose numbers refer to nothing are reported alone: limits can be counted once they are put right.
    """
    if isinstance(tables, LayerTables):
        return check_layers(tables)
    malformed = ill_formed(tables)
    if malformed:
        return worst_first(malformed)
    joined = Joined(tables)
    return worst_first(finding for limit in LIMITS for finding in limit(joined))


def ill_formed(tables: Tables) -> list[Finding]:
    """Find what keeps tables from being read as a network: numbers out of range, and references to nothing."""
    for rule in (manifest_findings, range_findings, reference_findings):
        if findings := rule(tables):
            return findings
    return []
