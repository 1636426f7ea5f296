"""Makes fashion-mnist.gz of the four files of Fashion-MNIST: python3 fashion_mnist.py /usr/share/datasets/fashion-mnist

Records of a label and 784 pixels, a byte each: the first 100 images of each class of the training part, then the first
50 of each class of the test part, both in the order of the files.
"""

import gzip
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])


def first(part, count):
    labels = gzip.open(folder / f"{part}-labels-idx1-ubyte.gz").read()[8:]
    images = gzip.open(folder / f"{part}-images-idx3-ubyte.gz").read()[16:]
    seen = [0] * 10
    for at, label in enumerate(labels):
        seen[label] += 1
        if seen[label] <= count:
            yield bytes([label]) + images[784 * at : 784 * (at + 1)]


records = b"".join([*first("train", 100), *first("t10k", 50)])
with open(pathlib.Path(__file__).with_name("fashion-mnist.gz"), "wb") as file:
    file.write(gzip.compress(records, mtime=0))
