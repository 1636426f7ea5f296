#!/usr/bin/env python3
"""Kills training and measuring at random moments with SIGKILL and compares what they end in with undisturbed ones.

    tests/checks/kills.py target/release/losscape [kills of train] [kills of analyze]

Training must end in the same weights and the same records, times aside; measuring in the same JSON, to the digit. Exit code 1
where it does not. Default: 100 and 20 kills.
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

CONFIG = """[data]
name = "moons"
samples = 400
[model]
name = "mlp"
hidden = [32, 32]
[loss]
name = "cross-entropy"
[optimizer]
name = "adam"
learning_rate = 0.01
schedule = { name = "cosine" }
sam = { rho = 0.05 }
[training]
batch_size = 20
steps = 3000
checkpoint_every = 25
[track]
every = 500
"""
PROGRAM = pathlib.Path(sys.argv[1]).resolve()
TRAIN, ANALYZE = (int(count) for count in (sys.argv[2:] + ["100", "20"][len(sys.argv) - 2 :]))


def run(folder, *arguments, after=None):
    """The exit code, or none when it was killed after so many seconds; and what it printed."""
    process = subprocess.Popen(
        [PROGRAM, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, said = process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None, ""
    if process.returncode != 0:
        sys.exit(f"{arguments}: exit code {process.returncode}: {said}")
    return process.returncode, out


def only_run(folder):
    (found,) = (folder / "runs").iterdir()
    return found


def records(folder):
    lines = (only_run(folder) / "metrics.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "wall_s"} for line in lines]


def killed(folder, times, longest, *arguments):
    """Starts the command again and again; kills it so many times in all, then lets it end."""
    kills = 0
    while kills < times:
        code, _ = run(folder, *arguments, after=random.uniform(0.02, longest))
        if code is None:
            kills += 1
        else:
            return kills
    run(folder, *arguments)
    return kills


random.seed(0)
with tempfile.TemporaryDirectory() as place:
    whole, cut = (pathlib.Path(place) / name for name in ("whole", "cut"))
    for folder in (whole, cut):
        folder.mkdir()
        (folder / "run.toml").write_text(CONFIG)
    start = time.time()
    run(whole, "train", "run.toml")
    length = time.time() - start
    weights = (only_run(whole) / "model.safetensors").read_bytes()
    kills = rounds = 0
    while kills < TRAIN:
        rounds += 1
        kills += killed(cut, TRAIN - kills, min(0.5 * length, 1.0), "train", "run.toml")
        if (only_run(cut) / "model.safetensors").read_bytes() != weights or records(cut) != records(whole):
            sys.exit("a killed run ended in other weights or records")
        if kills < TRAIN:
            run(cut, "train", "run.toml", "--fresh", after=0.2)
    print(f"train: {kills} kills in {rounds} runs, weights and records equal")

    path = str(only_run(whole).relative_to(whole))
    start = time.time()
    _, expected = run(whole, "analyze", path, "--json")
    length = time.time() - start
    kills = rounds = 0
    while kills < ANALYZE:
        rounds += 1
        for file in (only_run(whole) / "analysis").iterdir():
            file.unlink()
        kills += killed(whole, min(5, ANALYZE - kills), 0.4 * length, "analyze", path, "--json")
        _, found = run(whole, "analyze", path, "--json")
        if found != expected:
            sys.exit("a killed analysis found other numbers")
    print(f"analyze: {kills} kills in {rounds} measurements, numbers equal")
