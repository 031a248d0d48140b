"""What was read, held against what writing it again would give: anything else in a file is no configuration of ours."""

from __future__ import annotations

from neuro.errors import TableError


def refuse_differences(have: object, wanted: object, where: str) -> None:
    """Raise TableError at the first value that is not what writing the configuration again would give."""
    if type(have) is type(wanted) is dict and have.keys() == wanted.keys():
        for key in wanted:
            refuse_differences(have[key], wanted[key], f"{where}: {key}" if ": " not in where else f"{where}.{key}")
    elif type(have) is type(wanted) is list and len(have) == len(wanted):
        for number, pair in enumerate(zip(have, wanted, strict=True)) if have != wanted else ():
            refuse_differences(*pair, f"{where}.{number}")
    elif have != wanted:
        raise TableError(f"{where} is {str(have)[:60]}, allowed: {str(wanted)[:60]}; export again")


def refuse_other_lines(have: str, wanted: str, file: str) -> None:
    """Raise TableError naming the first line of a text that is not what writing the configuration again would give."""
    lines = zip(f"{have}\n".split("\n"), f"{wanted}\n".split("\n"), strict=False)
    for number, (line, other) in enumerate(lines, 1):
        if line != other:
            raise TableError(f"{file}:{number}: is {line[:60]!r}, allowed: {other[:60]!r}; export again")
