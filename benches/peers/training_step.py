"""The steps of ../training_step.rs in PyTorch, eager, on the CPU: medians in microseconds.

python3 training_step.py [threads]
"""

import statistics
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
torch.manual_seed(0)

for inputs, width, outputs, batch in [(8, 16, 1, 32), (64, 64, 10, 64), (64, 512, 10, 128), (64, 2048, 10, 256)]:
    x = torch.randn(4 * batch, inputs)
    y = torch.randn(4 * batch, 1) if outputs == 1 else torch.randint(outputs, (4 * batch,))
    net = torch.nn.Sequential(
        torch.nn.Linear(inputs, width), torch.nn.Tanh(), torch.nn.Linear(width, width), torch.nn.Tanh(), torch.nn.Linear(width, outputs)
    )
    loss = torch.nn.MSELoss() if outputs == 1 else torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)

    def step(k):
        at = (k % 4) * batch
        optimizer.zero_grad()
        value = loss(net(x[at : at + batch]), y[at : at + batch])
        value.backward()
        optimizer.step()
        return value.item()

    for k in range(30):
        step(k)
    times, end = [], time.perf_counter() + 3
    while time.perf_counter() < end:
        start = time.perf_counter()
        step(len(times))
        times.append(time.perf_counter() - start)
    name = f"{inputs}-{width}-{width}-{outputs}, batch {batch}"
    print(f"{name:30} {1e6 * statistics.median(times):10.1f} µs   ({len(times)} steps)")
