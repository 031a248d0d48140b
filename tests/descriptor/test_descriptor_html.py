"""Values as HTML for notebooks: everything is there, and text is text."""

import neuro
from neuro.descriptor import html_table, number_paths


def test_text_is_escaped():
    assert "<script>" not in html_table("<script>", [("<script>", 1234)], ("<script>",))
    assert "<td>1,234</td>" in html_table("a", [("b", 1234)])


def test_a_chip_shows_every_section_and_that_it_was_changed():
    chip = neuro.load_chip("dynapse1", ["slots=16", 'title="<b>x</b>"'])
    shown = chip._repr_html_()
    assert "not the real chip: weights.slots=16" in shown and "<b>x</b>" not in shown
    for path in number_paths(chip):
        if "bias_dac" not in path and "." in path:
            assert path.split(".")[0] in shown
    assert "libcaer" in shown and "assumption: " in shown


def test_printing_a_chip_says_what_it_is_in_a_line():
    for name in neuro.descriptor.chip_names():
        chip = neuro.load_chip(name)
        assert str(chip) == repr(chip) and len(repr(chip)) < 300
        assert chip.label in repr(chip) and chip.title in repr(chip)
    chip = neuro.load_chip("dynapse1", ["slots=16"])
    assert "(not the real chip: weights.slots=16)" in str(chip) and "16 slots a neuron" in str(chip)
    assert "4 chips of 4 cores of 256 neurons, weights of kind counts" in str(chip)
    again = neuro.descriptor.chip_from_json(neuro.descriptor.chip_to_json(chip), "here")
    assert again == chip != neuro.load_chip("dynapse1") and "libcaer" in chip._repr_html_()


def test_a_description_is_of_the_real_chip_of_a_changed_one_or_of_none():
    chips = [neuro.load_chip("dynapse1", changes) for changes in ([], ["slots=64"], ["slots=16"])]
    chips += [neuro.load_chip("generic"), neuro.load_chip("generic", ["slots=16"])]
    told = ["the real chip", "the real chip", "not the real chip", "no chip", "not the real chip"]
    assert [chip.standing for chip in chips] == told


def test_networks_and_tables_show_what_they_hold(shared_run):
    run = neuro.load_run(shared_run)
    shown = run.network._repr_html_()
    assert "<td>hidden</td><td>12</td><td>1</td><td>pixels</td>" in shown
    tables = neuro.export(run)
    assert f"<td>synapses</td><td>{len(tables.frames['synapses']):,}</td>" in tables._repr_html_()
    assert "latches" not in tables._repr_html_()  # an empty table is none
