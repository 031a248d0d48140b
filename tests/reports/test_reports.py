"""Reports: what they say, that nothing in them can be run, and how they do in a real browser."""

import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_task import TINY, call, refused

import neuro
from neuro.evaluation import DeviceEvaluation
from neuro.reports import run_report
from neuro.reports.chip_map import chip_map
from neuro.reports.devices import devices_figure
from neuro.reports.limits import limits_of
from neuro.reports.page import render
from neuro.reports.run_report import run_page
from neuro.reports.sample import activity
from neuro.reports.sweep_report import _chip, _data, sweep_page

EVIL = "</script><script>window.hurt=1</script><img src=x onerror='window.hurt=1'>"
MOST_BYTES, MOST_PAINT_MS = 8_000_000, 2000


@pytest.fixture(scope="module")
def run(shared_run):
    return neuro.load_run(shared_run)


@pytest.fixture(scope="module")
def run_file(shared_run, tmp_path_factory):
    return neuro.report(shared_run, tmp_path_factory.mktemp("page") / "run.html")


@pytest.fixture(scope="module")
def sweep_folder(tmp_path_factory):
    """A sweep of five runs, one of which does not fit."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "tiny.yaml").write_text(TINY)
    over = {"chip.slots": [2, 8], "task.populations.hidden.size": [4, 8]}
    settings = ["task.training.epochs=1"]
    neuro.sweep(folder / "tiny.yaml", "dynapse1", over, out=folder / "s", settings=settings, progress="quiet")
    return folder / "s"


class Outside(HTMLParser):
    """Everything in a page that would be fetched."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [(tag, k, v) for k, v in attributes if k in ("src", "href") or (tag, k) == ("link", "rel")]


def test_the_page_is_one_file_that_fetches_nothing(run_file):
    seen = Outside()
    text = run_file.read_text()
    seen.feed(text)
    assert seen.found == []
    assert "default-src 'none'" in text and run_file.stat().st_size < MOST_BYTES


def test_a_run_says_what_evaluate_and_verify_say(run):
    page = run_page(run)
    tested, proof = neuro.evaluate(run), neuro.verify(run)
    words = dict((what, (value, about, mood)) for what, value, about, mood in page["verdict"])
    assert words["accuracy"][0] == f"{tested.accuracy:.1%}"
    assert words["fits"][0] == "yes" and words["fits"][2] == "good"
    said = f"0 of {proof.compared:,} neuron steps differ between training and replay ({proof.spikes:,} spikes)"
    assert words["verified"] == ("yes", said, "good")
    assert dict(page["facts"])["energy a sample"].startswith("unknown")
    assert (
        "neuro train tiny --chip dynapse1 --seed 0" in dict(page["reproduce"]).popitem()[1] or page["reproduce"][0][1]
    )


def test_the_command_to_make_a_run_again_makes_it_again(run, tmp_path, tiny):
    command = run_page(run)["reproduce"][0][1].split()
    assert command[:2] == ["neuro", "train"] and "--set" not in command
    words = [str(tiny) if w == "tiny" else str(tmp_path / "again") if w == "runs/again" else w for w in command[1:]]
    assert call(*words).status == 0
    assert neuro.load_run(tmp_path / "again").facts == run.facts


def test_limits_are_those_of_plan_and_tables(run):
    have = {limit.what: (limit.have, limit.allowed) for limit in limits_of(neuro.export(run))}
    tables = neuro.export(run).frames
    assert have["slots of the fullest neuron"] == (int(tables["synapses"].slot.max()) + 1, 64)
    assert have["route rows of a neuron"] == (int(tables["routes"].route.max()) + 1, 3)
    assert have["cores"] == (2, 16) and have["input channels of a chip"] == (64, 1024)
    assert all(limit.kept for limit in limits_of(neuro.export(run)))


def test_every_neuron_stands_on_the_map_with_its_slots_and_sources(run):
    heat = chip_map(run.network)["data"][0]
    cells = [v for row in heat["z"] for v in row if v is not None]
    texts = [t for row in heat["text"] for t in row if t]
    assert len(cells) == len(texts) == 22
    rows = neuro.export(run).frames["synapses"].groupby(["chip", "core", "neuron"])
    for (chip, core, neuron), words in rows.size().items():
        place = f"chip {chip} core {core} neuron {neuron}<br>{words} of 64 slots, "
        (text,) = [t for t in texts if place in t]
        assert f"{rows.tag.nunique()[chip, core, neuron]} sources" in text


def test_labels_of_cores_stand_clear_of_the_core_above(run):
    layout = chip_map(run.network)["layout"]
    side = layout["shapes"][0]["y1"] - layout["shapes"][0]["y0"] - 1
    assert len(layout["annotations"]) == 16
    for name in layout["annotations"]:
        above = [s["y1"] for s in layout["shapes"] if s["x0"] < name["x"] < s["x1"] and s["y1"] <= name["y"]]
        assert all(name["y"] - bottom >= side / 4 for bottom in above)


def test_the_raster_shows_the_first_rows_of_each_signal_under_its_name(run, monkeypatch):
    whole, _ = run_report._raster(run), monkeypatch.setattr(run_report, "SHOWN", 10)
    some = run_report._raster(run)
    done = activity(run)
    for lines, most in ((whole, 10**6), (some, 10)):
        spikes = [int(z[:, :most].sum()) for z in done.signals.values()]
        assert [len(line["x"]) for line in lines["data"]] == spikes and sum(spikes) > 0
    assert some["layout"]["yaxis"]["ticktext"] == ["pixels<br>10 of 64", "hidden<br>10 of 12", "digit<br>10"]


def test_lines_of_virtual_chips_are_named_coloured_and_where_they_belong():
    found = DeviceEvaluation("test", 9, 2, 0, 1.0, 0.95, 0.85, 0.05, 0.8, 0.9, 0.9, 1, (0.8, 0.9))
    bars, *lines = devices_figure(found)["data"]
    assert sum(bars["y"]) == 2
    assert [line["name"] for line in lines] == ["mean 85.0%", "as described 95.0%", "yield 50% at 90.0%"]
    assert [line["x"] for line in lines] == [[85, 85], [95, 95], [90, 90]]
    assert len({line["line"]["color"] for line in lines}) == 3


def test_heads_of_figures_stand_over_them(run_file):
    assert '<th class="number">have</th><th class="number">allowed</th>' in run_file.read_text()


def test_text_from_runs_is_escaped(run):
    page = run_page(run) | {"title": EVIL, "subtitle": EVIL, "facts": [(EVIL, EVIL)], "reproduce": [(EVIL, EVIL)]}
    page["figures"][0]["data"][0]["text"][0][0] = EVIL
    text = render(page)
    assert "<script>window.hurt" not in text and "<img src=x" not in text


def test_the_command_writes_where_it_is_told_and_refuses_what_is_no_run(shared_run, sweep_folder, tmp_path):
    said = call("report", sweep_folder, "--out", tmp_path / "page.html")
    assert said.status == 0 and "4.8 MB" in said.out and (tmp_path / "page.html").exists()
    refused(call("report", tmp_path), "no run folder")
    refused(call("report", shared_run, "--out", tmp_path), "is a folder")


def test_a_sweep_says_its_best_and_how_to_make_it_again(sweep_folder):
    page, table = sweep_page(sweep_folder), neuro.load_sweep(sweep_folder)
    best = table.loc[table.validation_accuracy.idxmax()]
    assert page["verdict"][0][1] == f"{best.test_accuracy:.1%}" and best.run in page["verdict"][0][2]
    command = page["reproduce"][0][1]
    assert "--over chip.slots=2,8 --over task.populations.hidden.size=4,8 --set task.training.epochs=1" in command
    assert page["data"]["columns"][:6] == [
        "run",
        "state",
        "reason",
        "chip",
        "chip_is",
        "chip.slots",
    ]


def test_a_sweep_marks_a_changed_chip_wherever_it_names_it(sweep_folder):
    page, table = sweep_page(sweep_folder), neuro.load_sweep(sweep_folder)
    assert page["title"] == "tiny on dynapse1 (not the real chip)"
    said = {what: about for what, _, about, _ in page["verdict"]}
    best = table.loc[table.validation_accuracy.idxmax()]
    assert said["accuracy"].endswith(f"not the real chip: chip.slots={best['chip.slots']}")
    assert said["runs"] == "4 complete; 4 on what is not the real chip"
    data = page["data"]
    assert {row[data["columns"].index("chip_is")] for row in data["rows"]} == {"not the real chip"}
    mixed = table.assign(chip_is=["the real chip", *table.chip_is[1:]])
    assert _data(mixed, sweep_folder)["keys"][-1] == "chip_is"  # to filter by
    real = table.assign(chip_is="the real chip")
    assert [_chip("c", t) for t in (mixed, real)] == ["c (in part not the real chip)", "c"]


def test_a_sweep_verifies_its_best_run(sweep_folder, tmp_path):
    table = neuro.load_sweep(sweep_folder)
    best = table.run[table.validation_accuracy.idxmax()]
    proof = neuro.verify(sweep_folder / best)
    said = f"{best}: 0 of {proof.compared:,} neuron steps differ between training and replay ({proof.spikes:,} spikes)"
    assert ("verified", "yes", said, "good") in sweep_page(sweep_folder)["verdict"]
    shutil.copytree(sweep_folder, tmp_path / "s")
    shutil.rmtree(tmp_path / "s" / best)
    (told,) = [card for card in sweep_page(tmp_path / "s")["verdict"] if card[0] == "verified"]
    assert told[1] == "not now" and best in told[2] and told[3] == "plain"


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    drawing = ["--enable-unsafe-swiftshader", "--use-angle=swiftshader"]  # WebGL without a graphics card
    with sync_api.sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        yield playwright.chromium.launch(executable_path=path, args=[*sandbox, *drawing])


@pytest.fixture
def visit(browser):
    """Open a file; fails on any console error, any exception, and any request but for the file itself."""
    opened = []

    def go(path: Path, **options):
        page = browser.new_page(**options)
        wrong = []
        page.on(
            "console",
            lambda m: wrong.append(m.text) if m.type in ("error", "warning") and "GL Driver" not in m.text else None,
        )
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda r: wrong.append(r.url) if not r.url.startswith(("file:", "blob:", "data:")) else None)
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready=yes]", state="attached", timeout=60_000)
        opened.append((page, wrong))
        return page

    yield go
    for page, wrong in opened:
        page.close()
        assert not wrong, wrong


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_run_in_a_browser(visit, run_file, theme):
    page = visit(run_file, color_scheme=theme, viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390  # a phone need not scroll sideways
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert contrast(ink, paper) > 7
    for name in ("chip", "curves", "raster", "slots", "codes"):
        assert page.locator(f"#{name} .main-svg").count() > 0, name
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != paper
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def contrast(*colours: str) -> float:
    """Contrast of two CSS colours by the Web Content Accessibility Guidelines; 7 is their highest grade."""

    def luminance(colour):
        values = [int(v) / 255 for v in re.findall(r"\d+", colour)[:3]]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    dark, light = sorted(map(luminance, colours))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.slow
def test_a_neuron_shows_its_sources_when_hovered(visit, run_file):
    page = visit(run_file, viewport={"width": 1100, "height": 900})
    place = page.evaluate(
        """() => {
          const plot = document.getElementById("chip"), heat = plot.data[0], l = plot._fullLayout;
          for (let y = 0; y < heat.z.length; y++) for (let x = 0; x < heat.z[y].length; x++)
            if (heat.z[y][x] !== null) {
              const box = plot.getBoundingClientRect();
              return [box.left + l.xaxis._offset + l.xaxis.l2p(x), box.top + l.yaxis._offset + l.yaxis.l2p(y)];
            }
        }"""
    )
    page.mouse.move(*place)
    page.wait_for_selector("#chip .hovertext", timeout=10_000)
    assert "slots" in page.locator("#chip .hovertext").first.text_content()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_line_of_the_parallel_axes_can_be_seen(visit, sweep_folder, tmp_path, theme):
    page = visit(neuro.report(sweep_folder, tmp_path / "sweep.html"), color_scheme=theme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for _, colour in page.evaluate("document.getElementById('parallel').data[0].line.colorscale"):
        rgb = f"rgb({', '.join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))})"
        assert contrast(rgb, paper) > 3, colour
    stroke = page.evaluate("getComputedStyle(document.querySelector('#parallel .axis .domain')).stroke")
    assert contrast(stroke, paper) > 3
    box = "document.querySelector('#parallel .axis .tick text').getBoundingClientRect().left"
    assert page.evaluate(box) > page.evaluate("document.getElementById('parallel').getBoundingClientRect().left")


@pytest.mark.slow
def test_the_tools_of_a_figure_show_on_hover_only(visit, run_file):
    page = visit(run_file, viewport={"width": 1100, "height": 900})
    seen = "getComputedStyle(document.querySelector('#chip .modebar-group')).opacity"
    if not page.evaluate("matchMedia('(hover: hover)').matches"):
        assert page.locator(".modebar-group").count() == 0
    else:
        assert page.evaluate(seen) == "0"
        page.hover("#chip .main-svg >> nth=0")
        page.wait_for_function(f"{seen} === '1'")
        slab = "getComputedStyle(document.querySelector('#chip .modebar-group')).backgroundColor"
        assert page.evaluate(slab) == "rgba(0, 0, 0, 0)"


@pytest.mark.slow
def test_the_front_can_be_hovered_filtered_and_clicked(visit, sweep_folder, tmp_path):
    page = visit(neuro.report(sweep_folder, tmp_path / "sweep.html"), viewport={"width": 1100, "height": 900})
    assert page.locator("#runs tbody tr").count() == 4
    assert page.locator("#runs td.chip_is", has_text="not the real chip").count() == 4
    assert page.evaluate("document.getElementById('front').data[1].name") == "dynapse1 (not the real chip)"
    column = "#runs tbody td:nth-child({})"
    heads = page.locator("#runs th").all_text_contents()
    shown = page.locator(column.format(1 + heads.index("test accuracy (%)"))).all_text_contents()
    assert all(re.fullmatch(r"\d+\.\d\d", text) for text in shown), shown
    marker = page.locator("#front .scatterlayer .point").first.bounding_box()
    page.mouse.move(marker["x"] + marker["width"] / 2, marker["y"] + marker["height"] / 2)
    page.wait_for_selector("#front .hovertext", timeout=10_000)
    page.mouse.down()
    page.mouse.up()
    page.wait_for_selector("#detail:not([hidden])", timeout=10_000)
    assert "neuro report" in page.text_content("#detail") and "runs/0" in page.text_content("#detail a")
    assert page.locator("#runs tr.chosen").count() == 1
    page.select_option("select[data-key='chip.slots']", "2")
    assert page.locator("#runs tbody tr").count() == 2 and "2 of 4 runs" in page.text_content("#count")
    assert page.evaluate("document.getElementById('front').data.slice(1).flatMap(t => t.x).length") == 2
    page.select_option("select[data-key='chip.slots']", "")
    page.evaluate("Plotly.restyle('parallel', {'dimensions[0].constraintrange': [[7, 9]]})")
    page.wait_for_function("document.querySelectorAll('#runs tbody tr').length === 2")
    page.select_option("#x", "memory_bytes")
    assert page.evaluate("document.getElementById('front').layout.xaxis.title.text") == "bytes of synapse memory"


@pytest.mark.slow
def test_evil_names_run_nothing_in_a_browser(visit, run, tmp_path):
    page = run_page(run) | {"title": EVIL, "subtitle": EVIL, "facts": [(EVIL, EVIL)]}
    (tmp_path / "evil.html").write_text(render(page))
    shown = visit(tmp_path / "evil.html")
    assert shown.evaluate("window.hurt") is None and shown.text_content("h1") == EVIL


@pytest.mark.slow
def test_a_thousand_runs_are_small_and_quick(visit, sweep_folder, tmp_path):
    table = pd.concat([neuro.load_sweep(sweep_folder)] * 250, ignore_index=True)
    table["run"], table["seed"] = [f"runs/{n:04d}" for n in range(1000)], range(1000)
    table["test_accuracy"] = np.random.default_rng(0).random(1000)
    page = sweep_page(sweep_folder) | {"data": _data(table, sweep_folder)}
    check_size_and_paint(visit, render(page), tmp_path / "many.html")


@pytest.mark.slow
def test_4096_neurons_are_small_and_quick(visit, run, tmp_path):
    task = neuro.load_task("digits", ["populations.hidden.size=4046"])
    network = neuro.build(task, neuro.load_chip("generic"), seed=0)
    figure = chip_map(network)
    assert sum(v is not None for row in figure["data"][0]["z"] for v in row) == 4096
    page = run_page(run)
    page["figures"][0] |= figure
    check_size_and_paint(visit, render(page), tmp_path / "large.html")


def check_size_and_paint(visit, text: str, path: Path) -> None:
    path.write_text(text)
    assert path.stat().st_size < MOST_BYTES
    paints = []
    for _ in range(3):  # the best of three: other work on the machine is not the page's
        page = visit(path)
        paints += page.evaluate("performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)")
    assert min(paints) < MOST_PAINT_MS, paints
