#!/usr/bin/env python3
"""Compares what a device calculates with what flex does.

    tests/checks/devices.py losscape DEVICE

An epoch on digits, then the Hessian's and the kernel's eigenvalues of the same weights in f32. Losses may differ by the
rounding of an epoch, eigenvalues by the errors that both state. Prints a row a quantity. Exit code 1 where one differs.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM, DEVICE = Path(sys.argv[1]).resolve(), sys.argv[2]
CONFIG = """[data]
name = "digits"
[model]
name = "mlp"
hidden = [32]
[loss]
name = "squared-error"
[optimizer]
name = "momentum"
learning_rate = 0.1
[training]
batch_size = 64
epochs = 1
"""
wrong = []


def call(*arguments):
    began = time.time()
    done = subprocess.run([PROGRAM, "-q", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"losscape {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout, time.time() - began


def row(name, ours, theirs, allowed, seconds):
    differs = abs(ours - theirs) > allowed
    wrong.extend([name] if differs else [])
    times = " / ".join(f"{time:.1f} s" for time in seconds)
    print(f"{name:28} {ours:14.7g} {theirs:14.7g}  {abs(ours - theirs):8.1e} of {allowed:8.1e}  {times}"
          f"{'  DIFFERS' if differs else ''}", flush=True)


print(f"{'':28} {'flex':>14} {DEVICE:>14}  difference of allowed   times")
with tempfile.TemporaryDirectory() as place:
    Path(place, "run.toml").write_text(CONFIG)
    runs, seconds = {}, {}
    for device in ("flex", DEVICE):
        out = f"{place}/{device}"
        _, seconds[device] = call("train", f"{place}/run.toml", "--device", device, "--out", out)
        (runs[device],) = Path(out).iterdir()
    summaries = {device: json.loads((runs[device] / "summary.json").read_text()) for device in runs}
    for name in ("train_loss", "test_loss", "train_grad_norm"):
        ours, theirs = summaries["flex"][name], summaries[DEVICE][name]
        row(name, ours, theirs, 1e-4 * abs(ours), seconds.values())
    # Of the same weights, those of flex.
    for only in ("norms", "hessian", "ntk"):
        found, seconds = {}, {}
        for device in ("flex", DEVICE):
            text, seconds[device] = call("analyze", str(runs["flex"]), "--only", only, "--precision", "f32", "-k", "2",
                                         "--json", "--device", device)
            found[device] = json.loads(text)
        ours, theirs = found["flex"], found[DEVICE]
        row(f"{only}: gradient norm", ours["gradient_norm"], theirs["gradient_norm"], 1e-5 * ours["gradient_norm"],
            seconds.values())
        if only == "hessian":
            for at in range(2):
                a, b = ours["hessian"]["top"][at], theirs["hessian"]["top"][at]
                allowed = a["error_bound"] + b["error_bound"] + 1e-5 * abs(a["value"])
                row(f"hessian: eigenvalue {at + 1}", a["value"], b["value"], allowed, seconds.values())
        if only == "ntk":
            a, b = ours["ntk"]["max"], theirs["ntk"]["max"]
            allowed = a["error_bound"] + b["error_bound"] + 1e-5 * abs(a["value"])
            row("ntk: largest eigenvalue", a["value"], b["value"], allowed, seconds.values())
sys.exit(1 if wrong else 0)
