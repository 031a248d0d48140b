"""Pictures for benchmarks that train outside a task: parts of a data set as tensors in 0..1."""

from __future__ import annotations

import numpy as np
import torch

from neuro.data import load_dataset
from neuro.task.models import Data


def pictures(dataset: str, validation: float = 0.1) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Give training, validation and test part of a picture set: x [N, 784] in 0..1, y [N]."""
    found = load_dataset(Data(dataset=dataset, validation=validation))
    parts = {"train": found.train, "validation": found.validation, "test": found.test}
    top = max(float(part.x.max()) for part in parts.values())
    return {
        name: (torch.from_numpy(part.x.astype(np.float32) / top), torch.from_numpy(part.y.astype(np.int64)))
        for name, part in parts.items()
    }
