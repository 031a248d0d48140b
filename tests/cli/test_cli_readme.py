"""The commands of the README and of docs/ run as written, in their order, in an empty folder; trainings are cut short."""

import os
import re
import shlex
import subprocess
import sys

import pytest
from tiny_task import ROOT


def commands_of(text: str) -> list[str]:
    """Every command of `neuro` in fenced blocks, and what `python -c` prepares for it; lines joined, no prompts."""
    found = []
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.M | re.S):
        for line in re.sub(r"\s*\\\n\s*", " ", block).splitlines():
            line = re.sub(r"^\s*(\$|>)\s+", "", line).strip()
            line = re.sub(r"^(\.venv/bin/|python -m )(?=neuro\b)", "", line)
            if re.match(r"neuro\s|python -c\s", line) and "neuro " in block:
                found.append(re.sub(r"\s+#.*$", "", line))
    return found


def shortened(command: str) -> str:
    return f"{command} --epochs 1" if re.match(r"neuro (train|sweep)\b", command) else command


def test_the_reader_of_commands_sees_all_forms():
    text = "```sh\n$ neuro chips  # list\nneuro train a \\\n   --out b\npython -c 'x'  # make\nls\n```\n"
    text += "```\n.venv/bin/neuro tasks\nneuronal\n```\nneuro x\n"
    assert commands_of(text) == ["neuro chips", "neuro train a --out b", "python -c 'x'", "neuro tasks"]
    assert shortened("neuro train a --out b") == "neuro train a --out b --epochs 1"
    assert shortened("neuro chips") == "neuro chips"


@pytest.mark.slow
def test_the_commands_of_all_pages_run(tmp_path):
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    shown = [commands_of(page.read_text(encoding="utf-8")) for page in pages]
    assert all(shown), "a page shows no command"
    commands = [command for page in shown for command in page]
    (tmp_path / "bin").mkdir()
    for name, options in (("neuro", " -m neuro"), ("python", "")):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{options} "$@"\n')
        program.chmod(0o755)
    (tmp_path / "here").mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    for command in map(shortened, commands):
        said = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path / "here",
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert said.returncode == 0, f"{command}\n{said.stdout[-1000:]}\n{said.stderr[-2000:]}"
        assert "Traceback" not in said.stderr
