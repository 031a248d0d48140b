"""One look at all words finds nothing where the rules find nothing, and never hides what they find."""

import numpy as np
import pytest
from handmade_tables import random_tables

from neuro.tables import check, check_references, joined, tally
from neuro.tables.model import Tables

TRIES = 40


def closely(tables, monkeypatch):
    """Findings of the rules alone, without a first look."""
    with monkeypatch.context() as patch:
        patch.setattr(joined, "tally", lambda *_: None)
        for name in ("stand_once", "are_neurons", "weights_are_there"):
            patch.setattr(check_references, name, lambda *_: False)
        return [str(finding) for finding in check(tables)]


def mutated(tables, rng):
    """Change a few cells of the words, or their order, or leave some out."""
    words = tables.frames["synapses"].copy()
    for _ in range(rng.integers(0, 3)):
        row, column = rng.integers(len(words)), rng.choice(["tag", "slot", "neuron", "code", "core", "type"])
        words.loc[row, column] = words[column].to_numpy()[rng.integers(len(words))]
    if rng.random() < 0.3:
        words = words.sample(frac=1, random_state=int(rng.integers(99)))
    if rng.random() < 0.3:
        words = words.drop(index=words.index[rng.integers(len(words))])
    weights = tables.frames["weights"]
    if rng.random() < 0.2:
        weights = weights.drop(index=rng.integers(len(weights)))
    return Tables(tables.manifest, {**tables.frames, "synapses": words.reset_index(drop=True),
                                    "weights": weights.reset_index(drop=True)})  # fmt: skip


@pytest.mark.parametrize("kind", ["counts", "masks", "levels"])
@pytest.mark.parametrize("piece", [3, 2**22])
def test_a_first_look_never_changes_what_is_found(kind, piece, monkeypatch):
    monkeypatch.setattr(tally, "PIECE", piece)
    clean = broken = 0
    for seed in range(TRIES):
        rng = np.random.default_rng([seed, piece])
        tables = mutated(random_tables(seed % 5, kind=kind), rng)
        found = [str(finding) for finding in check(tables)]
        assert found == closely(tables, monkeypatch)
        clean, broken = clean + (not found), broken + bool(found)
    assert broken and clean


def test_counts_of_a_handmade_table_are_those_counted_by_hand():
    tables = random_tables(1, kind="counts")
    seen = joined.Joined(tables)
    words = seen.words.groupby(["chip", "core", "neuron"]).size()
    assert seen.tally.numbered and seen.tally.delivered and seen.tally.most_words == words.max()
