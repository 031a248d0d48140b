"""Rules on the manifest: chips on their board, names, currents, outputs, grid exponents, the descriptor's hash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from neuro.tables.finding import Finding
from neuro.tables.manifest import Manifest, Output, chip_sha256
from neuro.tables.model import Tables

EXPONENTS = range(-126, 104)  # whole numbers below 2^24 times 2^e are then normal float32


def manifest_findings(tables: Tables) -> list[Finding]:
    """Find what the manifest says that cannot be."""
    manifest = tables.manifest
    rules = (_chip, _positions, _names, _currents, _delay_lines, _outputs, _exponents, _parameters)
    return [finding for rule in rules for finding in rule(manifest)]


def _chip(manifest: Manifest) -> Iterator[Finding]:
    if manifest.chip.weights.kind == "float":
        yield Finding(
            "weight kind", "manifest chip.weights.kind", "float", "counts, masks, levels, crossbar or conductance"
        )
    wanted = chip_sha256(manifest.chip)
    if manifest.chip_sha256 != wanted:
        yield Finding("chip_sha256", "manifest", manifest.chip_sha256, f"{wanted}, the hash of the chip beside it")


def _positions(manifest: Manifest) -> Iterator[Finding]:
    board = manifest.chip.board
    yield from _once("chips", (entry.chip for entry in manifest.chips))
    for entry in manifest.chips:
        have = f"chip {entry.chip} at x {entry.x}, y {entry.y}"
        if entry.chip >= manifest.chip.chips:
            yield Finding("board", "manifest chips", have, f"chips 0 to {manifest.chip.chips - 1}")
        elif (entry.y, entry.x) != divmod(entry.chip, board.columns):
            y, x = divmod(entry.chip, board.columns)
            yield Finding("board", "manifest chips", have, f"x {x}, y {y} on a board of {board.columns} columns")


def _names(manifest: Manifest) -> Iterator[Finding]:
    yield from _once("inputs", (entry.name for entry in manifest.inputs))
    yield from _once("populations", (entry.name for entry in manifest.populations))
    yield from _once("outputs", (entry.name for entry in manifest.outputs))
    yield from _once("parameter_sets", (entry.id for entry in manifest.parameter_sets))
    yield from _once("delay_lines", manifest.delay_lines)
    yield from _once("grid_exponents", ((g.chip, g.core) for g in manifest.grid_exponents))


def _once(what: str, names: Iterable) -> Iterator[Finding]:
    for name, times in Counter(names).items():
        if times > 1:
            yield Finding(f"duplicate in {what}", f"manifest {what}, {name}", times, 1)


def _currents(manifest: Manifest) -> Iterator[Finding]:
    names = [current.name for current in manifest.chip.currents]
    if list(manifest.currents) != [name for name in names if name in manifest.currents]:
        have, allowed = ", ".join(manifest.currents), ", ".join(names)
        yield Finding("currents", "manifest currents", have, f"some of {allowed}, each once, in this order")


def _delay_lines(manifest: Manifest) -> Iterator[Finding]:
    delays = manifest.chip.delays
    if len(manifest.delay_lines) > delays.lines:
        yield Finding("delay lines", "manifest delay_lines", len(manifest.delay_lines), delays.lines)
    delayed = sum(steps > 0 for steps in manifest.delay_lines)
    if delays.undelayed and delayed >= delays.lines:
        yield Finding("lines with a delay", "manifest delay_lines", delayed, delays.lines - 1)
    for steps in manifest.delay_lines:
        if steps > delays.line_max:
            yield Finding("delay of a line", "manifest delay_lines", steps, delays.line_max)


def _outputs(manifest: Manifest) -> Iterator[Finding]:
    sizes = {population.name: population.size for population in manifest.populations}
    for output in manifest.outputs:
        where = f"manifest output {output.name}"
        if output.population not in sizes:
            yield Finding("output population", where, output.population, ", ".join(sizes) or "none")
        elif output.kind == "spikes" and output.classes and sizes[output.population] % output.classes:
            yield Finding("classes", where, output.classes, f"a divisor of the {sizes[output.population]} neurons")
        yield from _trace(output, where)


def _trace(output: Output, where: str) -> Iterator[Finding]:
    if output.kind == "spikes" and output.decay is not None:
        yield Finding("decay", where, output.decay, "none: spikes are counted as they are")
    if output.kind == "traces" and output.classes is None:
        yield Finding("classes", where, "none", "the number of rows of the read-out")
    if output.kind == "traces" and (output.decay is None or not 0 <= output.decay <= 1):
        yield Finding("decay", where, "none" if output.decay is None else output.decay, "0 to 1")


def _exponents(manifest: Manifest) -> Iterator[Finding]:
    listed = {entry.chip for entry in manifest.chips}
    for g in manifest.grid_exponents:
        where = f"manifest grid_exponents, chip {g.chip} core {g.core}"
        if g.chip not in listed or g.core >= manifest.chip.cores.per_chip:
            yield Finding("core", where, g.core, f"cores 0 to {manifest.chip.cores.per_chip - 1} of listed chips")
        if g.exponent not in EXPONENTS:
            yield Finding("grid exponent", where, str(g.exponent), f"{EXPONENTS[0]} to {EXPONENTS[-1]}")


def _parameters(manifest: Manifest) -> Iterator[Finding]:
    for p in manifest.parameter_sets:
        if len(p.decay_syn) != len(manifest.currents):
            where = f"manifest parameter set {p.id}"
            yield Finding("decay_syn", where, str(len(p.decay_syn)), f"{len(manifest.currents)}, one a current in use")
