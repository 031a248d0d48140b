"""How long placement takes on full boards: place and route, and for one board check and write.

python benchmarks/placement.py
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import circumstances, save

import neuro
from neuro.formats import samna
from neuro.task import NetworkSpec

BOARDS = {
    "4 chips of DYNAP-SE1, full": ("dynapse1", [], 4092),
    "25 chips of DYNAP-SE2, full": ("dynapse2", ["board.columns=5", "board.rows=5"], 25_600),
    "225 chips of DYNAP-SE2, full": ("dynapse2", ["board.columns=15", "board.rows=15"], 230_000),
}


def recurrent(size: int) -> NetworkSpec:
    return NetworkSpec.model_validate(
        {
            "dt_s": 1e-3,
            "inputs": {"x": 64},
            "populations": {"r": {"size": size, "tau_mem_s": 0.02, "tau_syn_s": 0.005}},
            "projections": ({"from": "x", "to": "r"}, {"from": "r", "to": "r"}),
            "outputs": {"y": {"population": "r"}},
            "candidates": "reachable",
        }
    )


def timed(what, *arguments):
    """CPU seconds of a call on one thread, and its result: other work on the machine does not count."""
    begun = time.process_time()
    result = what(*arguments)
    return round(time.process_time() - begun, 2), result


def board(name: str, overrides: list[str], size: int) -> dict:
    chip, spec = neuro.load_chip(name, overrides), recurrent(size)
    seconds, plan = timed(neuro.place, spec, chip)
    rows = np.bincount([r.index for r in plan.routes], minlength=size)
    return {
        "neurons": size,
        "place_s": seconds,
        "rows": len(plan.routes),
        "rows_a_source": round(float(rows.mean()), 2),
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def check_and_write() -> dict:
    """The full DYNAP-SE1 board with every word in use."""
    plan = neuro.place(recurrent(4092), neuro.load_chip("dynapse1"))
    tables = neuro.export(neuro.Network(plan, seed=0, storage="slots"))
    check_s, findings = timed(neuro.check, tables)
    with tempfile.TemporaryDirectory() as folder:
        save_s, _ = timed(tables.save, Path(folder) / "tables")
        samna_s, _ = timed(samna.write, tables, Path(folder) / "samna")
        read_s, _ = timed(samna.read, Path(folder) / "samna")
    words = len(tables.frames["synapses"])
    seconds = {"check_s": check_s, "save_s": save_s, "samna_write_s": samna_s, "samna_read_s": read_s}
    return {"words": words, "findings": len(findings), **seconds}


def main() -> None:
    results = {"circumstances": circumstances(), "boards": {}}
    for title, (name, overrides, size) in BOARDS.items():
        results["boards"][title] = board(name, overrides, size)
        print(title, results["boards"][title], flush=True)
    results["4 chips of DYNAP-SE1, all words"] = check_and_write()
    print(results["4 chips of DYNAP-SE1, all words"])
    save("placement", results)


if __name__ == "__main__":
    main()
