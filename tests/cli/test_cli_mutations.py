"""Random damage to a task file: the command works, or one message says what is wrong; never anything else."""

import shutil

import numpy as np
import pytest
import yaml
from tiny_task import TINY, call

PIECES = "- [ ] { } : , # & * ! | > % @ ` ~ yes null -1 0 1e400 .inf .nan 1.5 99999999999 x hidden digit é"
WORDS = (*PIECES.split(), *"'\"\t\n\x00")
SMALL = 200


def mutated(text: str, rng) -> str:
    lines = text.split("\n")
    at = int(rng.integers(len(lines)))
    match int(rng.integers(9)):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[rng.integers(len(lines))])
        case 2:
            k = int(rng.integers(len(lines[at]) + 1))
            lines[at] = lines[at][:k] + str(rng.choice(WORDS)) + lines[at][k:]
        case 3:
            words = lines[at].split(" ")
            words[rng.integers(len(words))] = str(rng.choice(WORDS))
            lines[at] = " ".join(words)
        case 4:
            k = int(rng.integers(len(lines[at]) + 1))
            lines[at] = lines[at][:k] + lines[at][k + int(rng.integers(1, 6)) :]
        case 5 | 6 | 7:  # another number
            places = [i for i, letter in enumerate(text) if letter.isdigit()]
            k = places[rng.integers(len(places))]
            return text[:k] + str(rng.integers(0, 12)) + text[k + 1 :]
        case _:
            k = int(rng.integers(len(text)))
            return text[:k] + chr(int(rng.integers(1, 300))) + text[k + 1 :]
    return "\n".join(lines)


def small(text: str) -> bool:
    """Whether what a valid task asks for can be trained in a test."""

    def numbers(tree):
        for value in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
            yield from numbers(value)
        if isinstance(tree, int | float) and not isinstance(tree, bool):
            yield tree

    return all(n <= SMALL for n in numbers(yaml.safe_load(text)))


def one_outcome(said, told):
    if said.status:
        assert said.status == 2, (said, told)
        assert said.err.startswith("neuro: ") or "\nneuro: " in said.err, (said, told)
        assert said.out == "" and "Traceback" not in said.err and len(said.err) < 6000, (said, told)


def attempt(seeds, folder, train_every):
    ends = {0: 0, 2: 0, "trained": 0}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        text = TINY
        for _ in range(1 + (seed % 4 == 3)):
            text = mutated(text, rng)
        path = folder / "task.yaml"
        path.write_text(text, encoding="utf-8")
        said = call("tasks", path)
        one_outcome(said, text)
        ends[said.status] += 1
        if said.status == 0 and seed % train_every == 0 and small(text):
            out = folder / "run"
            said = call("train", path, "--chip", ("dynapse1", "generic")[seed % 2], "--out", out, "--epochs", "1")
            one_outcome(said, text)
            ends["trained"] += said.status == 0
            shutil.rmtree(out, ignore_errors=True)
    return ends


@pytest.mark.parametrize("part", range(4))
def test_a_mutated_task_file_works_or_is_refused(tmp_path, part):
    ends = attempt(range(part * 75, part * 75 + 75), tmp_path, train_every=4)
    assert ends[0] > 5 and ends[2] > 20 and ends["trained"], ends


@pytest.mark.slow
def test_a_mutated_task_file_works_or_is_refused_many_times(tmp_path):
    attempt(range(10_000, 12_000), tmp_path, train_every=2)
