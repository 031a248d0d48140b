"""Networks from other simulators: converted exactly, or refused by the name of the module that stands in the way."""

from neuro.interop.norse_stack import from_norse
from neuro.interop.overrides import chip_overrides
from neuro.interop.snntorch_stack import from_snntorch
from neuro.interop.spec import shift_of

__all__ = ["chip_overrides", "from_norse", "from_snntorch", "shift_of"]
