"""Run by a Python that has Rockpool: its auto-encoder finds four base currents and a mask for every weight of a core.

python autoencoder_runs.py WEIGHTS.npz FOUND.npz SEED

WEIGHTS holds a matrix [sources, neurons] for every core, 0 = no connection; FOUND gets matrices of the same names, as the
masks and currents make them, and the currents [4] of core NAME as NAME.currents. The package's own settings throughout.
"""

from __future__ import annotations

import logging
import sys

import numpy as np

logging.disable(logging.WARNING)  # Rockpool warns of samna, which is not needed here

BITS = 4


def main() -> None:
    from rockpool.devices.dynapse.quantization.autoencoder.learn import learn_weights
    from rockpool.devices.dynapse.quantization.autoencoder.weight_handler import WeightHandler

    given, out, seed = sys.argv[1:]
    np.random.seed(int(seed))  # noqa: NPY002 (where the package draws its first weights)
    found = {}
    for name, weights in np.load(given).items():
        spec = learn_weights(weights, None, 1.0, BITS)
        currents = np.array([spec[f"Iw_{bit}"] for bit in range(BITS)])
        found[name] = WeightHandler.restore_weight_matrix(BITS, currents, spec["weights_in"], spec["sign_in"])
        found[f"{name}.currents"] = currents
    np.savez(out, **found)


if __name__ == "__main__":
    main()
