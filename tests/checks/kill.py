"""Kills a run with momentum, SAM and a cosine schedule at random moments, resumes it each time, and compares the final weights.

python3 tests/checks/kill.py target/release/losscape [kills]

Each of the kills starts a run of its own, kills it (SIGKILL) once at a random moment, and lets the same command finish it.
"""

import pathlib
import random
import subprocess
import sys
import tempfile
import time

tool, kills = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 50
CONFIG = """
[data]
name = "digits"
[model]
name = "mlp"
hidden = [64, 64]
[loss]
name = "cross-entropy"
[optimizer]
name = "momentum"
learning_rate = 0.05
schedule = { name = "cosine" }
sam = { rho = 0.05 }
[training]
batch_size = 64
epochs = 30
checkpoint_every = 17
"""


def weights(folder):
    (path,) = folder.glob("runs/*/model.safetensors")
    return path.read_bytes()


with tempfile.TemporaryDirectory() as root:
    root = pathlib.Path(root)
    (root / "run.toml").write_text(CONFIG)

    def start(name):
        folder = root / name
        folder.mkdir(exist_ok=True)
        return folder, subprocess.Popen(
            [tool, "train", "../run.toml"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    begin = time.monotonic()
    folder, process = start("whole")
    assert process.wait() == 0
    length = time.monotonic() - begin
    expected = weights(folder)
    print(f"uninterrupted: {length:.2f} s")

    rng = random.Random(0)
    killed, steps = 0, []
    for k in range(kills):
        moment = rng.uniform(0, length)
        folder, process = start(f"killed-{k}")
        time.sleep(moment)
        process.kill()
        killed += process.wait() != 0
        folder, process = start(f"killed-{k}")
        message = process.stderr.read().decode()
        assert process.wait() == 0, message
        if "going on from step" in message:
            steps.append(int(message.split("going on from step")[1].split()[0]))
        assert weights(folder) == expected, f"kill {k} at {moment:.3f} s: the weights differ"
    print(f"{killed} of {kills} runs were killed before their end; {len(steps)} went on from steps {sorted(steps)}")
    print("all final weights are equal to the bit")
