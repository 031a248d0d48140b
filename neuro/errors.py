"""The one family of errors a user can cause: what, where, have against allowed, what to do."""


class NeuroError(Exception):
    """Something the user can put right; the command line prints it and exits with `status`."""

    status = 2


class DescriptionError(NeuroError):
    """A chip file, a task file or an override says something that cannot be."""


class FitError(NeuroError):
    """A network needs more of a resource than the chip has."""


class FeasibilityError(NeuroError):
    """Parameters left the region the chip can hold, or could not be brought back into it."""


class DataError(NeuroError):
    """Data, an array or a batch is missing, damaged or out of range."""


class RunError(NeuroError):
    """A run folder or a checkpoint is missing, damaged, or would be overwritten."""


class TableError(NeuroError):
    """A configuration folder is damaged or breaks a limit of its chip."""
