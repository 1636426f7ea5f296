"""Writes rank_correlations.json beside it: Kendall's tau-b, percentile intervals and partial correlations, by SciPy and NumPy.

pip install numpy scipy; seen with SciPy 1.18.1. Takes about a minute.
"""

import json
from pathlib import Path

import numpy as np
from scipy import stats

rng = np.random.default_rng(20241124)


def case(name, x, y, controls=(), interval=True):
    columns = [x, y, *controls]
    tau = np.array([[stats.kendalltau(a, b, variant="b").statistic for b in columns] for a in columns])
    # Partial correlations are the entries of the inverse, scaled to a diagonal of -1.
    inverse = np.linalg.inv(tau) if controls else None
    found = {
        "name": name,
        "x": [float(value) for value in x],
        "y": [float(value) for value in y],
        "controls": [[float(value) for value in control] for control in controls],
        "tau": float(tau[0, 1]),
        "partial": None if inverse is None else float(-inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])),
        "interval": None,
    }
    if interval:
        result = stats.bootstrap(
            (x, y),
            lambda a, b: stats.kendalltau(a, b).statistic,
            paired=True,
            vectorized=False,
            n_resamples=9999,
            confidence_level=0.95,
            method="percentile",
            rng=rng,
        )
        found["interval"] = [float(result.confidence_interval.low), float(result.confidence_interval.high)]
    return found


def noisy(n, slope, levels=None):
    x, y = rng.normal(size=n), rng.normal(size=n)
    y = slope * x + y
    return (np.round(x * levels) / levels, np.round(y * levels) / levels) if levels else (x, y)


cases = [
    case("no ties", *noisy(60, 0.7)),
    case("no association", *noisy(80, 0.0)),
    case("many ties", *noisy(100, 0.5, levels=2)),
    case("ties in y alone", rng.normal(size=50), rng.integers(0, 3, 50).astype(float)),
    case("falling", *noisy(40, -1.5, levels=4)),
    case("two values each", rng.integers(0, 2, 30).astype(float), rng.integers(0, 2, 30).astype(float)),
]
rate = rng.choice([0.05, 0.1, 0.2], 90)
batch = rng.choice([8.0, 32.0, 128.0], 90)
sharpness = batch / rate * np.exp(0.3 * rng.normal(size=90))
cases.append(case("given two settings", sharpness, np.log(batch) + rng.normal(size=90), [rate, batch], interval=False))
cases.append(case("given one setting", *noisy(70, 0.4, levels=3), [rng.integers(0, 4, 70).astype(float)], interval=False))
big = noisy(5000, 0.2, levels=20)
cases.append(case("five thousand", *big, interval=False))

path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(cases, indent=1) + "\n")
print(f"{len(cases)} cases in {path}")
