"""Kills a study, its workers, or both with SIGKILL at random moments, starts it again at once, lets it end at last, and compares its table with that of a study
that nobody disturbed, columns of times aside. Fails also when the study was over before it had been killed half as often as asked.

    cargo build --release && python3 tests/checks/study_kills.py target/release/losscape examples/studies/flatness.toml 20
"""

import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOOL, FILE, KILLS = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), int(sys.argv[3])
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def table(out):
    with open(Path(out, FILE.stem, "results.csv"), newline="") as file:
        return [{k: v for k, v in row.items() if k not in ("wall_s", "steps_per_s")} for row in csv.DictReader(file)]


def workers(study):
    tasks = Path(f"/proc/{study}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def kill(process):
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass


random.seed(0)
with tempfile.TemporaryDirectory() as place:
    whole, killed = Path(place, "whole"), Path(place, "killed")
    begin = time.perf_counter()
    subprocess.run([TOOL, "study", "run", FILE, "--out", whole], check=True, **QUIET)
    length = time.perf_counter() - begin
    kills = alone = of_workers = 0
    while kills < KILLS:
        study = subprocess.Popen([TOOL, "study", "run", FILE, "--out", killed], **QUIET)
        time.sleep(random.uniform(0.1, 1.0) * length / KILLS)
        if study.poll() is not None:
            break
        # The study alone leaves its workers behind, which still hold their runs when it is started again.
        what = random.choice(["study", "workers", "both"])
        victims = workers(study.pid) if what != "study" else []
        for victim in victims:
            kill(victim)
        of_workers += len(victims)
        if what == "workers":
            # It starts them again; it is killed a little later.
            time.sleep(random.uniform(0.0, 0.2))
        kill(study.pid)
        study.wait()
        kills += 1
        alone += what == "study"
    subprocess.run([TOOL, "study", "run", FILE, "--out", killed], check=True, **QUIET)
    same = table(whole) == table(killed)
    print(f"{kills} kills of the study, {alone} of them alone, {of_workers} of workers, in a study of {length:.0f} s: {len(table(whole))} rows, {'equal' if same else 'DIFFERENT'}")
    sys.exit(not same or kills < KILLS / 2)
