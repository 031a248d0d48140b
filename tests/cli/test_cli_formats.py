"""`neuro export` to a vendor's format and back, and the commands that take what it wrote."""

import json

import pytest
from tiny_task import call, refused, snapshot


@pytest.mark.parametrize("kind, file", [("samna", "load.py"), ("netparser", "biases.txt")])
def test_what_an_export_wrote_is_taken_by_every_command(tmp_path, shared_run, kind, file):
    folder = tmp_path / kind
    told = json.loads(call("export", shared_run, "--format", kind, "--out", folder, "--json").out)
    assert told["format"] == kind and told["findings"] == [] and (folder / file).is_file()
    assert call("check", folder).status == 0
    proof = json.loads(call("verify", shared_run, "--tables", folder, "--json").out)
    assert proof["differ"] == 0 and proof["findings"] == [] and proof["compared"] > 0
    assert call("export", shared_run, "--out", tmp_path / "tables").status == 0
    assert call("export", folder, "--out", tmp_path / "again").status == 0
    assert snapshot(tmp_path / "again") == snapshot(tmp_path / "tables")
    refused(call("export", folder, "--format", kind, "--out", folder), "not empty")
    assert call("export", tmp_path / "tables", "--format", kind, "--out", folder, "--overwrite").status == 0


def test_the_script_that_programs_a_board_is_named(tmp_path, shared_run):
    said = call("export", shared_run, "--format", "samna", "--out", tmp_path / "a")
    assert str(tmp_path / "a" / "load.py") in said.out and (tmp_path / "a" / "load.py").is_file()
    assert "load.py" not in call("export", shared_run, "--format", "netparser", "--out", tmp_path / "b").out


def test_placing_anew_says_what_it_does_and_gains(tmp_path, shared_run):
    said = call("export", shared_run, "--replace", "--out", tmp_path / "a")
    assert said.status == 0 and "placing the neurons anew" in said.err and "replaying" in said.err
    told = json.loads(call("export", shared_run, "--replace", "--out", tmp_path / "b", "--json").out)["replaced"]
    for what in ("chips", "cores"):
        was, now = told["before"][what], told["after"][what]
        assert (f"{was:,} as before, no gain" if was == now else f"{was:,} before, {now:,} now") in said.out
    assert f"0 of {told['compared']:,} neuron steps differ ({told['spikes']:,} spikes)" in said.out


def test_what_no_format_can_do_is_refused(tmp_path, shared_run):
    out = tmp_path / "a"
    refused(call("export", shared_run, "--format", "samna", "--parquet", "--out", out), "--parquet", "tables or tiles")
    refused(call("export", shared_run, "--format", "ranch", "--out", out), "ranch", "tables, samna, netparser")
    assert not out.exists()


def test_an_export_is_drawn_and_told(tmp_path, shared_run):
    said = call("export", shared_run, "--out", tmp_path / "a", "--plot", tmp_path / "a.png")
    assert said.status == 0 and (tmp_path / "a.png").stat().st_size > 10_000
    assert "IF_TAU1_N (tau_mem): wanted 0.02 s, realised 0.0201" in said.out, said.out
    assert f"picture: {tmp_path / 'a.png'}" in said.out
    assert "input events into chip 0: 64 channels, " in said.out and "allowed 1,000,000" in said.out
    told = json.loads(call("export", shared_run, "--out", tmp_path / "b", "--json").out)
    assert 0 < told["traffic"][0]["mean_hz"] < told["traffic"][0]["peak_hz"] <= 64_000
    leak = next(c for c in told["constants"] if c["bias"] == "IF_TAU1_N")
    assert leak["wanted"] == pytest.approx(0.02) and abs(leak["error"]) < 0.01
