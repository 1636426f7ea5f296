"""Compares our readers with NumPy and Python's csv module on mutated files.

    python3 readers.py target/release/losscape [INPUTS] [SEED]

Needs NumPy. Every file goes through `losscape data export`, and where that accepts it, the reference must accept it too and
give the same numbers. Prints how many were accepted and refused, the largest memory, the slowest run; exit code 1 when
something disagrees. Hostile files (bombs, deep headers, huge labels) come first, with their memory and time.
"""

import csv
import gzip
import io
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time
import zipfile

import numpy as np

TOKENS = [b",", b"\n", b'"', b"\r\n", b";", b"nan", b"inf", b"1e400", b"-", b"\0", b"\xff\xff\xff\xff", b"(((((", b"<f2",
          b"|O", b"True", b"PK\x01\x02", b"\x1f\x8b", b"99999999999999999999", b"#", b"NA"]


def archive(compressed, **arrays):
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, **arrays)
    return file.getvalue()


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def seeds():
    r = np.random.default_rng(0)
    x = r.standard_normal((6, 3))
    y = np.array([0, 1, 2, 2, 1, 0])
    table = "a,b,y\n" + "".join(f"{u!r},{v!r},{k}\n" for (u, v), k in zip(r.standard_normal((6, 2)).tolist(), "aabbcc"))
    quoted = 'p,"q ""r""",y\r\n"1",2,3\r\n\r\n4,"5",4\r\n-1,.5,3\r\n'
    images = r.integers(0, 256, (6, 2, 2), dtype=np.uint8)
    return [
        ("csv", table.encode()), ("csv", ("\ufeff" + quoted).encode()), ("csv", gzip.compress(table.encode())),
        ("idx", idx(images)), ("idx", gzip.compress(idx(images))),
        ("cifar10", r.integers(0, 10, 2 * 3073, dtype=np.uint8).tobytes()),
        ("npz", archive(False, x=x, y=y)), ("npz", archive(True, x=x, y=y)),
        ("npz", archive(True, x=np.asfortranarray(x), y=y.astype(">i2"))),
        ("npz", archive(False, x=x.astype("f2"), y=np.array(list("abccba")))),
        ("npz", archive(True, x=images, y=y[:, None].astype("u1"))),
        ("npz", archive(True, x=images, y=y == 1)),
        ("npz", archive(False, x=x, y=x[:, 0])),
    ]


def mutate(data, r):
    data = bytearray(data)
    for _ in range(r.randint(1, 3)):
        if not data:
            break
        at = r.randrange(len(data))
        length = r.randint(1, min(16, len(data) - at))
        kind = r.randrange(8)
        if kind <= 1:
            data[at] ^= 1 << r.randrange(8)
        elif kind == 2:
            data[at] = r.randrange(256)
        elif kind == 3:
            del data[at:at + length]
        elif kind == 4:
            to = r.randint(0, len(data))
            data[to:to] = data[at:at + length]
        elif kind == 5:
            del data[at:]
        else:
            token = r.choice(TOKENS)
            data[at:at + (len(token) if kind == 6 else 0)] = token
    return bytes(data)


def plain(data):
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def classes(labels):
    """Labels as the numbers of their classes."""
    try:
        labels = [int(float(label)) for label in labels]
    except ValueError:
        pass
    known = {label: at for at, label in enumerate(sorted(set(labels)))}
    return np.array([known[label] for label in labels])


def reference(kind, data):
    """Inputs and targets, as NumPy and the csv module read them; raises where they refuse."""
    if kind == "csv":
        rows = [row for row in csv.reader(io.StringIO(plain(data).decode("utf-8-sig"), newline=""), strict=True)
                if any(field.strip() for field in row)]
        if len({len(row) for row in rows}) != 1:
            raise ValueError("rows of several lengths")
        x = np.array([[float(field) for field in row[:-1]] for row in rows[1:]])
        return x, classes([row[-1].strip() for row in rows[1:]])
    if kind == "idx":
        data = plain(data)
        zero, code, rank = struct.unpack(">HBB", data[:4])
        shape = struct.unpack(f">{rank}I", data[4:4 + 4 * rank])
        types = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
        values = np.frombuffer(data[4 + 4 * rank:], types[code])
        if zero or values.size != np.prod(shape, dtype=object):
            raise ValueError("size")
        return values.reshape(shape[0], -1).astype(float), np.array([0, 1, 2, 2, 1, 0])
    if kind == "cifar10":
        records = np.frombuffer(plain(data), "u1").reshape(-1, 3073)
        return records[:, 1:].astype(float), records[:, 0].astype(int)
    with np.load(io.BytesIO(data)) as archive:
        names = next(pair for pair in [("x", "y"), ("X", "y")] if pair[0] in archive.files)
        x, y = archive[names[0]], archive[names[1]]
        for name in archive.files:
            archive[name]
    x = x.reshape(len(x), -1).astype(float)
    if y.dtype.kind == "f":
        return x, y.reshape(len(y), -1).astype(float)
    if y.ndim == 2 and y.shape[1] > 1:
        return x, y.argmax(1) if ((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all() else y.astype(float)
    y = [label.decode() if isinstance(label, bytes) else str(label) for label in y.astype(int if y.dtype == bool else y.dtype).ravel()]
    return x, classes(y)


class Losscape:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        with open(self.path("labels"), "wb") as file:
            file.write(idx(np.array([0, 1, 2, 2, 1, 0], "u1")))
        self.slowest = 0.0

    def path(self, name):
        return os.path.join(self.folder, name)

    def export(self, kind, data, *settings):
        """Exit code, words and the archive that came out."""
        with open(self.path("input"), "wb") as file:
            file.write(data)
        key = {"idx": "images={}", "cifar10": 'files=["{}"]'}.get(kind, "path={}").format(self.path("input"))
        settings = [*settings, key, "standardize=none", "test_fraction=0"]
        settings += [f"labels={self.path('labels')}"] if kind == "idx" else []
        command = [self.binary, "data", "export", kind, "--out", self.path("out.npz")]
        start = time.monotonic()
        done = subprocess.run(command + [word for item in settings for word in ("-s", item)], capture_output=True, text=True)
        self.slowest = max(self.slowest, time.monotonic() - start)
        if done.returncode:
            return done.returncode, done.stderr, None
        with np.load(self.path("out.npz")) as out:
            return 0, done.stderr, (out["x"], out["y"])


def peak():
    """The largest memory of any process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def packed(pieces):
    """A gzip of many pieces, which are never in memory together."""
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb") as zipped:
        for piece in pieces:
            zipped.write(piece)
    return file.getvalue()


def hostile():
    rows = (b"0," * 999 + b"0\n") * 500
    header = ",".join(f"c{at}" for at in range(1000)).encode() + b"\n"
    yield "3 MB of gzip, 3 GB of CSV", "csv", packed([header] + [rows] * 3000)
    zeros = bytes(1 << 20)
    yield "4 MB of gzip, 4 GB of IDX", "idx", packed([bytes([0, 0, 8, 2]) + struct.pack(">2I", 1, 4000 << 20)] + [zeros] * 4000)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, count, descr in [("x", 512 << 20, "|u1"), ("y", 1 << 20, "|u1")]:
            text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({count},)}}".encode()
            with zipped.open(name + ".npy", "w", force_zip64=True) as entry:
                entry.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)
                for _ in range(count >> 20):
                    entry.write(zeros)
    yield "512 MB of zeros in an archive", "npz", file.getvalue()
    deep = "{'descr': '<f8', 'fortran_order': False, 'shape': " + "(" * 20 + "3" + ")" * 20 + "}"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(deep)) + deep.encode())
        zipped.writestr("y.npy", b"")
    yield "a header 20 deep", "npz", file.getvalue()
    yield "one label 10000000", "csv", b"a,y\n" + b"1,0\n" * 39 + b"1,10000000\n"
    yield "labels of 30 MB", "csv", packed([b"a,y\n"] + [b"1," + bytes([97 + at]) * (30 << 20) + b"\n" for at in range(20)])
    yield "a line of 1 GB", "csv", packed([b"a,y\n"] + [b"1" * (1 << 20)] * 1024)
    yield "a field that never ends", "csv", packed([b'a,y\n"'] + [b"1\n" * (1 << 20)] * 512)
    yield "16 million columns", "csv", packed([b"a," * (16 << 20), b"y\n"])
    yield "classes by settings", "csv", b"a,y\n1,0\n2,1\n", "classes=100000000"


def main():
    binary = os.path.abspath(sys.argv[1])
    inputs, seed = (int(word) for word in (sys.argv[2:] + ["10000", "0"][len(sys.argv) - 2:]))
    r = random.Random(seed)
    accepted, refused, strict, wrong = 0, 0, {}, []
    with tempfile.TemporaryDirectory() as folder:
        losscape = Losscape(binary, folder)
        for name, kind, data, *settings in hostile():
            start = time.monotonic()
            code, words, _ = losscape.export(kind, data, *settings)
            words = " ".join(words.split())
            print(f"{name}: {len(data)} bytes, exit code {code}, {time.monotonic() - start:.1f} s, at most {peak():.0f} MiB so far: {words[:160]}")
            wrong += [(name, words)] if code not in (0, 2) else []
        losscape.slowest = 0.0
        whole = seeds()
        for at in range(inputs):
            kind, data = whole[r.randrange(len(whole))]
            data = mutate(data, r)
            code, words, ours = losscape.export(kind, data)
            if code not in (0, 2):
                wrong.append((at, kind, f"exit code {code}", words))
            try:
                theirs, problem = reference(kind, data), None
            except Exception as error:
                theirs, problem = None, f"{type(error).__name__}: {error}"
            if ours is None:
                refused += 1
                if theirs is not None:
                    reason = " ".join(words.split())
                    strict.setdefault(kind, []).append(reason)
            elif theirs is None:
                wrong.append((at, kind, "accepted here alone", problem, data[:80]))
            else:
                accepted += 1
                same = all(a.size == b.size and np.array_equal(a.reshape(b.shape), b) for a, b in zip(ours, theirs))
                if not same:
                    wrong.append((at, kind, "other numbers", data[:80]))
    print(f"{inputs} inputs: {accepted} accepted with the reference's numbers, {refused} refused; "
          f"at most {peak():.0f} MiB, slowest {losscape.slowest:.2f} s")
    for kind, reasons in strict.items():
        print(f"  {kind}: {len(reasons)} refused that the reference reads, for example {r.choice(reasons)[-150:]}")
    for problem in wrong[:20]:
        print("  WRONG", problem)
    print(f"{len(wrong)} disagree")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
