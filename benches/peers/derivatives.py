"""../derivatives.rs beside PyTorch and JAX, alternately in one run: medians in milliseconds, and ratios.

python3 derivatives.py [rounds] [python with neural-tangents]

Needs torch and jax. Network tanh 64-512-512-10, 1,797 samples, f32, squared error over samples. PyTorch: gradient; Hessian product by double
backward with the graph kept, 16 of them one after the other or batched (`is_grads_batched`), whichever is faster. JAX: jitted gradient,
`jax.linearize` of the gradient (jitted), one direction and 16 by vmap. The kernel of one output is compared with neural-tangents (see
kernel.py) if an interpreter that has it is given.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import torch

ROOT = pathlib.Path(__file__).parents[2]
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
NEURAL_TANGENTS = sys.argv[2] if len(sys.argv) > 2 else None
N, SIZES = 1797, [64, 512, 512, 10]

torch.set_num_threads(2)
random = np.random.default_rng(0)
x = random.uniform(-0.5, 0.5, (N, 64)).astype(np.float32)
y = random.uniform(-0.5, 0.5, (N, 10)).astype(np.float32)
weights = [
    (random.uniform(-1, 1, (i, o)).astype(np.float32) / np.sqrt(i).astype(np.float32), np.zeros(o, np.float32))
    for i, o in zip(SIZES, SIZES[1:])
]
directions = [[(random.standard_normal(w.shape).astype(np.float32), random.standard_normal(b.shape).astype(np.float32)) for w, b in weights] for _ in range(16)]


def median(work, seconds=2.0):
    for _ in range(2):
        work()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


# PyTorch
tx, ty = torch.tensor(x), torch.tensor(y)
parameters = [torch.tensor(p, requires_grad=True) for layer in weights for p in layer]


def torch_loss():
    h = tx
    for k in range(0, 6, 2):
        h = h @ parameters[k] + parameters[k + 1]
        if k < 4:
            h = h.tanh()
    return 0.5 * ((h - ty) ** 2).sum() / N


kept = torch.autograd.grad(torch_loss(), parameters, create_graph=True)
vectors = [[torch.tensor(p) for layer in d for p in layer] for d in directions]
torch_product = lambda v: torch.autograd.grad(kept, parameters, v, retain_graph=True)
stacked = [torch.stack(parts) for parts in zip(*vectors)]
torch_batch = lambda: torch.autograd.grad(kept, parameters, stacked, retain_graph=True, is_grads_batched=True)

# JAX
jx, jy = jnp.array(x), jnp.array(y)
params = [(jnp.array(w), jnp.array(b)) for w, b in weights]


def forward(params, x):
    for w, b in params[:-1]:
        x = jnp.tanh(x @ w + b)
    w, b = params[-1]
    return x @ w + b


def jax_loss(params):
    return 0.5 * jnp.sum((forward(params, jx) - jy) ** 2) / N


jax_gradient = jax.jit(jax.grad(jax_loss))
_, linear = jax.linearize(jax.grad(jax_loss), params)
jax_product = jax.jit(linear)
jax_block = jax.jit(jax.vmap(linear))
single = [(jnp.array(d[0]), jnp.array(d[1])) for d in directions[0]]
block = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[[(jnp.array(w), jnp.array(b)) for w, b in d] for d in directions])
done = lambda tree: jax.block_until_ready(tree)
ours = np.concatenate([p.detach().numpy().ravel() for p in torch_product(vectors[0])])
theirs = np.concatenate([np.asarray(p).ravel() for layer in done(jax_product(single)) for p in layer])
print(f"PyTorch and JAX products differ by {np.abs(ours - theirs).max() / np.abs(theirs).max():.1e}")

PEERS = {
    ("gradient", "PyTorch"): lambda: torch.autograd.grad(torch_loss(), parameters),
    ("gradient", "JAX"): lambda: done(jax_gradient(params)),
    ("hessian_product", "PyTorch"): lambda: torch_product(vectors[0]),
    ("hessian_product", "JAX"): lambda: done(jax_product(single)),
    ("hessian_products_16", "PyTorch"): lambda: [torch_product(v) for v in vectors],
    ("hessian_products_16", "PyTorch, batched"): lambda: torch_batch(),
    ("hessian_products_16", "JAX"): lambda: done(jax_block(block)),
}


def here(case):
    """Median of the Rust benchmark, run now."""
    command = ["cargo", "bench", "--bench", "derivatives", "--", f"/{case}$", "--measurement-time", "2", "--warm-up-time", "0.5"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    estimates = json.loads((ROOT / f"target/criterion/derivatives/{case}/new/estimates.json").read_text())
    return estimates["median"]["point_estimate"] / 1e6


def neural_tangents():
    """Median of kernel.py, run now."""
    output = subprocess.run([NEURAL_TANGENTS, ROOT / "benches/peers/kernel.py"], check=True, capture_output=True, text=True).stdout
    return float(output.split(":")[-1].split()[0])


found = {}
for _ in range(ROUNDS):
    for case in ["gradient", "hessian_product", "hessian_products_16", "kernel"]:
        found.setdefault((case, "here"), []).append(here(case))
        if case == "kernel" and NEURAL_TANGENTS:
            found.setdefault((case, "neural-tangents"), []).append(neural_tangents())
        for (name, peer), work in PEERS.items():
            if name == case:
                found.setdefault((case, peer), []).append(median(work))
for (case, peer), times in found.items():
    middle, own = statistics.median(times), statistics.median(found[case, "here"])
    print(f"{case:20} {peer:16} {middle:9.1f} ms  ({min(times):.1f} to {max(times):.1f})   here/{peer}: {own / middle:.2f}")
