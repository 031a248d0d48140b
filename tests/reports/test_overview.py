"""The overview picture shows the run it is given."""

import re

import neuro
from neuro.reports import plot_overview
from neuro.training.progress import progress_for


def test_overview_is_a_picture_of_a_run(tmp_path):
    task = neuro.load_task("digits", ["populations.hidden.size=16", "training.epochs=1", "data.test=0.8"])
    run = neuro.train(task, "dynapse1", tmp_path / "run", progress=progress_for("quiet"))
    plot_overview(run, tmp_path / "overview.png")
    plot_overview(run, tmp_path / "overview.svg")
    assert (tmp_path / "overview.png").read_bytes().startswith(b"\x89PNG")
    drawn = (tmp_path / "overview.svg").read_text()
    answer, label = re.search(r"answers (\d+), true class (\d+)", drawn).groups()
    assert answer == label, "of the first samples, one that is answered rightly is shown"
