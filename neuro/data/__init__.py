"""Data sets and spike encoders."""

from neuro.data.batches import make_batch
from neuro.data.datasets import load_dataset
from neuro.data.encoders import encode
from neuro.data.parts import Dataset, Part

__all__ = ["Dataset", "Part", "encode", "load_dataset", "make_batch"]
