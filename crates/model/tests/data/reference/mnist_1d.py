"""Mean and deviation of MNIST-1D at each place of each class, before standardization: python3 mnist_1d.py

10,000 samples a class of the author's package mnist1d 0.0.2.post1 (Greydanus 2020), with NumPy 2.4.6 and SciPy 1.17.1,
seed 0. Writes mnist_1d.json: ten lists of forty pairs.
"""

import json
import pathlib

import numpy as np
from mnist1d.data import get_dataset_args, get_templates
from mnist1d.transform import transform

np.random.seed(0)
arguments, templates = get_dataset_args(), get_templates()
found = []
for template in templates["x"]:
    samples = np.stack([transform(template, templates["t"], arguments)[0] for _ in range(10_000)])
    pairs = np.stack([samples.mean(0), samples.std(0)], 1)
    found.append([[round(number, 6) for number in pair] for pair in pairs.tolist()])
(pathlib.Path(__file__).parent / "mnist_1d.json").write_text(json.dumps(found) + "\n")
