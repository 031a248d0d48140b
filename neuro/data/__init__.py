"""Data sets and spike encoders."""

from neuro.data.datasets import Dataset, load_dataset
from neuro.data.encoders import encode

__all__ = ["Dataset", "encode", "load_dataset"]
