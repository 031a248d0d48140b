"""The manifest of a configuration: the whole chip, what the tables' numbers mean, and every constant of the step."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError, ValidationInfo

from neuro.descriptor import Chip, chip_to_json
from neuro.errors import TableError

if TYPE_CHECKING:
    from neuro.dynamics import ParameterSet

FORMAT, VERSION = "neuro-tables", 1
MAX_DELAY = 100_000  # steps


def _read_hex(value, info: ValidationInfo):
    if isinstance(value, str) and info.mode == "json":
        try:
            number = float.fromhex(value)
        except (ValueError, OverflowError):
            number = None
        if number is None or number != number or number.hex() != value:
            raise ValueError(f"{value[:60]!r} is not a hexadecimal float such as 0x1.8000000000000p+0")
        return number
    if info.mode == "json" or value != value:
        raise ValueError(f"{value!r} is not a hexadecimal float in quotes, such as 0x1.8000000000000p+0")
    return value


Hex = Annotated[
    float,
    Field(allow_inf_nan=True),
    BeforeValidator(_read_hex),
    PlainSerializer(float.hex, return_type=str, when_used="json"),
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=200)]
Id = Annotated[int, Field(ge=0, le=2**31 - 1)]
Size = Annotated[int, Field(ge=1, le=10**9)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Position(Part):
    """Where a chip sits on its board."""

    chip: Id
    x: Id
    y: Id


class Input(Part):
    name: Name
    channels: Size


class Population(Part):
    name: Name
    size: Size


class Output(Part):
    """What is read: `spikes` of classes (or of every neuron), or `traces` weighted off the chip."""

    name: Name
    population: Name
    kind: Literal["spikes", "traces"]
    classes: Size | None = None
    decay: Hex | None = None


class GridExponent(Part):
    """Weights of one core are whole numbers times 2**exponent."""

    chip: Id
    core: Id
    exponent: int


class Parameters(Part):
    """The constants of the step that some neurons share; every float is a float32."""

    id: Id
    leak: Hex
    decay_syn: tuple[Hex, ...]
    theta: Hex
    v_reset: Hex = 0.0
    floor: Hex = float("-inf")
    bias: Hex = 0.0
    beta: Hex = 0.0
    decay_a: Hex = 0.0
    refractory_steps: Id = 0

    def to_set(self) -> ParameterSet:
        """Give the constants as the step takes them."""
        from neuro.dynamics import ParameterSet

        return ParameterSet(**{name: getattr(self, name) for name in type(self).model_fields if name != "id"})


class File(Part):
    file: str
    rows: Annotated[int, Field(ge=0)]
    sha256: Sha256


class Manifest(Part):
    """Everything of a configuration that is not a table; `files` stands only in a saved one."""

    format: Literal["neuro-tables"] = FORMAT
    version: Literal[1] = VERSION
    chip: Chip
    chip_sha256: Sha256
    dt_s: Annotated[float, Field(gt=0)]
    chips: tuple[Position, ...] = Field(min_length=1)
    inputs: tuple[Input, ...] = Field(min_length=1)
    populations: tuple[Population, ...] = Field(min_length=1)
    outputs: tuple[Output, ...] = Field(min_length=1)
    currents: tuple[Name, ...] = Field(min_length=1)
    shunting_as_subtractive: bool = False
    delay_lines: tuple[Annotated[int, Field(ge=0, le=MAX_DELAY)], ...] = Field((0,), min_length=1)
    grid_exponents: tuple[GridExponent, ...] = Field(min_length=1)
    parameter_sets: tuple[Parameters, ...] = Field(min_length=1)
    task: str | None = None
    files: dict[str, File] = Field(default_factory=dict)


def chip_sha256(chip: Chip) -> str:
    """Hash a descriptor: sha256 of its JSON with sorted keys and no spaces."""
    return sha256_of(json.loads(chip_to_json(chip)))


def sha256_of(value: object) -> str:
    """Hash what a JSON text says, whatever its spaces and the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def parse_manifest(content: dict, where: str) -> Manifest:
    """Make a manifest of JSON-like values; raises TableError naming the first key that is wrong."""
    try:
        return Manifest.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"])) or "the whole"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        have = repr(first["input"])[:60]
        raise TableError(f"{where}: {path} is {have}: {first['msg']}{more}; export again") from None


def manifest_text(manifest: Manifest) -> str:
    """Write a manifest as JSON text."""
    content = manifest.model_dump(mode="json", exclude={"chip"})
    fields = {name: content.get(name) for name in Manifest.model_fields}
    fields["chip"] = json.loads(chip_to_json(manifest.chip))
    return json.dumps(fields, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
