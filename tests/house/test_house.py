"""The order of the rooms, the names of modules, and what nothing may import: read from the source."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import neuro

HOUSE = Path(neuro.__file__).parent
FILES = sorted(HOUSE.rglob("*.py"))
ORDER = [
    *(
        "errors",
        "descriptor",
        "task",
        "jit",
        "weights",
        "dynamics",
        "placement",
        "nn",
        "rewiring",
        "silicon",
        "data",
        "losses",
    ),
    *("runs", "evaluation", "training", "tables", "emit", "formats", "emulator", "verification", "interop", "sweeps"),
    *("reports", "cli"),
]
ONLY = {
    "errors": set(),
    "jit": set(),
    "weights": {"errors", "jit"},
    "dynamics": {"errors", "jit"},
    "tables": {"errors", "descriptor", "dynamics"},
    "formats": {"errors", "descriptor", "tables", "dynamics"},
    "emulator": {"errors", "jit", "descriptor", "tables", "dynamics"},
}


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path):
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def imports_in(source, package):
    """Name every module a source imports, anywhere in it, as (line, dotted name); relative imports resolved."""
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def imported(path):
    return imports_in(tree(path), ("neuro", *path.relative_to(HOUSE).parts[:-1]))


def rooms_used(path):
    """Name the rooms of ours that a file imports, as (line, room)."""
    for line, name in imported(path):
        parts = name.split(".")
        if parts[0] != "neuro" or len(parts) < 2:
            continue
        home = neuro._HOMES.get(parts[1], f"neuro.{parts[1]}") if len(parts) == 2 else name
        room = home.split(".")[1]
        if room in ORDER:
            yield line, room


def test_every_room_has_its_place():
    rooms = {room_of(path) for path in FILES} - {"__init__", "__main__"}
    assert rooms <= set(ORDER), f"rooms without a place in the order: {rooms - set(ORDER)}"
    assert {"errors", "weights", "dynamics", "placement", "nn", "rewiring"} <= rooms


def test_the_reader_of_imports_sees_all_kinds():
    code = "import neuro.nn\nfrom neuro import place\ndef f():\n  from ..tables import check\n  import torch as t\n"
    found = list(imports_in(ast.parse(code), ("neuro", "weights")))
    assert sorted(found) == [(1, "neuro.nn"), (2, "neuro.place"), (4, "neuro.tables.check"), (5, "torch")]


@pytest.mark.parametrize("room", ORDER)
def test_no_arrow_points_back(room):
    wrong = []
    for path in FILES:
        if room_of(path) != room:
            continue
        for line, used in rooms_used(path):
            late = ORDER.index(used) > ORDER.index(room)
            foreign = room in ONLY and used not in ONLY[room] | {room}
            if late or foreign:
                wrong.append(f"{path.relative_to(HOUSE)}:{line} imports {used}")
    assert not wrong, "\n".join(wrong)


def test_every_public_name_is_what_it_should_be_after_all_modules_are_imported():
    needs_triton = {"neuro.dynamics.gpu", "neuro.dynamics.gpu_steps"} if find_spec("triton") is None else set()
    for module in pkgutil.walk_packages(neuro.__path__, "neuro."):
        if not module.name.endswith("__main__") and module.name not in needs_triton:
            importlib.import_module(module.name)
    for name in neuro.__all__:
        value = getattr(neuro, name)
        wanted = inspect.ismodule if name in neuro._ROOMS else callable
        assert wanted(value), f"neuro.{name} is {type(value).__name__}"


def test_no_module_bears_the_name_of_a_public_function():
    public = set(neuro.__all__) - set(neuro._ROOMS)
    tops = {path.stem if path.is_file() else path.name for path in HOUSE.iterdir()}
    assert not tops & public
    for package in {path.parent for path in FILES if path.name == "__init__.py"} - {HOUSE}:
        module = importlib.import_module("neuro." + ".".join(package.relative_to(HOUSE).parts))
        hidden = [n for n in getattr(module, "__all__", ()) if inspect.ismodule(getattr(module, n))]
        assert not hidden, f"{module.__name__} exports {hidden}, which a module of that name hides"


def test_no_code_asks_for_a_chip_or_task_by_name():
    names = {p.stem for kind in ("chips", "tasks") for p in (HOUSE.parent / kind).glob("*.yaml")}
    assert "dynapse1" in names and "digits" in names
    wrong = []
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Compare | ast.MatchValue):
                told = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)}
                named = any(
                    isinstance(a, ast.Attribute) and a.attr == "name" and ast.unparse(a.value).split(".")[-1] == "chip"
                    for a in ast.walk(node)
                )
                if named or told & names:
                    wrong.append(f"{path.relative_to(HOUSE)}:{node.lineno}: {ast.unparse(node)}")
    assert not wrong, "\n".join(wrong)


def test_nothing_imports_what_breaks_installations():
    wrong = [
        f"{path.relative_to(HOUSE)}:{line} imports {name}"
        for path in FILES
        for line, name in imported(path)
        if name.split(".")[0] in ("torchvision", "torchaudio", "samna")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", ["neuro", "neuro.errors", "neuro.cli"])
def test_quick_imports_leave_torch_alone(module):
    code = f"import {module}, sys; print([m for m in ('torch', 'norse', 'pandas', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_main_guards_its_call():
    done = subprocess.run([sys.executable, "-c", "import neuro.__main__"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
