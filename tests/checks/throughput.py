"""What running runs as a study costs, and what a second worker brings.

    cargo build --release && python3 tests/checks/throughput.py target/release/losscape [ROUNDS]

On two idle cores. First a study of runs of about half a second with -j 1 and -j 2, in turn: runs a minute. Then a run of about five seconds, as `losscape train`
with one thread and no measurements, and as a study of that run alone: the difference is the study's own cost (planning, a process, result, table, page).
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOOL = Path(sys.argv[1] if len(sys.argv) > 1 else "target/release/losscape").resolve()
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3

BASE = """
[data]
name = "digits"
[model]
name = "mlp"
hidden = [64, 64]
activation = "tanh"
[loss]
name = "cross-entropy"
[optimizer]
name = "sgd"
learning_rate = 0.1
[training]
batch_size = 32
steps = {steps}
checkpoint_every = 100000
evaluate_every = 5000
"""
STUDY = """
[study]
{measures}
[study.axes]
seed = {seeds}
"""


def timed(place, *arguments):
    begin = time.perf_counter()
    done = subprocess.run(
        [TOOL, *arguments], cwd=place, capture_output=True, text=True, env={**os.environ, "RAYON_NUM_THREADS": "1"}
    )
    seconds = time.perf_counter() - begin
    assert done.returncode == 0, done.stderr
    return seconds


def study(steps, seeds, jobs, measures=""):
    with tempfile.TemporaryDirectory() as place:
        text = BASE.format(steps=steps) + STUDY.format(seeds=list(range(seeds)), measures=measures)
        Path(place, "study.toml").write_text(text)
        return timed(place, "study", "run", "study.toml", "-j", str(jobs))


def train(steps):
    with tempfile.TemporaryDirectory() as place:
        Path(place, "run.toml").write_text(BASE.format(steps=steps))
        return timed(place, "train", "run.toml")


def shown(name, values, unit):
    print(f"{name:34}{statistics.median(values):10.3f} {unit}   ({', '.join(f'{v:.3f}' for v in values)})")


measured = 'measures = ["bounds", "norms"]\nsamples = 300'
one, two = [], []
for _ in range(ROUNDS):
    one.append(24 / study(6000, 24, 1, measured) * 60)
    two.append(24 / study(6000, 24, 2, measured) * 60)
shown("runs a minute, -j 1", one, "")
shown("runs a minute, -j 2", two, "")
shown("ratio", [b / a for a, b in zip(one, two)], "")

steps = int(40000 * 5 / (train(50000) - train(10000)))
alone, within = [], []
for _ in range(ROUNDS):
    alone.append(train(steps))
    within.append(study(steps, 1, 1))
shown("a run alone", alone, "s")
shown("the same as a study", within, "s")
shown("overhead", [100 * (b / a - 1) for a, b in zip(alone, within)], "%")
