"""Small networks of images and tokens in PyTorch, with what their loss does at random weights, in float64.

python3 networks.py

Writes networks/NAME/{weights.safetensors, data.npz, model.toml, expected.json} beside itself. Made with PyTorch 2.15.0,
NumPy 2.4.6 and safetensors 0.8.0, on one thread. Data are 6 samples; the loss is a mean over them and, for tokens with a
label each, over positions; for squared error with ½ and without a division by the number of outputs. Vectors of
parameters have the order of our networks; of each stand there its norm, its product with v (v_i = cos i), and every
so many entries. The kernel is J Jᵀ/n of all outputs. Networks with batch norm are there in evaluation (random running
statistics) and, under "batch", in training mode.
"""

import json
import pathlib

import numpy as np
import safetensors.torch
import torch
from modules import ResNet, Sequence, Transformer, Vgg, Vit
from torch import nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
HERE = pathlib.Path(__file__).parent / "networks"
SAMPLES, CLASSES = 6, 4
VOCABULARY, LENGTH = 5, 7


def group(groups):
    return lambda channels: nn.GroupNorm(groups, channels)


def networks():
    """Name: network, shape of a sample, [model] table, loss."""
    conv = nn.Conv2d
    cnn = nn.Sequential(
        conv(3, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.GELU(), nn.AvgPool2d(2),
        conv(4, 6, 3, 2, 1), nn.GroupNorm(2, 6), nn.GELU(),
        nn.Flatten(), nn.Linear(24, 7), nn.GELU(), nn.Linear(7, CLASSES),
    )  # fmt: skip
    table = """name = "cnn"
layers = [{ channels = 4, pool = 2 }, { channels = 6, stride = 2 }]
hidden = [7]
activation = "gelu"
norm = { group = { groups = 2 } }"""
    yield "cnn", cnn, (3, 8, 8), table, "squared-error"
    maxima = nn.Sequential(
        conv(1, 3, 5), nn.Softplus(), nn.MaxPool2d(2), conv(3, 5, 2, padding=1), nn.Softplus(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, CLASSES),
    )  # fmt: skip
    table = """name = "cnn"
layers = [{ channels = 3, kernel = 5, padding = 0, pool = 2 }, { channels = 5, kernel = 2, padding = 1 }]
activation = "softplus"
pooling = "max"
head = "average\""""
    yield "cnn-maxima", maxima, (1, 10, 8), table, "cross-entropy"
    norms = [("group", group(2), "norm = { group = { groups = 2 } }"), ("fixup", None, "")]
    for name, norm, words in norms:
        table = f'name = "resnet"\ndepth = 8\nwidth = 2\nactivation = "tanh"\n{words}'
        yield f"resnet-{name}", ResNet(3, 2, [1, 1, 1], norm, nn.Tanh(), CLASSES), (3, 7, 6), table, "cross-entropy"
    table = 'name = "resnet"\ndepth = 18\nwidth = 2\nactivation = "silu"\nnorm = { group = { groups = 1 } }'
    yield "resnet-18", ResNet(1, 2, [2, 2, 2, 2], group(1), nn.SiLU(), CLASSES), (1, 9, 8), table, "squared-error"
    batch = nn.BatchNorm2d
    normed = nn.Sequential(
        conv(2, 3, 3, padding=1), batch(3), nn.Tanh(), nn.AvgPool2d(2), conv(3, 4, 3, padding=1), batch(4), nn.Tanh(),
        nn.Flatten(), nn.Linear(36, CLASSES),
    )  # fmt: skip
    table = 'name = "cnn"\nlayers = [{ channels = 3, pool = 2 }, { channels = 4 }]\nnorm = "batch"'
    yield "cnn-batch", normed, (2, 6, 6), table, "squared-error"
    table = 'name = "resnet"\ndepth = 8\nwidth = 2\nactivation = "tanh"\nnorm = "batch"'
    yield "resnet-batch", ResNet(3, 2, [1, 1, 1], batch, nn.Tanh(), CLASSES), (3, 7, 6), table, "cross-entropy"
    for name, depth, convolutions, norm, function, pool in [
        ("vgg", 11, [1, 1, 2, 2, 2], None, "gelu", "average"),
        ("vgg-batch", 13, [2, 2, 2, 2, 2], batch, "relu", "max"),
    ]:
        modules = {"gelu": nn.GELU(), "relu": nn.ReLU(), "average": nn.AvgPool2d(2), "max": nn.MaxPool2d(2)}
        words = 'norm = "batch"' if norm else ""
        table = f'name = "vgg"\ndepth = {depth}\nwidth = 1\nactivation = "{function}"\npooling = "{pool}"\n{words}'
        vgg = Vgg(1, 1, convolutions, norm, modules[function], modules[pool], CLASSES)
        yield name, vgg, (1, 32, 32), table, "cross-entropy"
    table = 'name = "vit"\npatch = 3\nwidth = 4\ndepth = 2\nheads = 2'
    yield "vit", Vit(2, 4, 3, 2, 4, 2, CLASSES), (2, 6, 6), table, "cross-entropy"
    for name, positions, causal in [("classifier", 1, False), ("causal", 3, True), ("each", 2, False)]:
        words = "causal = true" if causal else ""
        table = f'name = "transformer"\nwidth = 4\ndepth = 2\nheads = 2\n{words}'
        transformer = Transformer(VOCABULARY, LENGTH, 4, 2, 2, positions, causal, CLASSES)
        yield f"transformer-{name}", transformer, (LENGTH, positions), table, "cross-entropy"
    table = 'name = "lstm"\nwidth = 3\ndepth = 2'
    yield "lstm", Sequence(VOCABULARY, 3, 2, 1, CLASSES), (LENGTH, 1), table, "squared-error"
    yield "lstm-each", Sequence(VOCABULARY, 3, 2, 3, CLASSES), (LENGTH, 3), table, "cross-entropy"


def summary(vector):
    v = torch.cos(torch.arange(len(vector), dtype=torch.float64))
    step = max(1, len(vector) // 48)
    entries = vector[::step].tolist()
    return {"norm": vector.norm().item(), "along": (vector @ v).item(), "step": step, "entries": entries}


def ordered(net):
    """Parameters in the order of our networks: PyTorch's, but for the layers of an encoder, whose norms come first."""
    parts = ["norm1", "self_attn", "norm2", "linear1", "linear2"]
    found = {}
    for name, parameter in net.named_parameters():
        layer = name.split(".")[:3]
        if isinstance(net, Transformer) and layer[:2] == ["encoder", "layers"]:
            own = ".".join(layer)
            for part in parts:
                found |= {key: value for key, value in net.named_parameters() if key.startswith(f"{own}.{part}.")}
        found.setdefault(name, parameter)
    return found


def measured(net, x, loss):
    """Loss, outputs and their derivatives at the parameters of a network."""
    named = ordered(net)
    # A function of the parameters alone: running statistics are moved, and put back.
    buffers = {key: value.clone() for key, value in net.named_buffers()}
    parameters = list(named.values())
    f = functional_call(net, {**named, **{key: value.clone() for key, value in buffers.items()}}, (x,))
    value = loss(f)
    flat = lambda parts: torch.cat([part.reshape(-1) for part in parts])
    gradient = torch.autograd.grad(value, parameters, create_graph=True)
    v = torch.cos(torch.arange(sum(p.numel() for p in parameters), dtype=torch.float64))
    product = flat(torch.autograd.grad(flat(gradient) @ v, parameters, retain_graph=True)).detach()
    outputs = f.numel()
    rows = []
    for output in range(outputs):
        parts = torch.autograd.grad(f.reshape(-1)[output], parameters, retain_graph=True, allow_unused=True)
        rows.append(flat([torch.zeros_like(p) if g is None else g for p, g in zip(parameters, parts)]))
    rows = torch.stack(rows)
    kernel = rows @ rows.T / (SAMPLES * POSITIONS)
    return {
        "loss": value.item(),
        "outputs": f.detach().reshape(-1).tolist(),
        "gradient": summary(flat(gradient).detach()),
        "product": summary(product),
        "kernel": kernel.reshape(-1).tolist(),
    }


def main():
    global POSITIONS
    for name, net, shape, table, loss_name in networks():
        torch.manual_seed(20261129)
        tokens = len(shape) == 2
        POSITIONS = shape[1] if tokens else 1
        with torch.no_grad():
            for parameter in net.parameters():
                size = parameter[0].numel() if parameter.ndim > 1 else 4
                shift = 1.0 if parameter.ndim == 1 else 0.0
                parameter.copy_(torch.randn_like(parameter) / size**0.5 + 0.3 * shift)
            for key, buffer in net.named_buffers():
                if key.endswith("running_mean"):
                    buffer.copy_(0.3 * torch.randn_like(buffer))
                if key.endswith("running_var"):
                    buffer.copy_(0.5 + torch.rand_like(buffer))
        if tokens:
            x = torch.randint(VOCABULARY, (SAMPLES, shape[0]))
            labels = torch.arange(SAMPLES * POSITIONS) % CLASSES
        else:
            x, labels = torch.randn(SAMPLES, *shape), torch.arange(SAMPLES) % CLASSES
        numbers = torch.randn(SAMPLES, CLASSES)
        squared = loss_name == "squared-error"
        y = numbers if squared else labels

        def loss(f):
            if squared:
                return 0.5 * ((f - y) ** 2).sum() / SAMPLES
            return nn.functional.cross_entropy(f.reshape(-1, CLASSES), y)

        batch_norm = any(key.endswith("running_mean") for key in net.state_dict())
        net.eval()
        expected = {"parameters": sum(p.numel() for p in net.parameters()), "evaluation": measured(net, x, loss)}
        if batch_norm:
            net.train()
            expected["batch"] = measured(net, x, loss)
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        weights = {key: value.contiguous() for key, value in net.state_dict().items()}
        safetensors.torch.save_file(weights, folder / "weights.safetensors")
        y = y.reshape(SAMPLES, POSITIONS) if POSITIONS > 1 else y
        np.savez(folder / "data.npz", x=x.numpy(), y=y.numpy())
        (folder / "model.toml").write_text(f'[model]\n{table}\n[loss]\nname = "{loss_name}"\n')
        (folder / "expected.json").write_text(json.dumps(expected) + "\n")
        print(name, expected["parameters"], expected["evaluation"]["loss"])


if __name__ == "__main__":
    # The other kernels of attention have no second derivative.
    with sdpa_kernel(SDPBackend.MATH):
        main()
