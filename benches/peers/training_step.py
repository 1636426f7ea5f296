"""../training_step.rs beside PyTorch and JAX, alternately in one run: medians in microseconds, and ratios.

python3 training_step.py [rounds, default 3]

Needs torch and jax. Two hidden tanh layers at (inputs, width, outputs, batch) = (8, 16, 1, 32), (64, 64, 10, 64), (64, 512, 10, 128) and
(64, 2048, 10, 256); gradient descent; squared error with one output, cross-entropy with ten; f32, two threads. PyTorch eager; JAX with one jitted
call a step that gives the new weights (donated) and the loss, which is read; and JAX with a hundred steps in one jitted `lax.scan`. Ours is a
step of `Trainer`, which draws its batch and reads its loss. PyTorch and JAX first take ten steps from the same weights on the same batch, and say how far they
agree; ours is compared with both in the tests of crates/optim (trajectories).
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

os.environ["OMP_NUM_THREADS"] = "2"
# XLA has no number of threads to set: it takes one for each core it may use.
if len(cores := sorted(os.sched_getaffinity(0))) > 2:
    os.sched_setaffinity(0, cores[:2])

import jax
import jax.numpy as jnp
import numpy as np
import torch

ROOT = pathlib.Path(__file__).parents[2]
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
SIZES = [(8, 16, 1, 32), (64, 64, 10, 64), (64, 512, 10, 128), (64, 2048, 10, 256)]
RATE, SCANNED = 1e-4, 100
torch.set_num_threads(2)


def median(work, each=1, seconds=1.5):
    """Median time of a call over `each`, in microseconds."""
    for _ in range(5):
        work()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times) / each


class Case:
    def __init__(self, inputs, width, outputs, batch):
        self.name = f"{inputs}-{width}-{width}-{outputs}, batch {batch}"
        random = np.random.default_rng(0)
        widths = [inputs, width, width, outputs]
        self.x = random.standard_normal((batch, inputs)).astype(np.float32)
        labels = random.integers(outputs, size=batch)
        self.y = random.standard_normal((batch, 1)).astype(np.float32) if outputs == 1 else labels
        self.weights = [(random.standard_normal((i, o)).astype(np.float32) / np.float32(np.sqrt(i)), np.zeros(o, np.float32)) for i, o in zip(widths, widths[1:])]
        self.torch(), self.jax()

    def torch(self):
        layers = []
        for w, b in self.weights:
            layer = torch.nn.Linear(*w.shape)
            with torch.no_grad():
                layer.weight.copy_(torch.tensor(w.T)), layer.bias.copy_(torch.tensor(b))
            layers += [layer, torch.nn.Tanh()]
        net = torch.nn.Sequential(*layers[:-1])
        half_squares = lambda f, y: 0.5 * ((f - y) ** 2).sum() / len(y)
        loss = half_squares if self.y.ndim == 2 else torch.nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(net.parameters(), lr=RATE)
        x, y = torch.tensor(self.x), torch.tensor(self.y)

        def step():
            optimizer.zero_grad()
            value = loss(net(x), y)
            value.backward()
            optimizer.step()
            return value.item()

        self.torch_step = step

    def jax(self):
        def loss(params, x, y):
            for w, b in params[:-1]:
                x = jnp.tanh(x @ w + b)
            w, b = params[-1]
            f = x @ w + b
            if y.ndim == 2:
                return 0.5 * jnp.sum((f - y) ** 2) / len(y)
            return -jnp.mean(jax.nn.log_softmax(f)[jnp.arange(len(y)), y])

        def step(params, x, y):
            value, gradient = jax.value_and_grad(loss)(params, x, y)
            return jax.tree.map(lambda w, g: w - RATE * g, params, gradient), value

        def many(params, x, y):
            return jax.lax.scan(lambda params, _: step(params, x, y), params, None, SCANNED)

        x, y = jnp.array(self.x), jnp.array(self.y)
        one, scanned = jax.jit(step, donate_argnums=0), jax.jit(many, donate_argnums=0)
        fresh = lambda: jax.tree.map(jnp.array, self.weights)
        held = {"one": fresh(), "scanned": fresh()}

        def jax_step():
            held["one"], value = one(held["one"], x, y)
            return float(value)

        def jax_scan():
            held["scanned"], values = scanned(held["scanned"], x, y)
            return float(values[-1])

        self.jax_step, self.jax_scan = jax_step, jax_scan

    def agree(self):
        theirs = [(self.torch_step(), self.jax_step()) for _ in range(10)]
        return max(abs(a - b) / abs(a) for a, b in theirs)


def ours(group, name):
    """Median of the Rust benchmark, run now, in microseconds."""
    command = ["cargo", "bench", "--bench", "training_step", "--", f"^{group}/{name}$", "--measurement-time", "1.5", "--warm-up-time", "0.5"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    folder = "".join("_" if letter in '?"/\\*<>:|^' else letter for letter in name)
    estimates = json.loads((ROOT / f"target/criterion/{group}/{folder}/new/estimates.json").read_text())
    return estimates["median"]["point_estimate"] / 1e3


found = {}
for case in (Case(*size) for size in SIZES):
    print(f"{case.name}: PyTorch and JAX differ by {case.agree():.1e} in ten losses", flush=True)
    for _ in range(ROUNDS):
        for peer, work in [
            ("here", lambda: ours("step", case.name)),
            ("here, SAM", lambda: ours("SAM step", case.name)),
            ("PyTorch", lambda: median(case.torch_step)),
            ("JAX jit", lambda: median(case.jax_step)),
            ("JAX scan", lambda: median(case.jax_scan, SCANNED)),
        ]:
            found.setdefault((case.name, peer), []).append(work())
    own = statistics.median(found[case.name, "here"])
    for peer in ["here", "PyTorch", "JAX jit", "JAX scan", "here, SAM"]:
        times = found[case.name, peer]
        middle = statistics.median(times)
        ratio = f"SAM over two steps: {middle / (2 * own):.2f}" if peer.endswith("SAM") else f"here/{peer}: {own / middle:.2f}"
        print(f"  {peer:10} {middle:10.1f} µs  ({min(times):.1f} to {max(times):.1f})   {ratio}", flush=True)
