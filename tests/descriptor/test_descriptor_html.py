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


def test_networks_and_tables_show_what_they_hold(shared_run):
    run = neuro.load_run(shared_run)
    shown = run.network._repr_html_()
    assert "<td>hidden</td><td>12</td><td>1</td><td>pixels</td>" in shown
    tables = neuro.export(run)
    assert f"<td>synapses</td><td>{len(tables.frames['synapses']):,}</td>" in tables._repr_html_()
    assert "latches" not in tables._repr_html_()  # an empty table is none
