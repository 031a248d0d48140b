"""Bias tables beside a chip file: what is read, what is refused, and no way out of the folder."""

import pytest

from neuro.descriptor import load_chip

TOP = "coarse,fine,current_a\n"
BAD = [
    ("", "table.csv:1: have nothing, allowed: coarse,fine,current_a"),
    ("fine,coarse,current_a\n1,1,1\n", "table.csv:1: have fine,coarse,current_a, allowed: coarse,fine,current_a"),
    (TOP, "table.csv:1: holds no rows, allowed: at least 1"),
    (TOP + "0,1\n", "table.csv:2: have 2 values, allowed: 3 (coarse, fine, current_a)"),
    (TOP + "0,1,1e-9\n0,x,1e-9\n", "table.csv:3: fine: have x, allowed: a whole number >= 0"),
    (TOP + "0,1.5,1e-9\n", "table.csv:2: fine: have 1.5, allowed: a whole number >= 0"),
    (TOP + "-1,1,1e-9\n", "table.csv:2: coarse: have -1, allowed: a whole number >= 0"),
    (TOP + "0,1,\n", "table.csv:2: current_a: have nothing, allowed: a current in amperes >= 0"),
    (TOP + "0,1,.nan\n", "table.csv:2: current_a: have .nan, allowed: a current in amperes >= 0"),
    (TOP + "0,1,1e400\n", "table.csv:2: current_a: have 1e400, allowed: a current in amperes >= 0"),
    (TOP + "0,1,true\n", "table.csv:2: current_a: have true, allowed: a current in amperes >= 0"),
    (TOP + "\n0,1,1e-9\n0,1,2e-9\n", "table.csv:4: coarse 0 fine 1 stands twice, first on line 3"),
    (TOP + '0,1,"1e-9\n', "table.csv:2: is not CSV: unexpected end of data"),
    (TOP + "0,1,2\n", "chip.yaml:28: bias_dac.N.0.2: have 2.0, allowed: a number from 0 to 1"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_tables(folder, mistakes, text, message):
    (folder / "table.csv").write_text(text)
    assert message in mistakes(folder / "chip.yaml")


def test_rows_may_stand_in_the_file_itself(chip_file):
    path = chip_file(("{N: table.csv, P: table.csv}", "{N: [[0, 1, 1e-9]], P: table.csv}"))
    assert load_chip(path).bias_dac.N == ((0, 1, 1e-9),)


def test_codes_stand_once(chip_file, mistakes):
    path = chip_file(("{N: table.csv,", "{N: [[0, 1, 1e-9], [0, 1, 2e-9]],"))
    assert mistakes(path) == ["chip.yaml:28: bias_dac.N: the code coarse 0 fine 1 stands more than once"]


@pytest.mark.parametrize(
    "file", ["/etc/passwd", "../table.csv", "sub/../../table.csv", r"..\table.csv", r"C:\table.csv", '"a\\0b"']
)
def test_no_way_out_of_the_folder(chip_file, mistakes, file):
    (line,) = mistakes(chip_file(("{N: table.csv", f"{{N: {file}")))
    assert line.startswith("chip.yaml:28: bias_dac.N: have ")
    assert line.endswith("allowed: a file in the folder of the chip file")


@pytest.mark.parametrize("name", ['"\\ud800"', "x" * 5000])
def test_names_no_file_can_have(chip_file, mistakes, name):
    (line,) = mistakes(chip_file(("{N: table.csv", f"{{N: {name}")))
    assert line.startswith("chip.yaml:28: bias_dac.N: ")


def test_no_link_out_of_the_folder(folder, chip_file, mistakes, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "table.csv"
    outside.write_text(TOP + "0,1,1e-9\n")
    (folder / "link.csv").symlink_to(outside)
    (line,) = mistakes(chip_file(("{N: table.csv", "{N: link.csv")))
    assert line == (
        "chip.yaml:28: bias_dac.N: 'link.csv' links to a file outside the folder of the chip file; copy it there"
    )


def test_missing_table(chip_file, mistakes, folder):
    (line,) = mistakes(chip_file(("P: table.csv", "P: none.csv")))
    assert line == f"chip.yaml:28: bias_dac.P: no file 'none.csv' in {folder}, nor among the shipped chips"


def test_a_copied_chip_finds_the_tables_of_the_shipped_one(tmp_path):
    from neuro.descriptor import find_shipped

    (tmp_path / "mine.yaml").write_text(find_shipped("dynapse1", "chips").read_text())
    assert load_chip(tmp_path / "mine.yaml") == load_chip("dynapse1")


def test_link_in_a_circle(folder, chip_file, mistakes):
    (folder / "a.csv").symlink_to(folder / "b.csv")
    (folder / "b.csv").symlink_to(folder / "a.csv")
    (line,) = mistakes(chip_file(("P: table.csv", "P: a.csv")))
    assert line.startswith("chip.yaml:28: bias_dac.P: ")
