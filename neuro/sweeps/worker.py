"""A worker process: takes its order as one line of standard input, which stays open as long as the sweep lives."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

from neuro.errors import NeuroError


def main() -> int:
    """Work until nothing is left; die with the process that started this one."""
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    import torch

    from neuro.sweeps.definition import definition_from_json
    from neuro.sweeps.storage import open_study
    from neuro.sweeps.work import work

    torch.set_num_threads(max(1, torch.get_num_threads() // order["workers"]))
    out, url = Path(order["out"]), order["url"]
    definition = definition_from_json(json.loads(order["definition"]), "the order")
    try:
        with open_study(out, definition, url) as (study, locks):
            work(out, definition, study, locks, lambda study: None)
    except NeuroError as error:
        print(f"neuro: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return 130
    return 0


def _die_with_parent() -> None:
    sys.stdin.read()  # ends when the other end is closed
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
