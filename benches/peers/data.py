"""Makes the data and weights that both sides read: python3 data.py FOLDER.

A folder for each case with weights.safetensors (tanh networks, PyTorch's names), data.npz and model.toml. Random
weights are normal with variance 1/fan-in, biases zero. Images are normal, 3×32×32, with normal targets. Training
steps have four batches of normal inputs with normal targets, or labels; kernels normal inputs. The digits are those
of scikit-learn, with 64-512-512-10 after 200 full-batch steps of gradient descent at rate 0.1 (0.5 diverges) on L =
1/(2n) Σ (F - Y)², Y one-hot. reference.json, written last, holds that network's loss and the trace of its Hessian, in
f64.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from common import sequential, write_weights
from compare import BATCH, IMAGES, KERNEL_OF_IMAGES, KERNELS, NAMED, STEPS
from sklearn.datasets import load_digits
from worker_torch import module


TABLES = {
    "resnet": 'name = "resnet"\nnorm = "batch"',
    "plain": 'name = "resnet"',
    "resnet18": 'name = "resnet"\ndepth = 18\nwidth = 64\nnorm = "batch"',
    "vit": 'name = "vit"\npatch = 4\nwidth = 64\ndepth = 2\nheads = 4',
}


def write(folder, weights, table, x, y, loss):
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / "weights.safetensors", weights)
    np.savez(folder / "data.npz", x=x, y=y)
    (folder / "model.toml").write_text(f'[model]\n{table}\n[loss]\nname = "{loss}"\n')


def write_layers(folder, layers, x, y, loss):
    convolutions = [f"{{ channels = {len(bias)}, pool = 2 }}" for w, bias in layers if w.ndim == 4]
    network = f'name = "cnn"\nlayers = [{", ".join(convolutions)}]' if convolutions else 'name = "mlp"'
    hidden = [len(bias) for w, bias in layers[:-1] if w.ndim == 2]
    write(folder, sequential(layers), f"{network}\nhidden = {hidden}", x, y, loss)


def named_weights(name):
    """Of a network by name; scales of norms stay one, all other vectors zero. Running statistics are those of one
    batch."""
    torch.manual_seed(0)
    net = module(name)
    with torch.no_grad():
        for key, parameter in net.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
            elif key.endswith("bias"):
                parameter.zero_()
        net.train()(torch.randn(64, 3, 32, 32))
    parameters = dict(net.named_parameters())
    running = {key: value for key, value in net.named_buffers() if "running" in key}
    return {key: value.detach().numpy() for key, value in (parameters | running).items()}


def random_layers(random, sizes):
    draw = lambda o, i: (random.standard_normal((o, i)) / np.sqrt(i)).astype(np.float32)
    return [(draw(o, i), np.zeros(o, np.float32)) for i, o in zip(sizes, sizes[1:])]


def random_convolutions(random, channels):
    draw = lambda o, i: (random.standard_normal((o, i, 3, 3)) / np.sqrt(9 * i)).astype(np.float32)
    return [(draw(o, i), np.zeros(o, np.float32)) for i, o in zip(channels, channels[1:])]


def digits():
    torch.manual_seed(0)
    data = load_digits()
    x, y = torch.tensor(data.data / 16, dtype=torch.float32), torch.eye(10)[data.target]
    linear, tanh = torch.nn.Linear, torch.nn.Tanh
    net = torch.nn.Sequential(linear(64, 512), tanh(), linear(512, 512), tanh(), linear(512, 10))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        (0.5 * ((net(x) - y) ** 2).sum() / len(x)).backward()
        optimizer.step()
    layers = [(net[at].weight.detach(), net[at].bias.detach()) for at in [0, 2, 4]]
    return layers, x, y, data.target


def reference(layers, x, y):
    """L and Tr H in f64.

    With a the inputs of a layer and S the Hessian of L by its outputs z (before tanh), its weights and bias add
    Σ (|a|² + 1) Tr S. S₃ = 1/n, S₂ = D₂ W₃ᵀ S₃ W₃ D₂ + diag(s₂) and S₁ = D₁ W₂ᵀ S₂ W₂ D₁ + diag(s₁), where
    D = diag tanh′(z) and s = tanh″(z) Wᵀ ∂L/∂z.
    """
    (w1, b1), (w2, b2), (w3, b3) = [(w.double(), b.double()) for w, b in layers]
    a, n = x.double(), len(x)
    h1 = (a @ w1.T + b1).tanh()
    h2 = (h1 @ w2.T + b2).tanh()
    error = h2 @ w3.T + b3 - y
    u3 = error / n
    d1, d2 = 1 - h1**2, 1 - h2**2
    s2 = -2 * h2 * d2 * (u3 @ w3)
    s1 = -2 * h1 * d1 * ((d2 * (u3 @ w3)) @ w2)
    third = y.shape[1] / n
    second = d2**2 @ (w3**2).sum(0) / n + s2.sum(1)
    first = sum((((d2 * row) @ w2 * d1) ** 2).sum(1) for row in w3) / n + (s2 @ w2**2 * d1**2 + s1).sum(1)
    trace = sum((((inputs**2).sum(1) + 1) * s).sum().item() for inputs, s in [(a, first), (h1, second), (h2, third)])
    return {"loss": 0.5 * (error**2).sum().item() / n, "trace": trace}


def main(folder):
    for inputs, width, outputs, batch in STEPS:
        random = np.random.default_rng(0)
        x = random.standard_normal((4 * batch, inputs)).astype(np.float32)
        if outputs == 1:
            y, loss = random.standard_normal(4 * batch).astype(np.float32), "squared-error"
        else:
            y, loss = random.integers(outputs, size=4 * batch), "cross-entropy"
        layers = random_layers(random, [inputs, width, width, outputs])
        write_layers(folder / f"step-{inputs}-{width}-{outputs}-{batch}", layers, x, y, loss)
    for n, outputs, width in KERNELS:
        random = np.random.default_rng(0)
        x = random.standard_normal((n, 64)).astype(np.float32)
        layers = random_layers(random, [64, width, width, outputs])
        # The kernel does not depend on targets.
        y = np.zeros((n, outputs), np.float32)
        write_layers(folder / f"kernel-{n}-{outputs}-{width}", layers, x, y, "squared-error")
    for n in sorted({*IMAGES, KERNEL_OF_IMAGES}):
        for name, samples in [(f"images-{n}", n), (f"step-images-{n}", 4 * n)]:
            random = np.random.default_rng(0)
            x = random.standard_normal((samples, 3, 32, 32)).astype(np.float32)
            y = random.standard_normal((samples, 10)).astype(np.float32)
            layers = random_convolutions(random, [3, 32, 32]) + random_layers(random, [2048, 128, 10])
            write_layers(folder / name, layers, x, y, "squared-error")
    cases = [(network, f"{network}-{BATCH}", BATCH) for network in NAMED]
    cases += [(network, f"step-{network}-{BATCH}", 4 * BATCH) for network in NAMED]
    for network, name, samples in [*cases, ("resnet18", f"resnet18-{IMAGES[1]}", IMAGES[1])]:
        random = np.random.default_rng(0)
        x = random.standard_normal((samples, 3, 32, 32)).astype(np.float32)
        y = random.standard_normal((samples, 10)).astype(np.float32)
        write(folder / name, named_weights(network), TABLES[network], x, y, "squared-error")
    layers, x, y, labels = digits()
    arrays = [(w.numpy(), b.numpy()) for w, b in layers]
    write_layers(folder / "digits", arrays, x.numpy(), labels.astype(np.int64), "squared-error")
    (folder / "reference.json").write_text(json.dumps(reference(layers, x, y)))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
