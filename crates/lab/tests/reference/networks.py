"""Small networks of images in PyTorch, with what their loss does at random weights, in float64.

python3 networks.py

Writes networks/NAME/{weights.safetensors, data.npz, model.toml, expected.json} beside itself. Made with PyTorch 2.15.0,
NumPy 2.4.6 and safetensors 0.8.0, on one thread. Data are 6 samples; the loss is a mean over them, for squared error
with ½ and without a division by the number of outputs. Vectors of parameters have the order of the state_dict; of each stand
there its norm, its product with v (v_i = cos i), and every so many entries. The kernel is J Jᵀ/n of all outputs.
"""

import json
import pathlib

import numpy as np
import safetensors.torch
import torch
from torch import nn
from torch.func import functional_call, jacrev

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
HERE = pathlib.Path(__file__).parent / "networks"
SAMPLES, CLASSES = 6, 4


class Block(nn.Module):
    """torchvision's BasicBlock with any norm and function."""

    def __init__(self, inputs, outputs, stride, norm, function):
        super().__init__()
        bias = norm is None
        norm = norm or (lambda _: nn.Identity())
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=bias)
        self.bn1 = norm(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=bias)
        self.bn2 = norm(outputs)
        self.function = function
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=bias), norm(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(self.function(self.bn1(self.conv1(x)))))
        return self.function(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class ResNet(nn.Module):
    """torchvision's ResNet with a first layer for small images."""

    def __init__(self, channels, width, stages, norm, function):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=norm is None)
        self.bn1 = norm(width) if norm else nn.Identity()
        self.function, self.stages, inputs = function, len(stages), width
        for stage, blocks in enumerate(stages):
            outputs, layers = width << stage, []
            for block in range(blocks):
                layers.append(Block(inputs, outputs, 2 if stage and not block else 1, norm, function))
                inputs = outputs
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, CLASSES)

    def forward(self, x):
        x = self.function(self.bn1(self.conv1(x)))
        for stage in range(self.stages):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(x.mean((2, 3)))


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
        yield f"resnet-{name}", ResNet(3, 2, [1, 1, 1], norm, nn.Tanh()), (3, 7, 6), table, "cross-entropy"
    table = 'name = "resnet"\ndepth = 18\nwidth = 2\nactivation = "silu"\nnorm = { group = { groups = 1 } }'
    yield "resnet-18", ResNet(1, 2, [2, 2, 2, 2], group(1), nn.SiLU()), (1, 9, 8), table, "squared-error"


def summary(vector):
    v = torch.cos(torch.arange(len(vector), dtype=torch.float64))
    step = max(1, len(vector) // 48)
    entries = vector[::step].tolist()
    return {"norm": vector.norm().item(), "along": (vector @ v).item(), "step": step, "entries": entries}


def main():
    for name, net, shape, table, loss_name in networks():
        torch.manual_seed(20261129)
        with torch.no_grad():
            for parameter in net.parameters():
                size = parameter[0].numel() if parameter.ndim > 1 else 4
                shift = 1.0 if parameter.ndim == 1 else 0.0
                parameter.copy_(torch.randn_like(parameter) / size**0.5 + 0.3 * shift)
        x, labels = torch.randn(SAMPLES, *shape), torch.arange(SAMPLES) % CLASSES
        numbers = torch.randn(SAMPLES, CLASSES)
        squared = loss_name == "squared-error"
        y = numbers if squared else labels

        def loss(f):
            return 0.5 * ((f - y) ** 2).sum() / SAMPLES if squared else nn.functional.cross_entropy(f, y)

        names = [key for key, _ in net.named_parameters()]
        assert names == list(net.state_dict())
        parameters = list(net.parameters())
        f = net(x)
        value = loss(f)
        flat = lambda parts: torch.cat([part.reshape(-1) for part in parts])
        gradient = torch.autograd.grad(value, parameters, create_graph=True)
        v = torch.cos(torch.arange(sum(p.numel() for p in parameters), dtype=torch.float64))
        product = flat(torch.autograd.grad(flat(gradient) @ v, parameters)).detach()
        jacobian = jacrev(lambda own: functional_call(net, own, (x,)))(dict(net.named_parameters()))
        rows = torch.cat([jacobian[key].detach().reshape(SAMPLES * CLASSES, -1) for key in names], 1)
        kernel = rows @ rows.T / SAMPLES
        expected = {
            "parameters": len(v),
            "loss": value.item(),
            "outputs": f.detach().reshape(-1).tolist(),
            "gradient": summary(flat(gradient).detach()),
            "product": summary(product),
            "kernel": kernel.reshape(-1).tolist(),
        }
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        weights = {key: value.contiguous() for key, value in net.state_dict().items()}
        safetensors.torch.save_file(weights, folder / "weights.safetensors")
        np.savez(folder / "data.npz", x=x.numpy(), y=y.numpy())
        (folder / "model.toml").write_text(f'[model]\n{table}\n[loss]\nname = "{loss_name}"\n')
        (folder / "expected.json").write_text(json.dumps(expected) + "\n")
        print(name, len(v), value.item())


if __name__ == "__main__":
    main()
