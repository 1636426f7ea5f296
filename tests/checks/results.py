#!/usr/bin/env python3
"""Runs the Python blocks of docs/howto/results.md on a run, and reads what arrived.

    pip install torch tensorboard mlflow; tests/checks/results.py target/release/losscape RUN

Every number of metrics.jsonl must be in TensorBoard's event files, to 32 bits, and in MLflow's store, to the digit, at
its step; every setting that `losscape ls --json` has, in MLflow. Exit code 1 where one is not.
"""

import json
import math
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

program, run = (Path(argument).resolve() for argument in sys.argv[1:])
page = Path(__file__).parents[2] / "docs/howto/results.md"
blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.S)
assert len(blocks) == 2, len(blocks)
for block in blocks:
    exec(compile(block, str(page), "exec"), globals())

expected = {}
for line in (run / "metrics.jsonl").open():
    record = json.loads(line)
    for name, value in record.items():
        if name not in ("step", "split") and isinstance(value, int | float):
            expected[f"{record['split']}/{name}", record["step"]] = value

with tempfile.TemporaryDirectory() as place:
    os.chdir(place)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    to_tensorboard(run, Path("events"))
    events = EventAccumulator(str(Path("events") / run.name), size_guidance={"scalars": 0})
    events.Reload()
    found = {(tag, at.step): at.value for tag in events.Tags()["scalars"] for at in events.Scalars(tag)}
    assert found.keys() == expected.keys(), found.keys() ^ expected.keys()
    near = lambda key: math.isclose(found[key], expected[key], rel_tol=2**-23, abs_tol=1e-37)
    wrong = [key for key in expected if not near(key)]
    assert not wrong, wrong
    print(f"TensorBoard: {len(found)} numbers under {len(events.Tags()['scalars'])} names")

    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{place}/mlflow.db")
    to_mlflow(run, "losscape")
    client = mlflow.MlflowClient()
    (kept,) = client.search_runs([client.get_experiment_by_name("losscape").experiment_id])
    names = {name for name, _ in expected}
    found = {(name, at.step): at.value for name in names for at in client.get_metric_history(kept.info.run_id, name)}
    assert found == expected, {key for key in expected if found.get(key) != expected[key]}
    (listed,) = json.loads(subprocess.run([program, "ls", run, "--json"], capture_output=True, check=True).stdout)
    own = {key: str(value) for key, value in listed["settings"].items()}
    assert own == kept.data.params, own.items() ^ kept.data.params.items()
    print(f"MLflow: {len(found)} numbers, {len(own)} settings")
