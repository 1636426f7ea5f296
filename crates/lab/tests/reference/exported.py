"""Networks trained by PyTorch for 50 steps, from archives: what tests/exported.rs compares with.

    python exported.py FOLDER

Writes net.pt2 (f32), dropout.pt2, data.npz with x and y, and for each method and precision METHOD-PRECISION.safetensors with the
state after 50 steps of all 64 samples. Needs torch, numpy and safetensors.
"""

import sys
import warnings

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import save_file

warnings.filterwarnings("ignore")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        # Without bias: below batch norm its gradient is rounding alone, which Adam makes steps of.
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(6, momentum=0.3)
        self.head = nn.Linear(6, 3)
        self.register_buffer("scale", torch.tensor([2.0]))

    def forward(self, x):
        x = torch.tanh(self.bn1(self.conv1(x)))
        x = F.silu(self.bn2(self.conv2(x)))
        return self.head(x.mean((2, 3)) * self.scale)


def gradient(net, x, y):
    net.zero_grad()
    F.cross_entropy(net(x), y).backward()


def step(method, net, optimizer, x, y):
    gradient(net, x, y)
    if method == "sam":  # Foret et al. 2021, algorithm 1; running statistics are moved once, by the first forward
        norm = torch.sqrt(sum((p.grad**2).sum() for p in net.parameters()))
        moves = [0.05 * p.grad / norm for p in net.parameters()]
        with torch.no_grad():
            [p.add_(m) for p, m in zip(net.parameters(), moves)]
        kept = {k: b.clone() for k, b in net.named_buffers()}
        gradient(net, x, y)
        with torch.no_grad():
            [b.copy_(kept[k]) for k, b in net.named_buffers()]
            [p.sub_(m) for p, m in zip(net.parameters(), moves)]
    optimizer.step()


def main():
    folder = sys.argv[1]
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = Net()
    x = torch.randn(64, 1, 6, 6)
    y = torch.randint(0, 3, (64,))
    np.savez(f"{folder}/data.npz", x=x.numpy(), y=y.numpy())
    exported = torch.export.export(net, (x[:4],), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    torch.export.save(exported, f"{folder}/net.pt2")
    dropping = nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))
    exported = torch.export.export(dropping, (x[:4],), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    torch.export.save(exported, f"{folder}/dropout.pt2")
    state = {k: t.clone() for k, t in net.state_dict().items()}
    for precision, dtype in (("f32", torch.float32), ("f64", torch.float64)):
        for method in ("momentum", "sam", "adam"):
            net = Net()
            net.load_state_dict(state)
            net.to(dtype).train()
            if method == "adam":
                optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
            else:
                optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9 if method == "momentum" else 0.0)
            for _ in range(50):
                step(method, net, optimizer, x.to(dtype), y)
            kept = {k: t for k, t in net.state_dict().items() if t.is_floating_point()}
            save_file(kept, f"{folder}/{method}-{precision}.safetensors")


if __name__ == "__main__":
    main()
