"""Opens a run's model.safetensors in PyTorch and compares loss and accuracy with the run's summary.

losscape data export digits --out digits.npz
python3 tests/checks/pytorch_weights.py RUN digits.npz tanh
"""

import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import load_file

run, data, activation = pathlib.Path(sys.argv[1]), np.load(sys.argv[2]), sys.argv[3]
state = load_file(run / "model.safetensors")
sigma = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "gelu": torch.nn.GELU, "silu": torch.nn.SiLU}[activation]
layers = []
for at in range(0, len(state), 2):
    out, inputs = state[f"{at}.weight"].shape
    layers += [torch.nn.Linear(inputs, out), sigma()]
net = torch.nn.Sequential(*layers[:-1])
net.load_state_dict(state)
summary = json.loads((run / "summary.json").read_text())
for part, suffix in [("train", ""), ("test", "_test")]:
    x = torch.tensor(data["x" + suffix], dtype=torch.float32)
    y = torch.tensor(data["y" + suffix])
    outputs = net(x)
    loss = torch.nn.functional.cross_entropy(outputs, y).item()
    accuracy = (outputs.argmax(1) == y).double().mean().item()
    print(f"{part}: loss {loss:.8f}, run {summary[part + '_loss']:.8f}; accuracy {accuracy:.6f}, run {summary[part + '_accuracy']:.6f}")
    assert abs(loss - summary[part + "_loss"]) < 1e-6 and accuracy == summary[part + "_accuracy"]
