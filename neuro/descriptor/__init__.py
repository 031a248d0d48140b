"""What a chip is, and how descriptions of chips and tasks are read, changed, checked and shown."""

from neuro.descriptor.allowed import nearest
from neuro.descriptor.analog import refuse_exact_programming
from neuro.descriptor.circuits import (
    codes_of,
    leading_bias,
    nearest_code,
    reachable_values,
    realised_value,
    wanted_current,
)
from neuro.descriptor.description import describe, schema
from neuro.descriptor.document import Document, apply_overrides, override, read_document, refuse_other_kind, validate
from neuro.descriptor.html import html_table
from neuro.descriptor.load import chip_from_json, chip_names, chip_to_json, load_chip
from neuro.descriptor.mixed_signal import BiasDac, BiasSetting, Mismatch, MismatchParameter
from neuro.descriptor.models import NOT_REAL, REAL, Assumption, Base, Chip, Current, SynapseType, Weights
from neuro.descriptor.paths import differing
from neuro.descriptor.provenance import number_paths, orphans, source_of, unsourced
from neuro.descriptor.shipped import find_shipped, shipped_names

__all__ = [
    "NOT_REAL",
    "REAL",
    "Assumption",
    "Base",
    "BiasDac",
    "BiasSetting",
    "Chip",
    "Current",
    "Document",
    "Mismatch",
    "MismatchParameter",
    "SynapseType",
    "Weights",
    "apply_overrides",
    "chip_from_json",
    "chip_names",
    "chip_to_json",
    "codes_of",
    "describe",
    "differing",
    "find_shipped",
    "html_table",
    "leading_bias",
    "load_chip",
    "nearest",
    "nearest_code",
    "number_paths",
    "orphans",
    "override",
    "read_document",
    "reachable_values",
    "realised_value",
    "refuse_exact_programming",
    "refuse_other_kind",
    "schema",
    "shipped_names",
    "source_of",
    "unsourced",
    "validate",
    "wanted_current",
]
