"""Networks that are refused, and why: what `damaged.rs` reads.

    python reference/refused.py archives/refused        # from crates/exchange/tests

Each would have another value or another derivative here than in PyTorch if it were read as it looks.
"""

import sys
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")


class Net(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.layer = nn.Linear(4, 6)
        self.function = function

    def forward(self, x):
        return self.function(self, self.layer(x))


class Stopped(Net):
    def forward(self, x):
        with torch.no_grad():
            h = self.layer(x).tanh()
        return self.layer(x) * h


class Counting(Net):
    def __init__(self):
        super().__init__(None)
        self.register_buffer("step", torch.tensor(1))

    def forward(self, x):
        y = self.layer(x) * self.step
        self.step.add_(1)
        return y


class Averaging(Net):
    def __init__(self):
        super().__init__(None)
        self.register_buffer("mean", torch.zeros(6))

    def forward(self, x):
        y = self.layer(x)
        self.mean.mul_(0.9).add_(y.detach().mean(0))
        return y - self.mean


class Shared(Net):
    """One memory under two names, of which one is trained."""

    def __init__(self, of):
        super().__init__(None)
        self.other = of(self.layer.weight)

    def forward(self, x):
        return self.layer(x) + F.linear(x, self.other.reshape(6, 4))


class Padded(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 4, padding_idx=0)

    def forward(self, tokens):
        return self.table(tokens).mean(1) @ self.table.weight.T


class Frequent(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(5, 4, scale_grad_by_freq=True)

    def forward(self, tokens):
        return self.table(tokens).mean(1)


class Wrong(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 2, 3)

    def forward(self, x):
        return F.interpolate(self.layer(x), scale_factor=3.04, mode="nearest").mean((2, 3))


def networks():
    rows, image = (torch.randn(4, 4),), (torch.randn(4, 1, 12, 12),)
    tokens = (torch.randint(0, 5, (4, 3)),)
    last = {0: torch.export.Dim.DYNAMIC}
    of = lambda function: Net(function)
    yield "detach", of(lambda s, x: x * x.detach()), rows, last, False
    yield "detach-decomposed", of(lambda s, x: x * x.detach()), rows, last, True
    yield "no-grad", Stopped(None), rows, last, False
    yield "counter", Counting(), rows, last, False
    yield "moving-average", Averaging(), rows, last, False
    yield "frozen-view", Shared(lambda w: nn.Parameter(w.data, requires_grad=False)), rows, last, False
    yield "transposed-view", Shared(lambda w: nn.Parameter(w.data.t())), rows, last, False
    yield "padding-tied", Padded(), tokens, last, False
    yield "frequent", Frequent(), tokens, last, False
    yield "stable", of(lambda s, x: x.gather(1, torch.sort(x.relu(), stable=True, dim=1)[1])), rows, last, False
    yield "chosen-by-weights", of(lambda s, x: x[:, (s.layer.weight[0, :3] * 2).long()]), rows, last, False
    yield "interpolation", Wrong(), image, last, False
    yield "floor-division", of(lambda s, x: x // 0.1), rows, last, False
    yield "small-integers", of(lambda s, x: x * ((x > 0).to(torch.uint8) - 1)), rows, last, False
    yield "alpha-dropout", nn.Sequential(nn.Linear(4, 6), nn.AlphaDropout(0.5)), rows, last, False
    yield "random", of(lambda s, x: x + torch.rand_like(x)), rows, last, False
    yield "condition", of(lambda s, x: torch.cond(x.sum() > 0, lambda x: x * 2, lambda x: x - 1, (x,))), rows, last, False
    yield "squeezed-samples", of(lambda s, x: x.unsqueeze(1).squeeze().reshape(-1, 6)[:, :3].unsqueeze(1).squeeze()), rows, last, False
    yield "two-outputs", of(lambda s, x: (x, x.square())), rows, last, False
    yield "four-samples", of(lambda s, x: x), rows, None, False


def main():
    torch.manual_seed(0)
    for name, network, inputs, first, decompose in networks():
        shapes = None if first is None else ({**first},)
        exported = torch.export.export(network, inputs, dynamic_shapes=shapes)
        if decompose:
            exported = exported.run_decompositions()
        for node in exported.graph.nodes:
            for key in ("stack_trace", "torch_fn", "source_fn_stack", "from_node"):
                node.meta.pop(key, None)  # the paths of this machine, and most of the bytes
        torch.export.save(exported, f"{sys.argv[1]}/{name}.pt2")
        print(name, flush=True)


if __name__ == "__main__":
    main()
