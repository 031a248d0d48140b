"""Write the small data files beside this script, in the forms of the published sets; all of it is made up here.

python tests/data/make_files.py       (deterministic: the same bytes every time but for time stamps in HDF5 and ZIP)
"""

from __future__ import annotations

import gzip
import io
import struct
import wave
import zipfile
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

FILES = Path(__file__).parent / "files"
DATE = (2020, 1, 1, 0, 0, 0)


def picture(label: int, number: int, side: int = 28) -> np.ndarray:
    """A bar whose slant tells the class, moved a little."""
    image = np.zeros((side, side), np.uint8)
    angle, shift = label * np.pi / 10, number % 3 - 1
    for r in np.linspace(-side / 4, side / 4, 2 * side):
        row, column = side // 2 + int(round(r * np.sin(angle))) + shift, side // 2 + int(round(r * np.cos(angle)))
        image[row, column : column + 3] = 255 - 20 * (number % 5)
    return image


def idx(values: np.ndarray) -> bytes:
    head = struct.pack(">BBBB", 0, 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(head + values.astype(np.uint8).tobytes(), mtime=0)


def pictures(first: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(first, first + n) % 10
    return np.stack([picture(int(c), i) for i, c in enumerate(labels)]), labels


def write(name: str, data: bytes) -> None:
    (FILES / name).parent.mkdir(parents=True, exist_ok=True)
    (FILES / name).write_bytes(data)


def archive(name: str, members: dict[str, bytes]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as held:
        for member, data in members.items():
            held.writestr(zipfile.ZipInfo(member, DATE), data, zipfile.ZIP_DEFLATED)
    write(name, buffer.getvalue())


def idx_sets() -> None:
    for folder in ("MNIST", "FashionMNIST"):
        for part, n in (("train", 60), ("t10k", 20)):
            images, labels = pictures(0 if part == "train" else 3, n)
            write(f"{folder}/raw/{part}-images-idx3-ubyte.gz", idx(images))
            write(f"{folder}/raw/{part}-labels-idx1-ubyte.gz", idx(labels))
    members = {}
    for split, first in (("balanced", 0), ("letters", 1)):
        for part, n in (("train", 20), ("test", 10)):
            images, labels = pictures(0, n)
            members[f"gzip/emnist-{split}-{part}-images-idx3-ubyte.gz"] = idx(images.transpose(0, 2, 1))
            members[f"gzip/emnist-{split}-{part}-labels-idx1-ubyte.gz"] = idx(labels + first)
    archive("EMNIST/raw/gzip.zip", members)


def optdigits() -> None:
    for name, n in (("optdigits.tra", 40), ("optdigits.tes", 20)):
        rows = [[*(picture(i % 10, i, 8).ravel() // 16), i % 10] for i in range(n)]
        write(f"OPTDIGITS/{name}", "".join(",".join(map(str, row)) + "\n" for row in rows).encode())


def npy(x: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, x)
    return buffer.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def series() -> None:
    rng = np.random.default_rng(0)
    for part, n in (("train", 60), ("validation", 20), ("test", 20)):
        x = np.round(rng.random((n, 2)), 3)
        write(f"YINYANG/publication_data/{part}_samples.npy", npy(np.hstack([x, 1 - x])))
        write(f"YINYANG/publication_data/{part}_labels.npy", npy((np.floor(x[:, 0] * 3)).astype(np.int64)))
    t = np.linspace(0, 1, 40)
    x = np.stack([np.round(np.sin((1 + i % 10) * 3 * t + i % 4), 2) for i in range(80)])
    labels = np.arange(80) % 10
    write("MNIST1D/mnist1d.npz", npz(x=x[:60], y=labels[:60], x_test=x[60:], y_test=labels[60:], t=t))
    x = (rng.random((56, 256, 12)) < 0.02).astype(np.uint8)
    for i in range(56):
        x[i, :, i % 7] |= (np.arange(256) % 9 == 0).astype(np.uint8)
    write("BRAILLE/braille7.npz", npz(x=x, y=(np.arange(56) % 7).astype(np.uint8), test=np.uint8(np.arange(56) >= 42)))
    for part, n in (("train", 16), ("test", 5)):
        x = np.zeros((n, 1301, 4), np.int16)
        y = np.zeros((n, 1301, 6), np.uint8)
        for i in range(n):
            wave_ = (np.arange(1301) + 37 * i) // 60 % 6
            y[i, np.arange(1301), wave_] = 1
            x[i, np.arange(1301), wave_ % 4] = np.arange(1301) % 7 == 0
        y[:, 600:650] = 0
        x[:, -1, 0] = -1
        buffer = io.BytesIO()
        savemat(buffer, {"x": x, "y": y}, do_compression=True)
        data = buffer.getvalue()
        write(f"ECG_QTDB/QTDB_{part}.mat", b"MATLAB 5.0 MAT-file".ljust(116) + data[116:])


def emg() -> None:
    members = {}
    for subject in (1, 3, 4, 29):
        lines = ["time\t" + "\t".join(f"channel{c}" for c in range(1, 9)) + "\tclass"]
        time = 0
        for label in (0, 1, 2, 3, 0, 4, 5, 6, 7):
            for k in range(60 if label in (0, 7) else 1030):
                time += 1
                values = [f"{((k // 5 % 6 - 3) * (label == c % 6) + subject % 2) * 20}e-05" for c in range(8)]
                lines.append("\t".join([str(time), *values, str(label)]))
        members[f"EMG_data_for_gestures-master/{subject:02d}/1_raw_data_made-up.txt"] = "\r\n".join(lines).encode()
    archive("EMG/EMG_data_for_gestures-31subjects.zip", members)


def fsdd() -> None:
    members = {}
    for digit in range(10):
        for index in (0, 5, 6, 7):
            period, length = 6 + 3 * digit, 1600 + 160 * (index % 3)
            sound = np.tile(np.round(8000 * np.sin(2 * np.pi * np.arange(period) / period)), length)[:length]
            buffer = io.BytesIO()
            with wave.open(buffer, "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
                file.writeframes(sound.astype("<i2").tobytes())
            members[f"recordings/{digit}_{'theo' if index % 2 else 'lucas'}_{index}.wav"] = buffer.getvalue()
    archive("FSDD/recordings.zip", members)


def heidelberg() -> None:
    rng = np.random.default_rng(1)
    sizes = {"SHD/shd_train": 60, "SHD/shd_test": 20, "SSC/ssc_train": 20, "SSC/ssc_valid": 10, "SSC/ssc_test": 10}
    for name, n in sizes.items():
        (FILES / name).parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(FILES / f"{name}.h5", "w") as file:
            kinds = {"times": np.float16, "units": np.uint16}
            lists = {k: file.create_dataset(f"spikes/{k}", n, h5py.vlen_dtype(kind)) for k, kind in kinds.items()}
            for i in range(n):
                many = 80 + i % 5
                lists["times"][i] = np.sort(rng.random(many)).astype(np.float16)
                lists["units"][i] = (35 * (i % 20) + rng.integers(0, 30, many)).astype(np.uint16)
            file["labels"] = (np.arange(n) % 20).astype(np.uint16)


def nmnist() -> None:
    rng = np.random.default_rng(2)
    for part, n in (("Train", 30), ("Test", 20)):
        members = {}
        for i in range(n):
            time = np.sort(rng.integers(0, 300_000, 60))
            x, y, p = 2 * (i % 10) + rng.integers(0, 8, 60), rng.integers(5, 30, 60), rng.integers(0, 2, 60)
            rows = np.column_stack([x, y, p << 7 | time >> 16, time >> 8 & 255, time & 255])
            members[f"{part}/{i % 10}/{i:05d}.bin"] = rows.astype(np.uint8).tobytes()
        archive(f"N-MNIST/{part.lower()}.zip", members)


def board() -> None:
    """A DYNAP-SE2 board: words fail in runs, fewer for high tags; core 2 takes none with low tags; some tags are lost."""
    rng = np.random.default_rng(3)
    failed = np.zeros((4, 256, 64, 2), np.float32)
    for core, neuron, half in np.ndindex(4, 256, 2):
        first, many = rng.integers(0, 64), rng.integers(4, 40 - 12 * half)
        failed[core, neuron, first : first + many, half] = (0.25, 1.0)[neuron % 2]
    failed[2, ..., 0] = 1.0
    failed[0, 7] = 1.0
    tags = np.ones((4, 2048), bool)
    tags[1, :512], tags[2, :1024], tags[3, 1024:1280] = False, False, False
    (FILES / "DYNAPSE").mkdir(parents=True, exist_ok=True)
    path = FILES / "DYNAPSE/dynapse2_board_small.npz"
    np.savez_compressed(path, cam_failure_probability=failed, usable_tag=tags)


def main() -> None:
    for make in (idx_sets, optdigits, series, emg, fsdd, heidelberg, nmnist, board):
        make()
    print(sum(p.stat().st_size for p in FILES.rglob("*") if p.is_file()), "bytes")


if __name__ == "__main__":
    main()
