"""The Python package beside other packages, in one process.

python3 benches/peers/package.py [--images 256] [--width 16] [--epochs 5]

Needs losscape, torch, numpy, scipy, curvlinops-for-pytorch and hessian-eigenthings. A ResNet-18 with batch norm is
trained for some epochs on Fashion-MNIST (the images that are shipped); then the five largest eigenvalues of the Hessian
of its mean cross-entropy on the first images, in evaluation mode and f32, one after another on two threads. Last what
it costs to go through Python: a product that does nothing, from its return until the next step of the algorithm, and
from call to call with what Hutchinson's estimator does in between.
"""

import argparse
import sys
import time

import numpy as np
import torch
from archive import TOP, trained

import losscape


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    net, x, y = trained([sys.executable, "-m", "losscape"], options.width, options.epochs)
    x, y = x[: options.images], y[: options.images]
    loss = torch.nn.CrossEntropyLoss()
    print(f"ResNet-18, width {options.width}: P = {sum(p.numel() for p in net.parameters())}, {len(x)} images")

    def row(name, work):
        begun = time.perf_counter()
        values, words = work()
        seconds = time.perf_counter() - begun
        print(f"{name:34} {seconds:7.1f} s  {'  '.join(f'{value:.4f}' for value in values)}  {words}", flush=True)

    def ours(precision):
        objective = losscape.Objective.from_torch(net, x, y, loss="cross-entropy", precision=precision)
        found = objective.hessian().eigenpairs(k=TOP)
        return found.values, f"± {found.error_bounds.max():.1e}, {found.products} products"

    def own_product(model, images):
        parameters = list(model.parameters())
        gradient = torch.autograd.grad(loss(model(images), y), parameters, create_graph=True)
        gradient = torch.cat([part.reshape(-1) for part in gradient])

        def product(v):
            found = torch.autograd.grad(gradient, parameters, v, retain_graph=True)
            return torch.cat([part.reshape(-1) for part in found])

        found = losscape.eigenpairs(product, len(gradient), TOP, like=gradient)
        return found.values, f"± {found.error_bounds.max():.1e}, {found.products} products"

    def curvlinops():
        import curvlinops
        from scipy.sparse.linalg import eigsh

        parameters = list(net.parameters())
        operator = curvlinops.HessianLinearOperator(net, loss, parameters, [(x, y)], check_deterministic=False)
        start = np.random.default_rng(0).standard_normal(operator.shape[1]).astype(np.float32)
        values = eigsh(operator.to_scipy(np.float32), TOP, which="LA", v0=start, tol=1e-4, return_eigenvectors=False)
        return values[::-1], "no bound"

    def eigenthings():
        import hessian_eigenthings as things

        forward = things.supervised_loss(torch.nn.functional.cross_entropy)
        found = things.lanczos(things.HessianOperator(net, [(x, y)], forward), k=TOP, tol=1e-4, which="LA", seed=0)
        return found.eigenvalues.tolist(), "no bound"

    row("losscape, from_torch", lambda: ours("f32"))
    row("losscape, PyTorch's own product", lambda: own_product(net, x))
    row("curvlinops and eigsh, tol 1e-4", curvlinops)
    row("hessian-eigenthings, tol 1e-4", eigenthings)
    row("losscape, from_torch, f64", lambda: ours("f64"))

    print("a product that does nothing, µs:")
    for dim, like in [(1_000, None), (1_000_000, None), (1_000_000, torch.zeros(0))]:
        calls, returns, there = [], [], []

        def product(v):
            calls.append(time.perf_counter())
            returns.append(time.perf_counter())
            return v

        def told(*_):
            there.append(time.perf_counter())

        losscape.trace(product, dim, products=100, method="hutchinson", like=like, check=False, progress=told)
        back = 1e6 * np.median(np.array(there) - np.array(returns))
        whole = 1e6 * np.median(np.diff(calls))
        kind = "float64 arrays" if like is None else "float32 tensors"
        print(f"  {dim:9} {kind:16} from its return until Rust has it {back:6.0f}, from call to call {whole:6.0f}")


if __name__ == "__main__":
    main()
