"""Writes rank_correlations.json beside it: Kendall's tau-b by SciPy.

pip install numpy scipy; seen with SciPy 1.18.1.
"""

import json
from pathlib import Path

import numpy as np
from scipy import stats

rng = np.random.default_rng(20241124)


def case(name, x, y):
    return {
        "name": name,
        "x": [float(value) for value in x],
        "y": [float(value) for value in y],
        "tau": float(stats.kendalltau(x, y, variant="b").statistic),
    }


def noisy(n, slope, levels=None):
    x, y = rng.normal(size=n), rng.normal(size=n)
    y = slope * x + y
    return (np.round(x * levels) / levels, np.round(y * levels) / levels) if levels else (x, y)


rate = rng.choice([0.05, 0.1, 0.2], 90)
batch = rng.choice([8.0, 32.0, 128.0], 90)
cases = [
    case("no ties", *noisy(60, 0.7)),
    case("no association", *noisy(80, 0.0)),
    case("many ties", *noisy(100, 0.5, levels=2)),
    case("ties in y alone", rng.normal(size=50), rng.integers(0, 3, 50).astype(float)),
    case("falling", *noisy(40, -1.5, levels=4)),
    case("two values each", rng.integers(0, 2, 30).astype(float), rng.integers(0, 2, 30).astype(float)),
    case("two settings", batch / rate * np.exp(0.3 * rng.normal(size=90)), np.log(batch) + rng.normal(size=90)),
    case("half tied", *noisy(70, 0.4, levels=3)),
    case("five thousand", *noisy(5000, 0.2, levels=20)),
]

path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(cases, indent=1) + "\n")
print(f"{len(cases)} cases in {path}")
