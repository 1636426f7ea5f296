"""Curvature of one trained network by ../landscape.rs, curvlinops, PyHessian and JAX, on 2 threads: one JSON object {peer: {seconds, ...}} on
standard output.

python3 landscape.py make FOLDER                          trains the network
python3 landscape.py FOLDER [rounds, default 3] > landscape.json

FOLDER/weights.safetensors (0.weight, 0.bias, 2.weight, ...; a tanh network, 64-512-512-10 in the comparison) and FOLDER/data.npz (x, and y as
labels) are read by both sides. `make` trains by 200 full-batch steps of gradient descent at rate 0.1 (0.5 diverges), seed 0. Our own
benchmark, with its rounds, runs before the peers and again after them. f32, L = 1/(2n) Σ(F-Y)², Y one-hot. Made with PyTorch 2.15.0, curvlinops 3.0.1,
PyHessian 0.1, SciPy 1.17.1 and JAX 0.10.2.

Seconds are the median of the rounds, in which the peers take turns, after a round that is not counted; what a peer does once before (operator,
graph, compilation) is "setup_seconds". Seeds are 0, 1, ... by round; traces have 5 rounds. "products" counts Hessian-vector products, each column
of a block. Residuals |Hv - λv| / |λ||v|, and the exact trace that traces are compared with, are in f64. What a peer cannot do is its "error".
"""

import importlib.metadata
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

import numpy as np
import torch
from safetensors.torch import load_file
from scipy.sparse.linalg import LinearOperator, eigsh

torch.set_num_threads(2)
ROOT = pathlib.Path(__file__).parents[2]


def make(folder):
    """Trains the network and writes it with its data."""
    from safetensors.torch import save_file
    from sklearn.datasets import load_digits

    torch.manual_seed(0)
    digits = load_digits()
    x, labels = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
    y = torch.nn.functional.one_hot(labels, 10).float()
    net = torch.nn.Sequential(torch.nn.Linear(64, 512), torch.nn.Tanh(), torch.nn.Linear(512, 512), torch.nn.Tanh(), torch.nn.Linear(512, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        (0.5 * ((net(x) - y) ** 2).sum() / len(x)).backward()
        optimizer.step()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(net.state_dict(), folder / "weights.safetensors")
    np.savez(folder / "data.npz", x=x.numpy(), y=digits.target.astype(np.int64))


if sys.argv[1] == "make":
    make(pathlib.Path(sys.argv[2]))
    sys.exit()

FOLDER = pathlib.Path(sys.argv[1])
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
REPETITIONS = 5
PRODUCTS = 30
STEPS = 50
EIGSH = {"k": 10, "which": "LA", "tol": 1e-3}

state = load_file(FOLDER / "weights.safetensors")
state = {name: p.float() for name, p in sorted(state.items(), key=lambda item: (int(item[0].split(".")[0]), item[0].endswith("bias")))}
stored = np.load(FOLDER / "data.npz")
x = torch.tensor(stored["x"], dtype=torch.float32)
labels = torch.tensor(stored["y"], dtype=torch.int64)
layers = []
for name, p in state.items():
    if name.endswith("weight"):
        layers += [torch.nn.Linear(p.shape[1], p.shape[0]), torch.nn.Tanh()]
net = torch.nn.Sequential(*layers[:-1])
net.load_state_dict(state)
y = torch.nn.functional.one_hot(labels, net[-1].out_features).float()
P = sum(p.numel() for p in net.parameters())


class SquaredError(torch.nn.Module):
    reduction = "mean"

    def forward(self, output, target):
        return 0.5 * ((output - target) ** 2).sum() / len(output)


class Product64:
    """H v in f64, to judge what the peers found in f32."""

    def __init__(self):
        self.net = torch.nn.Sequential(*(type(m)(m.in_features, m.out_features) if hasattr(m, "weight") else type(m)() for m in net)).double()
        self.net.load_state_dict(state)
        self.parameters = list(self.net.parameters())
        loss = SquaredError()(self.net(x.double()), y.double())
        self.gradient = torch.cat([g.ravel() for g in torch.autograd.grad(loss, self.parameters, create_graph=True)])
        self.loss = loss.item()

    def __call__(self, v):
        return torch.cat([p.ravel() for p in torch.autograd.grad(self.gradient, self.parameters, torch.as_tensor(v).double(), retain_graph=True)])

    def residuals(self, values, vectors):
        vectors = [torch.as_tensor(v).double() for v in vectors]
        return [((self(v) - value * v).norm() / abs(value) / v.norm()).item() for value, v in zip(values, vectors)]


def exact_trace():
    """Tr H in f64. With a the inputs of a layer and S the Hessian of L by its outputs z (before tanh), its weights and bias add Σ (|a|² + 1) Tr S.

    S₃ = 1/n, S₂ = D₂ W₃ᵀ S₃ W₃ D₂ + diag(s₂) and S₁ = D₁ W₂ᵀ S₂ W₂ D₁ + diag(s₁), where D = diag tanh′(z) and s = tanh″(z) Wᵀ ∂L/∂z.
    """
    (w1, b1), (w2, b2), (w3, b3) = [(state[f"{k}.weight"].double(), state[f"{k}.bias"].double()) for k in [0, 2, 4]]
    a = x.double()
    h1 = (a @ w1.T + b1).tanh()
    h2 = (h1 @ w2.T + b2).tanh()
    n = len(a)
    u3 = (h2 @ w3.T + b3 - y) / n
    d1, d2 = 1 - h1**2, 1 - h2**2
    s2 = -2 * h2 * d2 * (u3 @ w3)
    s1 = -2 * h1 * d1 * ((d2 * (u3 @ w3)) @ w2)
    third = y.shape[1] / n
    second = d2**2 @ (w3**2).sum(0) / n + s2.sum(1)
    first = sum((((d2 * row) @ w2 * d1) ** 2).sum(1) for row in w3) / n + (s2 @ w2**2 * d1**2 + s1).sum(1)
    return sum((((inputs**2).sum(1) + 1) * s).sum().item() for inputs, s in [(a, first), (h1, second), (h2, third)])


def curvlinops():
    """The operator, with a counter of products, and the seconds that making it took (its check of determinism included)."""
    from curvlinops import HessianLinearOperator

    class Counted(HessianLinearOperator):
        products = 0

        def _matmat(self, block):
            self.products += block[0].shape[-1]
            return super()._matmat(block)

    start = time.perf_counter()
    operator = Counted(net, SquaredError(), list(net.parameters()), [(x, y)])
    return operator, time.perf_counter() - start


def pyhessian():
    from pyhessian import hessian

    # The class takes its gradient from p.grad, to which an earlier one would be added.
    net.zero_grad(set_to_none=True)
    start = time.perf_counter()
    made = hessian(net, SquaredError(), data=(x, y), cuda=False)
    return made, time.perf_counter() - start


def start_vector(dtype):
    return np.random.default_rng(0).standard_normal(P).astype(dtype)


def eigenvalues(operator, dtype):
    values, vectors = eigsh(operator, v0=start_vector(dtype), **EIGSH)
    order = np.argsort(-values)
    return values[order].tolist(), list(vectors.T[order])


def curvlinops_eigenvalues(dtype):
    operator, setup = curvlinops()
    exported = operator.to_scipy(dtype)

    def work(_):
        operator.products = 0
        values, vectors = eigenvalues(exported, dtype or np.float64)
        return {"values": values, "vectors": vectors, "products": operator.products}

    return work, setup


def pyhessian_eigenvalues():
    made, setup = pyhessian()
    products = counting_pyhessian()

    def work(seed):
        torch.manual_seed(seed)
        products.clear()
        values, vectors = made.eigenvalues(top_n=5)
        vectors = [torch.cat([p.detach().ravel() for p in v]) for v in vectors]
        return {"values": values, "vectors": vectors, "products": len(products)}

    return work, setup


def counting_pyhessian():
    import pyhessian as _

    # The package's attribute of this name is the class.
    module, products = sys.modules["pyhessian.hessian"], []
    if not hasattr(module, "uncounted"):
        module.uncounted = module.hessian_vector_product
    module.hessian_vector_product = lambda *given: products.append(1) or module.uncounted(*given)
    return products


def curvlinops_trace(name):
    import curvlinops as library

    operator, setup = curvlinops()

    def work(seed):
        torch.manual_seed(seed)
        operator.products = 0
        return {"estimate": getattr(library, name)(operator, PRODUCTS).item(), "products": operator.products}

    return work, setup


def pyhessian_trace():
    made, setup = pyhessian()

    def work(seed):
        torch.manual_seed(seed)
        # No tolerance, for it stops early by the change of the running mean.
        samples = made.trace(maxIter=PRODUCTS, tol=-np.inf)
        return {"estimate": float(np.mean(samples)), "products": len(samples)}

    return work, setup


def curvlinops_density():
    import curvlinops as library

    operator, setup = curvlinops()

    def work(seed):
        torch.manual_seed(seed)
        operator.products = 0
        grid, density = library.lanczos_approximate_spectrum(operator, STEPS)
        return {"products": operator.products, "mass": torch.trapezoid(density, grid).item(), "from": grid[0].item(), "to": grid[-1].item()}

    return work, setup


removed = getattr(torch, "eig", None)


def pyhessian_density(eig=None):
    made, setup = pyhessian()

    def work(seed):
        torch.manual_seed(seed)
        torch.eig = eig or removed
        values, weights = made.density(iter=STEPS, n_v=1)
        return {"products": STEPS, "mass": float(np.sum(weights)), "from": float(np.min(values)), "to": float(np.max(values))}

    return work, setup


def symmetric_eig(a, eigenvectors):
    """torch.eig as PyHessian calls it: values in the first column. T is symmetric."""
    values, vectors = torch.linalg.eigh(a)
    return values[:, None], vectors


def jax_eigenvalues():
    import jax
    import jax.numpy as jnp

    start = time.perf_counter()
    shapes = [tuple(p.shape) for p in state.values()]
    jx, jy = jnp.array(x.numpy()), jnp.array(y.numpy())
    flat = jnp.concatenate([jnp.array(p.numpy()).ravel() for p in state.values()])

    def loss(flat):
        h, at = jx, 0
        for k in range(0, len(shapes), 2):
            (o, i), end = shapes[k], at + shapes[k][0] * shapes[k][1]
            h = h @ flat[at:end].reshape(o, i).T + flat[end : end + o]
            at = end + o
            if k < len(shapes) - 2:
                h = jnp.tanh(h)
        return 0.5 * jnp.sum((h - jy) ** 2) / len(jx)

    product = jax.jit(jax.linearize(jax.grad(loss), flat)[1])
    np.asarray(product(flat))
    setup = time.perf_counter() - start
    products = []

    def once(v):
        products.append(1)
        return np.asarray(product(v.ravel()))

    operator = LinearOperator((P, P), matvec=once, dtype=np.float32)

    def work(_):
        products.clear()
        values, vectors = eigenvalues(operator, np.float32)
        return {"values": values, "vectors": vectors, "products": len(products)}

    return work, setup


PEERS = {
    "curvlinops eigenvalues": (lambda: curvlinops_eigenvalues(None), ROUNDS),
    "curvlinops eigenvalues, f32 basis": (lambda: curvlinops_eigenvalues(np.float32), ROUNDS),
    "pyhessian eigenvalues": (pyhessian_eigenvalues, ROUNDS),
    "jax eigenvalues": (jax_eigenvalues, ROUNDS),
    "curvlinops hutchinson": (lambda: curvlinops_trace("hutchinson_trace"), REPETITIONS),
    "curvlinops hutch++": (lambda: curvlinops_trace("hutchpp_trace"), REPETITIONS),
    "curvlinops xtrace": (lambda: curvlinops_trace("xtrace"), REPETITIONS),
    "pyhessian trace": (pyhessian_trace, REPETITIONS),
    "curvlinops density": (curvlinops_density, ROUNDS),
    "pyhessian density": (pyhessian_density, ROUNDS),
    "pyhessian density, torch.eig replaced": (lambda: pyhessian_density(symmetric_eig), ROUNDS),
}


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def here():
    """What the Rust benchmark measures now."""
    command = ["cargo", "bench", "--bench", "landscape", "--", str(FOLDER.resolve()), str(ROUNDS)]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return json.loads(output.strip().splitlines()[-1])


def main():
    judge, trace = Product64(), exact_trace()
    packages = ["torch", "curvlinops-for-pytorch", "pyhessian", "scipy", "numpy", "jax"]
    result = {
        "setting": {
            "parameters": P,
            "samples": len(x),
            "outputs": y.shape[1],
            "loss": judge.loss,
            "trace": trace,
            "threads": torch.get_num_threads(),
            "rounds": ROUNDS,
            **{package: version(package) for package in packages},
        }
    }
    result["losscape, before"] = here()
    works, seconds, found = {}, {}, {}
    for round in range(1 + max(rounds for _, rounds in PEERS.values())):
        for name, (make, rounds) in PEERS.items():
            if round > rounds or "error" in result.get(name, {}):
                continue
            try:
                if name not in works:
                    works[name], setup = make()
                    result[name] = {"seconds": None, "setup_seconds": setup}
                start = time.perf_counter()
                one = works[name](round)
                if round > 0:
                    seconds.setdefault(name, []).append(time.perf_counter() - start)
                    found.setdefault(name, []).append(one)
            except Exception as error:
                result[name] = {"error": f"{type(error).__name__}: {error}"}
            print(f"round {round}  {name}", file=sys.stderr)
    for name, times in seconds.items():
        entry, last = result[name], found[name][-1]
        entry["seconds"], entry["all_seconds"] = statistics.median(times), times
        if "estimate" in last:
            estimates = [one["estimate"] for one in found[name]]
            entry |= {
                "products": last["products"],
                "estimate": estimates[0],
                "estimates": estimates,
                "mean": statistics.mean(estimates),
                "standard_error": statistics.stdev(estimates),
                "relative_rms_error": float(np.sqrt(np.mean((np.array(estimates) - trace) ** 2)) / abs(trace)),
            }
        else:
            vectors = last.pop("vectors", None)
            entry |= last
            entry["products"] = statistics.median(one["products"] for one in found[name])
            if vectors is not None:
                entry["residuals"] = judge.residuals(last["values"], vectors)
    result["losscape, after"] = here()
    print(json.dumps(result, indent=1))


main()
