"""A network from PyTorch, measured by the tool from its archive and by PyTorch's own tools, one after another.

python3 benches/peers/archive.py [--images 256] [--width 16] [--epochs 5] [--tool target/release/losscape]

Needs torch, numpy, scipy, curvlinops-for-pytorch and pyhessian, as compare.py installs them. A ResNet-18 with batch
norm is trained for some epochs on Fashion-MNIST (the images that are shipped), exported in evaluation mode, and
measured with the mean cross-entropy of the first images: the five largest eigenvalues of the Hessian (ours with the
five smallest, the trace and the density, as the tool has them), its trace by 30 products and its standard error, and
the tangent kernel of all outputs, its largest eigenvalue and its trace. Each work is a process of its own on two
threads, from start to end, in f32 but for the last row, which is the reference of the others: the five eigenvalues in
f64 by SciPy's eigsh to 1e-9, through PyTorch's double backward. Printed are values, seconds and the largest resident
set.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "crates/lab/tests/reference"))
TOP, CHUNK = 5, 32
WORKS = ["curvlinops", "curvlinops trace", "pyhessian", "pyhessian trace", "torch.func kernel", "eigsh in f64"]


def problem(folder, double=False):
    import numpy as np
    import torch
    from modules import ResNet

    torch.set_num_threads(2)
    data, kept = np.load(folder / "data.npz"), torch.load(folder / "net.pt")
    net = ResNet(1, kept["conv1.weight"].shape[0], [2, 2, 2, 2], torch.nn.BatchNorm2d, torch.nn.ReLU(), 10)
    net.load_state_dict(kept)
    x, y = torch.tensor(data["x"]), torch.tensor(data["y"])
    return (net.double(), x.double(), y) if double else (net, x, y)


def trained(command, width, epochs):
    """A network after some epochs, and the images and labels that are shipped, by the command as a list of words."""
    import numpy as np
    import torch
    from modules import ResNet

    torch.manual_seed(0)
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as place:
        file = pathlib.Path(place) / "all.npz"
        export = ["data", "export", "fashion-mnist", "--out", str(file)]
        subprocess.run([*command, *export], check=True, stderr=subprocess.DEVNULL)
        data = np.load(file)
        x = torch.tensor(data["x"], dtype=torch.float32).reshape(-1, 1, 28, 28)
        y = torch.tensor(data["y"])
    net = ResNet(1, width, [2, 2, 2, 2], torch.nn.BatchNorm2d, torch.nn.ReLU(), 10)
    optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
    return net.eval(), x, y


def make(folder, tool, images, width, epochs):
    """net.pt2, net.pt with the same weights, and data.npz."""
    import numpy as np
    import torch

    net, x, y = trained([tool], width, epochs)
    x, y = x[:images], y[:images]
    exported = torch.export.export(net, (x[:4],), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    torch.export.save(exported, folder / "net.pt2")
    torch.save(net.state_dict(), folder / "net.pt")
    np.savez(folder / "data.npz", x=x.numpy(), y=y.numpy())


def work(name, folder):
    """The values of one work."""
    import numpy as np
    import torch

    torch.manual_seed(0)
    net, x, y = problem(folder, name == "eigsh in f64")
    net.eval()
    loss = torch.nn.CrossEntropyLoss()
    if name.startswith("pyhessian"):
        from pyhessian import hessian

        operator = hessian(net, loss, data=(x, y), cuda=False)
        if name == "pyhessian":
            return operator.eigenvalues(top_n=TOP)[0]
        estimates = np.array(operator.trace(maxIter=30, tol=-np.inf))
        return [estimates.mean(), estimates.std(ddof=1) / len(estimates) ** 0.5]
    if name.startswith("curvlinops"):
        import curvlinops
        from scipy.sparse.linalg import eigsh

        parameters = list(net.parameters())
        operator = curvlinops.HessianLinearOperator(net, loss, parameters, [(x, y)], check_deterministic=False)
        if name == "curvlinops":
            start = np.random.default_rng(0).standard_normal(operator.shape[1]).astype(np.float32)
            return eigsh(operator.to_scipy(np.float32), TOP, which="LA", v0=start, tol=1e-3, return_eigenvectors=False)
        return [curvlinops.hutchpp_trace(operator, 30).item()]
    if name == "torch.func kernel":
        from torch.func import functional_call, jacrev, vmap

        parameters = {key: value.detach() for key, value in net.named_parameters()}
        buffers = dict(net.named_buffers())
        of_one = lambda p, x: functional_call(net, (p, buffers), (x[None],))[0]
        rows = []
        for part in x.split(CHUNK):
            jacobian = vmap(jacrev(of_one), (None, 0))(parameters, part)
            rows.append(torch.cat([entry.flatten(2) for entry in jacobian.values()], 2).flatten(0, 1))
        rows = torch.cat(rows)
        values = torch.linalg.eigvalsh((rows @ rows.T / len(x)).double())
        return [values[-1].item(), values.sum().item()]
    from scipy.sparse.linalg import LinearOperator, eigsh

    parameters = list(net.parameters())
    value = loss(net(x), y)
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(value, parameters, create_graph=True)])

    def product(v):
        found = torch.autograd.grad(gradient @ torch.tensor(v).flatten(), parameters, retain_graph=True)
        return torch.cat([part.flatten() for part in found]).numpy()

    count = gradient.numel()
    operator = LinearOperator((count, count), matvec=product, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(count)
    return eigsh(operator, TOP, which="LA", v0=start, tol=1e-9, return_eigenvectors=False)


def measured(command):
    """Output, seconds and bytes of a process."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"RAYON_NUM_THREADS": "2"})
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command}: status {status}")
    return output, time.perf_counter() - begun, usage.ru_maxrss * 1024


def part(command, folder, name):
    """A part of an analysis, which is written as soon as it is there, and what it took until then."""
    shutil.rmtree(folder, ignore_errors=True)
    begun, found = time.perf_counter(), folder / "analysis" / f"{name}.json"
    process = subprocess.Popen([*command, "--out", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not found.exists() and process.poll() is None:
        time.sleep(0.05)
    seconds = time.perf_counter() - begun
    process.kill()
    _, _, usage = os.wait4(process.pid, 0)
    return json.loads(found.read_text()), seconds, usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--tool", default=str(ROOT / "target/release/losscape"))
    parser.add_argument("--only", action="append", choices=["losscape", *WORKS])
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help="where the files are made; default: a temporary one")
    given = parser.parse_args()
    if given.work:
        print(json.dumps([float(value) for value in work(given.work, given.folder)]))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or pathlib.Path(temporary)
        folder.mkdir(exist_ok=True)
        make(folder, given.tool, given.images, given.width, given.epochs)
        row = lambda name, values, seconds, bytes: print(
            f"{name:24} {seconds:7.1f} s {bytes / 2**30:6.2f} GiB  {values}", flush=True
        )
        wanted = given.only or ["losscape", *WORKS]
        if "losscape" in wanted:
            files = ["--model", str(folder / "net.pt2"), "--data", str(folder / "data.npz"), "--channels", "first"]
            command = [given.tool, "analyze", *files, "--loss", "cross-entropy", "-k", str(TOP), "--precision", "f32"]
            found, seconds, bytes = part([*command, "--only", "hessian"], folder / "measured", "hessian")
            top = " ".join(f"{pair['value']:.6g} ± {pair['error_bound']:.1g}" for pair in found["top"])
            trace = f"trace {found['trace']['mean']:.5g} ± {found['trace']['sem']:.2g}"
            row("losscape Hessian", f"{top}; {trace}", seconds, bytes)
            found, seconds, bytes = part([*command, "--only", "ntk"], folder / "measured", "ntk")
            row("losscape kernel", f"λ_max {found['max']['value']:.6g}; trace {found['trace']:.6g}", seconds, bytes)
        for name in [name for name in WORKS if name in wanted]:
            output, seconds, bytes = measured([sys.executable, __file__, "--work", name, "--folder", str(folder)])
            values = json.loads(output)
            if len(values) == TOP:
                values.sort(reverse=True)
            row(name, " ".join(f"{value:.6g}" for value in values), seconds, bytes)


if __name__ == "__main__":
    main()
