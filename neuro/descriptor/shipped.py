"""The chip and task files that come with the package, and which file a name or a path stands for."""

from pathlib import Path

from neuro.descriptor.allowed import nearest
from neuro.errors import DescriptionError

PACKAGE = Path(__file__).resolve().parents[1]


def shipped(kind: str) -> Path:
    """Return the folder of the shipped `chips` or `tasks`: inside an installed package, beside it in a checkout."""
    for folder in (PACKAGE / f"_{kind}", PACKAGE.parent / kind):
        if folder.is_dir():
            return folder
    raise DescriptionError(f"the installed package holds no {kind}; install it again, or give a path to a file")


def shipped_names(kind: str) -> list[str]:
    """List the names of the shipped `chips` or `tasks`."""
    return sorted(path.stem for path in shipped(kind).glob("*.yaml"))


def find_shipped(name_or_path: str | Path, kind: str) -> Path:
    """Return the file a name or a path stands for.

    A path wins: a `Path`, text that is a file, holds a separator, or ends in .yaml or .yml.
    """
    text = str(name_or_path)
    looks_so = "/" in text or "\\" in text or text.endswith((".yaml", ".yml"))
    if isinstance(name_or_path, Path) or looks_so or _is_file(text):
        return Path(text)
    names = shipped_names(kind)
    if text not in names:
        near = nearest(text, names)
        raise DescriptionError(
            f"no {kind[:-1]} is named {text!r}{f', did you mean {near}?' if near else ';'} "
            f"allowed: {', '.join(names)}, or a path to a .yaml file"
        )
    return shipped(kind) / f"{text}.yaml"


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False
