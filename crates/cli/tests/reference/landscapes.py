"""Six small trained networks, and what `losscape` should say of their landscapes by dense linear algebra, in float64.

python3 landscapes.py

Writes landscapes/NAME/{weights.safetensors, data.npz, model.toml, expected.json} beside itself; on one machine, a second run writes the same
bytes. Made with PyTorch 2.15.0, NumPy 2.4.6 and safetensors 0.8.0, on one thread, seed 20261123.

Parameters are one flat vector in the order of the state_dict (0.weight, 0.bias, 2.weight, ...), each tensor row by row. With the scale c = 1/n
("mean") or 1 ("sum"), never divided by the number of outputs C: L = c/2 Σ(F-Y)² or L = -c Σ log softmax(F)[label]. Lists of eigenvalues begin at
their extreme end. With J the nC x P Jacobian of the outputs: G = c Jᵀ ∇²ℓ J, K = c J Jᵀ, R = Σ uᵢ ∇²Fᵢ with u = ∂L/∂F, and H = G + R.
"""

import json
import os
import pathlib
from collections import OrderedDict

# Sums must not depend on how many threads share them: before NumPy and PyTorch are loaded.
for variable in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[variable] = "1"

import numpy as np
import safetensors.torch
import torch
from torch import nn
from torch.func import functional_call, hessian, jacrev

SEED = 20261123
HERE = pathlib.Path(__file__).parent / "landscapes"
ACTIVATIONS = {"tanh": nn.Tanh, "gelu": nn.GELU, "softplus": nn.Softplus, "silu": nn.SiLU, "relu": nn.ReLU}
EPS = np.finfo(np.float64).eps

# Name: activation, inputs, hidden, outputs, samples, prefix of the names, bias, loss, reduction, steps of Adam.
CASES = {
    "tanh": ("tanh", 5, [16], 3, 20, "", True, "squared-error", "mean", 300),
    "gelu": ("gelu", 4, [6, 4], 4, 40, "net.", True, "squared-error", "sum", 500),
    "softplus": ("softplus", 6, [8, 8, 8], 4, 16, "model.", True, "cross-entropy", "mean", 150),
    "silu": ("silu", 6, [12, 10], 3, 30, "", False, "cross-entropy", "sum", 200),
    "relu": ("relu", 8, [16, 12, 10, 8], 1, 40, "", True, "squared-error", "mean", 120),
    # Too many parameters to be written down without being asked.
    "wide": ("tanh", 10, [40, 40], 4, 40, "", True, "squared-error", "mean", 40),
}


def symmetric(a):
    """Symmetrized, after seeing that rounding alone made it otherwise."""
    a = np.asarray(a)
    assert np.abs(a - a.T).max() <= 1e-12 * max(1, np.abs(a).max())
    return (a + a.T) / 2


def ends(a):
    """The ten largest eigenvalues, descending, and the ten smallest, ascending."""
    values = np.linalg.eigvalsh(a)
    return values[::-1][:10].tolist(), values[:10].tolist()


def network(activation, sizes, bias, prefix):
    layers = []
    for i, o in zip(sizes, sizes[1:]):
        layers += [nn.Linear(i, o, bias), ACTIVATIONS[activation]()]
    net = nn.Sequential(*layers[:-1])
    for part in reversed(prefix.split(".")[:-1]):
        net = nn.Sequential(OrderedDict({part: net}))
    return net.double()


def data(inputs, outputs, samples, loss, random):
    """Targets of a random smooth rule with noise that a network must not wholly fit, so that R is not small beside G."""
    x = random.standard_normal((samples, inputs))
    clean = np.sin(x @ random.standard_normal((inputs, outputs)) + random.standard_normal(outputs))
    noisy = clean + 0.4 * random.standard_normal((samples, outputs))
    return x, noisy.argmax(1).astype(np.int64) if loss == "cross-entropy" else noisy


def references(net, x, y, loss, c):
    names, shapes = list(net.state_dict()), [p.shape for p in net.parameters()]
    assert names == [name for name, _ in net.named_parameters()]
    sizes = [shape.numel() for shape in shapes]
    w = torch.cat([p.detach().ravel() for p in net.parameters()])
    parts = lambda w: dict(zip(names, [p.view(s) for p, s in zip(w.split(sizes), shapes)]))
    outputs = lambda w: functional_call(net, parts(w), (x,))
    n, classes = outputs(w).shape
    squared = loss == "squared-error"
    target = y.view(n, classes) if squared else nn.functional.one_hot(y, classes).double()

    def each(f):
        """Unscaled losses of the samples."""
        return 0.5 * ((f - target) ** 2).sum(1) if squared else -(target * f.log_softmax(1)).sum(1)

    of_outputs = lambda f: c * each(f.view(n, classes)).sum()
    objective = lambda w: of_outputs(outputs(w))
    value, g, h = objective(w).item(), jacrev(objective)(w).numpy(), symmetric(hessian(objective)(w))
    f = outputs(w).detach().ravel()
    jacobian = jacrev(lambda w: outputs(w).ravel())(w).numpy()
    gauss_newton = symmetric(jacobian.T @ hessian(of_outputs)(f).numpy() @ jacobian)
    slopes = jacrev(of_outputs)(f)
    residual = symmetric(sum(u * hessian(lambda w: outputs(w).ravel()[i])(w) for i, u in enumerate(slopes)))
    assert np.abs(h - gauss_newton - residual).max() < 1e-10
    per_sample = jacrev(lambda w: each(outputs(w)))(w).numpy()
    assert np.abs(c * per_sample.sum(0) - g).max() < 1e-12 * max(1, np.abs(g).max())
    assert np.abs(jacobian.T @ slopes.numpy() - g).max() < 1e-12 * max(1, np.abs(g).max())

    kernel = symmetric(c * jacobian @ jacobian.T)
    spectrum = np.linalg.eigvalsh(kernel)
    size, least, greatest = n * classes, spectrum[0], spectrum[-1]
    floor = size * EPS * greatest
    definite = bool(least > floor)
    assert not ((floor / 10 < spectrum) & (spectrum < 10 * floor)).any(), "the rank must not depend on rounding"
    flat = target.numpy().ravel()
    (top, bottom), (residual_top, residual_bottom) = ends(h), ends(residual)
    fisher = symmetric(c * per_sample.T @ per_sample)
    ratio, mu, curvature = g @ g / (2 * value), least if definite else 0.0, g @ h @ g
    assert not squared or ratio > mu

    starts = np.cumsum([0, *sizes])
    blocks = {name: np.linalg.eigvalsh(h[i:j, i:j]) for name, i, j in zip(names, starts, starts[1:])}
    state = {name: p.detach().numpy() for name, p in net.state_dict().items()}
    matrices = [p for p in state.values() if p.ndim == 2]
    signal = np.ones(x.shape[1])
    for name, p in state.items():
        signal = p**2 @ signal if p.ndim == 2 else signal + p**2
    return {
        "made_by": {"program": "landscapes.py", "torch": torch.__version__.split("+")[0], "numpy": np.__version__, "seed": SEED},
        "samples": n,
        "outputs": classes,
        "parameters": len(w),
        "loss": {"value": value},
        "gradient_norm": np.linalg.norm(g),
        "hessian": {"top": top, "bottom": bottom, "trace": np.trace(h), "frobenius": np.linalg.norm(h)},
        "gauss_newton": {"top": ends(gauss_newton)[0], "trace": np.trace(gauss_newton)},
        "residual": {"top": residual_top, "bottom": residual_bottom},
        "ntk": {
            "size": size,
            "min": least,
            "max": greatest,
            "trace": np.trace(kernel),
            "rank": int((spectrum > floor).sum()),
            "floor": floor,
            "condition": greatest / least if definite else None,
        },
        "alignment": flat @ kernel @ flat / (np.linalg.norm(kernel) * (flat @ flat)),
        "pl_star": {
            "ratio": ratio,
            "mu": mu,
            "slack": ratio - mu,
            "beta": top[0],
            "radius": 2 * np.sqrt(2 * top[0] * value) / mu if definite else None,
        }
        if squared
        else None,
        "bounds": {"two_over_beta": 2 / top[0], "cauchy": 2 * (g @ g) / curvature if curvature > 0 else None},
        "fisher": {"top": ends(fisher)[0], "trace": np.trace(fisher)},
        "blocks": {name: {"top": values[-1], "bottom": values[0]} for name, values in blocks.items()},
        "norms": {
            "l2": w.norm().item(),
            "path": np.sqrt(signal.sum()),
            "spectral": np.prod([np.linalg.norm(p, 2) for p in matrices]),
            "frobenius_product": np.prod([np.linalg.norm(p) for p in matrices]),
            "distance": None,
            "fisher_rao": w.numpy() @ gauss_newton @ w.numpy(),
        },
    }


def main():
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    for k, (name, case) in enumerate(CASES.items()):
        activation, inputs, hidden, classes, samples, prefix, bias, loss, reduction, steps = case
        torch.manual_seed(SEED + k)
        x, y = (torch.tensor(a) for a in data(inputs, classes, samples, loss, np.random.default_rng([SEED, k])))
        net, c = network(activation, [inputs, *hidden, classes], bias, prefix), 1 / samples if reduction == "mean" else 1.0

        def objective():
            return c * (0.5 * ((net(x) - y) ** 2).sum() if loss == "squared-error" else nn.functional.cross_entropy(net(x), y, reduction="sum"))

        adam = torch.optim.Adam(net.parameters(), lr=0.003)
        for _ in range(steps):
            adam.zero_grad()
            objective().backward()
            adam.step()

        expected = references(net, x, y, loss, c)
        assert abs(objective().item() - expected["loss"]["value"]) < 1e-14 * max(1, objective().item())
        # A reader whose softplus has no threshold, or whose relu has its kink a rounding away, must find the same.
        layers = [module for module in net.modules() if isinstance(module, ACTIVATIONS[activation])]
        inputs_seen = []
        for layer in layers:
            layer.register_forward_hook(lambda _, inputs, __: inputs_seen.append(inputs[0]))
        net(x)
        assert len(inputs_seen) == len(hidden) and all(z.max() < 20 for z in inputs_seen)
        assert activation != "relu" or all(z.abs().min() > 1e-5 for z in inputs_seen)

        folder = HERE / name
        folder.mkdir(parents=True, exist_ok=True)
        safetensors.torch.save_file(net.state_dict(), folder / "weights.safetensors")
        (folder / "weights.safetensors").chmod(0o644)
        np.savez(folder / "data.npz", x=x.numpy(), y=y.numpy()[:, 0] if loss == "squared-error" and classes == 1 else y.numpy())
        bias_line = "" if bias else "bias = false\n"
        (folder / "model.toml").write_text(
            f'[model]\nname = "mlp"\nhidden = {hidden}\nactivation = "{activation}"\n{bias_line}'
            f'\n[loss]\nname = "{loss}"\nreduction = "{reduction}"\n'
        )
        (folder / "expected.json").write_text(json.dumps(expected, indent=1, allow_nan=False) + "\n")
        ntk = expected["ntk"]
        print(f"{name:9} P {expected['parameters']:4}  n {samples}  C {classes}  rank {ntk['rank']} of {ntk['size']}  ", end="")
        print(f"loss {expected['loss']['value']:.3g}  |g| {expected['gradient_norm']:.2g}  H {expected['hessian']['bottom'][0]:.3g}"
              f" to {expected['hessian']['top'][0]:.3g}  R {expected['residual']['bottom'][0]:.3g} to {expected['residual']['top'][0]:.3g}"
              f"  K {ntk['min']:.2g} to {ntk['max']:.3g}  floor {ntk['floor']:.1g}")


main()
