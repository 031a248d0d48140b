"""Board files: what is read from them, what they must be, and where they may lie."""

import hashlib
import io
import json
import zipfile

import numpy as np
import pytest
import yaml

from neuro.descriptor import chip_from_json, chip_to_json, describe, load_chip, unsourced
from neuro.descriptor.boards import FAILURES, TAGS, read_board
from neuro.errors import DescriptionError

SMALL = ["cores.neurons=6", "slots=5", "tags.bits=4"]


def arrays():
    rng = np.random.default_rng(0)
    failures = rng.choice(np.array([0.0, 0.1, 0.25, 1.0], np.float32), size=(4, 6, 5, 2))
    return {FAILURES: failures, TAGS: rng.random((4, 16)) < 0.8}


@pytest.fixture
def board(tmp_path):
    """Write a board's file with some arrays replaced."""

    def write(**other):
        path = tmp_path / "board.npz"
        np.savez_compressed(path, **{name: x for name, x in (arrays() | other).items() if x is not None})
        return path

    return write


def load(path, *more):
    return load_chip("dynapse2", [*SMALL, f"defects.file={path}", *more])


def refused(*arguments):
    with pytest.raises(DescriptionError) as caught:
        load(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("tolerance", [0.1, 0.0, 0.25])
def test_words_and_tags_are_those_of_the_file(board, tolerance):
    path = board()
    chip, held = load(path, f"defects.tolerance={tolerance}"), arrays()
    assert np.array_equal(chip.working_words, (held[FAILURES] <= np.float32(tolerance))[None])
    assert np.array_equal(chip.working_tags, held[TAGS][None])
    assert chip.defects.file == "board.npz" and chip.defects.tolerance == tolerance
    assert chip.defects.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match="read-only"):
        chip.working_words[0] = True


def test_a_chip_without_a_board_has_everything():
    chip = load_chip("dynapse2")
    assert chip.defects is None and chip.working_words is None and chip.working_tags is None


def test_words_that_are_good_for_any_tag(board):
    held = arrays()
    chip = load(board(**{FAILURES: held[FAILURES][..., 0].astype(np.float64)}))
    assert np.array_equal(chip.working_words, (held[FAILURES][..., :1] <= np.float32(0.1))[None])
    assert chip.defects.shape == (4, 6, 5, 1)


def test_a_board_is_the_real_chip_and_is_named(board):
    chip = load_chip("dynapse2", [*SMALL, f"defects.file={board()}"])
    assert [change.split("=")[0] for change in chip.changed] == ["cores.neurons", "weights.slots", "tags.bits"]
    assert chip.label.startswith("dynapse2 (board board.npz; not the real chip: cores.neurons=6")
    page = dict((key, value) for section, rows in describe(chip) for key, value, _ in rows)
    words = arrays()[FAILURES] <= np.float32(0.1)
    assert f"{words[1, :, :, 0].sum(1).mean():.1f} a neuron" in page["chip 0 core 1"]
    assert f"{arrays()[TAGS][1].sum()} of 16 tags" in page["chip 0 core 1"]
    assert unsourced(chip) == ["defects.tolerance"]


def test_the_chip_goes_through_json_without_the_file(board):
    path = board()
    chip = load(path)
    text = chip_to_json(chip)
    path.unlink()
    again = chip_from_json(text, "text")
    assert again == chip and np.array_equal(again.working_words, chip.working_words)
    assert str(path.parent) not in text


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({FAILURES: None}, "has no array cam_failure_probability (it has usable_tag)"),
        ({TAGS: None}, "has no array usable_tag"),
        ({FAILURES: np.zeros((4, 6), np.float32)}, "has the shape [4, 6], allowed: [cores, neurons, words]"),
        ({FAILURES: np.zeros((4, 6, 5, 3), np.float32)}, "has the shape [4, 6, 5, 3]"),
        ({FAILURES: np.zeros((4, 6, 0, 2), np.float32)}, "has the shape [4, 6, 0, 2]"),
        ({FAILURES: np.zeros((4, 6, 5, 2), np.int64)}, "holds int64 values, allowed: floats from 0 to 1"),
        ({FAILURES: np.full((4, 6, 5, 2), np.nan)}, "core 0, neuron 0, word 0, tag class 0 is nan, allowed: 0 to 1"),
        ({FAILURES: np.full((4, 6, 5, 2), 1.5)}, "core 0, neuron 0, word 0, tag class 0 is 1.5, allowed: 0 to 1"),
        ({FAILURES: np.full((4, 6, 5, 2), -0.5)}, "is -0.5, allowed: 0 to 1"),
        ({FAILURES: np.full((4, 6, 5, 2), None)}, "holds object values"),
        ({TAGS: np.ones((4, 16), np.float32)}, "holds float32 values of shape [4, 16], allowed: truth values"),
        ({TAGS: np.ones(16, bool)}, "holds bool values of shape [16]"),
        ({TAGS: np.ones((3, 16), bool)}, "usable_tag has 3 cores, cam_failure_probability has 4"),
        ({TAGS: np.ones((4, 8), bool)}, "tags are not truth values of the shape [4, 16]"),
        ({FAILURES: np.zeros((4, 6, 4, 2), np.float32)}, "have [4, 6, 4], allowed: [4, 6, 5], the cores of the board"),
        ({FAILURES: np.zeros((8, 6, 5, 2), np.float32), TAGS: np.ones((8, 16), bool)}, "have [8, 6, 5], allowed: [4,"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_board(board, other, message):
    assert message in refused(board(**other))


def test_files_that_are_no_board(board, tmp_path):
    whole = board().read_bytes()
    (tmp_path / "text.npz").write_text("nothing of the kind")
    np.save(tmp_path / "array.npy", np.zeros(3))
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    damaged = bytearray(whole)
    damaged[len(whole) // 3] ^= 255
    (tmp_path / "damaged.npz").write_bytes(bytes(damaged))
    for name in ("text.npz", "array.npy", "cut.npz", "damaged.npz"):
        assert f"{name}: is no NPZ file of arrays" in refused(tmp_path / name)
    assert "no such file" in refused(tmp_path / "missing.npz")
    assert "no such file" in refused(tmp_path)


def test_a_header_that_claims_more_than_a_board_has_is_not_believed(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (4, 2**40, 64, 2)})
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as held:
        held.writestr(f"{FAILURES}.npy", header.getvalue())
        held.writestr(f"{TAGS}.npy", header.getvalue())
    assert "allowed: at most" in refused(tmp_path / "huge.npz")


def mutated(data, rng):
    """Some bytes changed, cut out or put in."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(len(data)))
        match rng.integers(3):
            case 0:
                data[at] ^= 1 << int(rng.integers(8))
            case 1:
                del data[at : at + int(rng.integers(1, 40))]
            case _:
                data[at:at] = rng.bytes(int(rng.integers(1, 9)))
    return bytes(data)


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_mutated_files_are_read_or_refused(board, tmp_path, count):
    whole = board().read_bytes()
    stored = io.BytesIO()
    np.savez(stored, **arrays())
    rng, refusals = np.random.default_rng(1), 0
    for turn in range(count):
        (tmp_path / "mutated.npz").write_bytes(mutated((whole, stored.getvalue())[turn % 2], rng))
        try:
            found = read_board(tmp_path / "mutated.npz", 0.1)
        except DescriptionError as error:
            refusals += 1
            assert str(error).startswith(str(tmp_path)) and len(str(error)) < 600
        else:
            assert len(found["shape"]) == 4
    assert refusals > count / 2


@pytest.mark.parametrize("tolerance", ["1", "-0.1", "much", "true"])
def test_tolerances(board, tolerance):
    assert "defects.tolerance: have" in refused(board(), f"defects.tolerance={tolerance}")


def test_a_board_needs_a_file_and_a_chip_that_can_have_one(board):
    with pytest.raises(DescriptionError, match="defects.file: have None, allowed: the name of an NPZ file"):
        load_chip("dynapse2", ["defects.tolerance=0.2"])
    with pytest.raises(DescriptionError, match="needs neurons with a number of words of their own; kind is crossbar"):
        load_chip("truenorth", [f"defects.file={board()}"])
    sizes = ["cores.neurons=6", "slots=5", "board.columns=1", "board.rows=1", "tags.bits=4", "tags.own_bits=3"]
    with pytest.raises(DescriptionError, match="two classes of tags, allowed: one"):
        load_chip("dynapse1", [*sizes, f"defects.file={board()}"])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("words", "AAAA", "words are not truth values of the shape"),
        ("words", "no base 64", "words are not truth values"),
        ("tags", "", "defects.tags"),
        ("sha256", "abc", "defects.sha256"),
        ("shape", [4, 6, 5, 3], "defects.shape"),
    ],
)
def test_json_that_was_changed(board, key, value, message):
    tree = json.loads(chip_to_json(load(board())))
    tree["defects"][key] = value
    with pytest.raises(DescriptionError) as caught:
        chip_from_json(json.dumps(tree), "text")
    assert message in str(caught.value)


@pytest.fixture
def chip_file(tmp_path):
    """A chip file in a folder of its own that names a board."""

    def write(file):
        tree = json.loads(chip_to_json(load_chip("dynapse2", SMALL))) | {"changed": [], "defects": {"file": file}}
        (tmp_path / "chips").mkdir(exist_ok=True)
        path = tmp_path / "chips/own.yaml"
        path.write_text(yaml.safe_dump(tree))
        return path

    return write


def test_a_chip_file_names_a_file_beside_it_or_in_the_data_folder(board, chip_file, tmp_path, monkeypatch):
    path = board()
    monkeypatch.delenv("NEURO_DATA", raising=False)
    with pytest.raises(DescriptionError, match="no file 'sub/board.npz' in .*; NEURO_DATA or --data names a folder"):
        load_chip(chip_file("sub/board.npz"))
    (tmp_path / "data/sub").mkdir(parents=True)
    path.rename(tmp_path / "data/sub/board.npz")
    monkeypatch.setenv("NEURO_DATA", str(tmp_path / "data"))
    assert load_chip(chip_file("sub/board.npz")).label == "dynapse2 (board board.npz)"
    (tmp_path / "data/sub/board.npz").rename(tmp_path / "chips/board.npz")
    assert load_chip(chip_file("board.npz")).defects.file == "board.npz"


@pytest.mark.parametrize("file", ["../board.npz", "/etc/passwd", "a/../../board.npz", "C:\\board.npz"])
def test_no_name_in_a_chip_file_leads_out_of_its_folder(board, chip_file, file):
    board()
    with pytest.raises(DescriptionError, match="allowed: a file in the folder of the chip file"):
        load_chip(chip_file(file))


def test_a_link_out_of_the_folder_is_refused(board, chip_file, tmp_path):
    path = chip_file("link.npz")
    (tmp_path / "chips/link.npz").symlink_to(board())
    with pytest.raises(DescriptionError, match="links to a file outside the folder of the chip file"):
        load_chip(path)


def test_an_override_is_looked_for_where_the_user_stands(board, tmp_path, monkeypatch):
    board()
    monkeypatch.chdir(tmp_path)
    assert load("board.npz").defects.file == "board.npz"
