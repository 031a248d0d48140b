"""Pictures as values [n, pixels]: MNIST and its kin, and two sets of small digits."""

from __future__ import annotations

import zipfile
from functools import partial

import numpy as np

from neuro.data.arrays import labels_of
from neuro.data.idx import images_and_labels, parse_idx, read_idx
from neuro.data.locate import Official, locate
from neuro.data.parts import Samples, joined
from neuro.data.tables import read_bytes, read_rows
from neuro.errors import DataError

MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FASHION = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
EMNIST = Official("https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip", "58c8d27c78d21e728a6bc7b3cc06412e")
OPTDIGITS = Official("https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits")
FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
MNIST_MD5 = (
    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "d53e105ee54ea40749a09fcbcd1e9432",
    "9fb629c4189551a2d022fa330f9573f3",
    "ec29112dd5afa0611ce80d1b7f02629c",
)
FASHION_MD5 = (
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "25c81989df183df01b3e8a0aad5dffbe",
    "bef4ecab320f06d8554ea6380940ec79",
    "bb300cfdad3c16e7a12a480ee83cd310",
)
EMNIST_FIRST_LABEL = {"letters": 1}  # the other splits count from 0


def _idx_set(folder: str, address: str, sums: tuple[str, ...]) -> Samples:
    """60,000 and 10,000 pictures of 28 × 28 bytes in ten classes, as IDX files in FOLDER/raw."""
    parts = []
    names = [f"{name}-ubyte.gz" for name in FILES]
    paths = [
        locate(f"{folder}/raw/{name}", Official(address + name, md5)) for name, md5 in zip(names, sums, strict=True)
    ]
    for images, labels in (paths[:2], paths[2:]):
        x, y = images_and_labels(read_idx(images, 3), read_idx(labels, 1), str(labels))
        parts.append((x, labels_of(y, len(x), str(labels), 10)))
    return joined(*parts)


def _emnist(split: str) -> Samples:
    """One split of EMNIST (Cohen et al. 2017, arXiv 1702.05373), read from the published gzip.zip.

    The published pictures lie on their side; they are turned upright here. The letters count from 1, here from 0.
    """
    path = locate("EMNIST/raw/gzip.zip", EMNIST)
    parts = []
    for part in ("train", "test"):
        images, labels = (
            _member(path, f"gzip/emnist-{split}-{part}-{what}-ubyte.gz", dimensions)
            for what, dimensions in (("images-idx3", 3), ("labels-idx1", 1))
        )
        x, y = images_and_labels(images.transpose(0, 2, 1), labels, f"{path}, {split} {part}")
        parts.append((x, labels_of(y - EMNIST_FIRST_LABEL.get(split, 0), len(x), f"{path}, {split} {part} labels")))
    return joined(*parts)


def _member(path, name: str, dimensions: int) -> np.ndarray:
    import gzip
    import zlib

    where = f"{path}, {name}"
    try:
        with zipfile.ZipFile(path) as held:
            return parse_idx(gzip.decompress(held.read(name)), dimensions, where)
    except KeyError:
        raise DataError(f"{path}: holds no {name}; it is not the published file") from None
    except (zipfile.BadZipFile, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{where}: damaged ({error}); fetch it again") from None


def _optdigits() -> Samples:
    """5,620 digits of 8 × 8 pixels 0..16 (UCI 80, Alpaydin & Kaynak 1998); the published test part is kept."""
    parts = []
    for name in ("optdigits.tra", "optdigits.tes"):
        path = locate(f"OPTDIGITS/{name}", OPTDIGITS)
        rows = read_rows(read_bytes(path), str(path), ",", 65, header=False)
        wrong = ((rows[:, :64] < 0) | (rows[:, :64] > 16)).any(1)
        if wrong.any():
            raise DataError(f"{path}:{int(wrong.argmax()) + 1}: a pixel is outside 0 to 16")
        parts.append(((rows[:, :64] / 16).astype(np.float32), labels_of(rows[:, 64], len(rows), str(path), 10)))
    return joined(*parts)


def _sklearn_digits() -> Samples:
    """1,797 handwritten digits of 8 × 8 pixels that come with scikit-learn (the test part of UCI's OptDigits)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return Samples((digits.data / 16).astype(np.float32), digits.target.astype(np.int64))


IMAGES = {
    "mnist": partial(_idx_set, "MNIST", MNIST, MNIST_MD5),
    "fashion_mnist": partial(_idx_set, "FashionMNIST", FASHION, FASHION_MD5),
    **{f"emnist_{split}": partial(_emnist, split) for split in ("balanced", "letters", "digits", "mnist")},
    "optdigits": _optdigits,
    "sklearn_digits": _sklearn_digits,
}
