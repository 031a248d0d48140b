"""Run by a Python that has Rockpool: what its reader of DYNAP-SE2 configurations finds in an export, as JSON.

python rockpool_reads.py FOLDER
"""

import json
import logging
import sys
from pathlib import Path

logging.disable(logging.WARNING)  # Rockpool warns of samna, which is not needed here

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, sys.argv[1])
import fake_samna  # noqa: E402
import load  # noqa: E402
from rockpool.devices.dynapse.dynapsim_net.from_config.memory import MemorySE2  # noqa: E402

names = {row["name"] for row in load.rows("parameters")}
configuration = load.configuration(fake_samna.install(names))
configuration.chips = configuration.chips[:1]
last = configuration.chips[0].cores[3].neurons[255]
destinations = last.destinations
destinations[3].tag, destinations[3].core, destinations[3].x_hop = 2047, [True] * 4, -7
last.destinations = destinations  # its binary search expects a destination whose tag is at least every synapse's
found = MemorySE2().spec_from_config(configuration)
print(json.dumps({key: value if isinstance(value, list) else value.tolist() for key, value in found.items()}))
