"""Losscape beside its peers: the same work in each, in turn, in one run.

python3 benches/peers/compare.py [--rounds 3] [--seconds 1.5] [--only WORD]... [--memory] [--json FILE] [--venvs FOLDER]

Peers are PyTorch, JAX, curvlinops, PyHessian and hessian-eigenthings, as current as PyPI has them, in one virtual
environment (target/peers/peers, made when it is not there), and neural-tangents on JAX 0.4.23, the newest on which its
structured derivatives run, in another (target/peers/nt), for which there must be a Python 3.11 or 3.12. The Rust side
is benches/peers.rs, built by this; data.py makes data and weights. Each side is a process that works when asked to, on
two threads; no two work at a time.

Round by round, work by work, one after another does the work for so many seconds. Printed are the median of the rounds'
medians with the smallest and the largest, ratios of medians (ours / peer: below 1 we are faster), and how many times
the floor a median is: the operations of the matrix products over the fastest matrix product of the run. Results are
compared: the exit code is 1 when some disagree, or a peer fails.

Networks are tanh with two hidden layers, in f32. A training step is one of gradient descent at rate 1e-4 (squared
error with one output, cross-entropy with ten) that reads its loss; ours is `Trainer::advance`, which draws its batch
from four, peers have theirs at hand. "Digits" is 64-512-512-10 with squared error on 1,797 samples; "CNN" two
convolutions 3×3 of 32 channels on 3×32×32, each with tanh and a mean over 2×2, then 2048-128-10, with squared error;
ResNet-20 has 16 channels at first and batch norm, by the batch in its training step, or no norm; the ViT two layers
of width 64 and patches of 4×4. Gradients and products are at inference.
Eigenvalues are found to a residual of a thousandth of each. Traces take 30 products; "1 % in" is the time for a
standard error of 1 % of the trace by independent repetitions, `t (σ / 0.01 Tr)²`, with σ the standard deviation of
the estimates of all rounds. A spectral density takes one probe of 50 products. A study is a hundred runs: fresh
weights, 200 full-batch steps, the loss after them.
"""

import argparse
import contextlib
import dataclasses
import datetime
import hashlib
import json
import math
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent

# Inputs, width, outputs, batch.
STEPS = [(8, 16, 1, 32), (64, 64, 10, 64), (64, 512, 10, 128), (64, 2048, 10, 256)]
# Samples, outputs, width.
KERNELS = [(512, 1, 512), (256, 10, 256), (1797, 1, 512), (1797, 10, 512)]
MATMULS = [(1024, 1024, 1024), (128, 512, 512)]
NAMED = {"resnet": "ResNet-20", "plain": "ResNet-20 without norm", "vit": "ViT"}
# Bytes that a Hessian product of ResNet-18 may take.
WITHIN = 4 << 30
DIGITS, SAMPLES = [64, 512, 512, 10], 1797
# Batches of images: of the CNN, of its kernel, of the networks by name.
IMAGES, KERNEL_OF_IMAGES, BATCH = [64, 512], 256, 64

PACKAGES = {
    "peers": [
        "jax",
        "torch",
        "curvlinops-for-pytorch",
        "pyhessian",
        "hessian-eigenthings",
        "scikit-learn",
        "scipy",
        "numpy",
    ],
    "nt": ["jax==0.4.23", "jaxlib==0.4.23", "scipy<1.13", "numpy<2", "neural-tangents"],
}
PYTHONS = {"peers": [(3, 12), (3, 13), (3, 14), (3, 11)], "nt": [(3, 11), (3, 12)]}
# Processes, with the environment that each of them needs.
WORKERS = {"jax": "peers", "torch": "peers", "neural_tangents": "nt"}
# Seconds that an answer may take, set-up and compilation included.
PATIENCE = 900


@dataclasses.dataclass
class Row:
    """One side of a work."""

    peer: str
    worker: str
    case: str
    # Calls before the measured ones, and the fewest of these.
    calls: tuple = (2, 5)
    # Which of our rows it is compared with; the first of the work by default.
    against: str | None = None
    # In place of the work's own tolerance.
    tolerance: float | None = None


@dataclasses.dataclass
class Work:
    """The same work on all sides."""

    name: str
    # Operations of the matrix products: of the whole, or of one Hessian product where results say how many there were.
    operations: float
    rows: list
    # How results are compared: numbers to a relative tolerance, or the mean of estimates with its standard error.
    tolerance: float | None = 1e-4


def pairs(sizes):
    return list(zip(sizes, sizes[1:]))


def gradient_operations(samples, sizes):
    """Forward, gradient in the weights, and in the inputs of all layers but the first: 2 n i o each."""
    return 2 * samples * (3 * sum(i * o for i, o in pairs(sizes)) - sizes[0] * sizes[1])


def product_operations(samples, sizes):
    """At a point that is kept: two products in the first layer, six in each other one."""
    return 2 * samples * (6 * sum(i * o for i, o in pairs(sizes)) - 4 * sizes[0] * sizes[1])


def kernel_operations(samples, sizes):
    """Forward, back-signals of all outputs, and in each layer half of the Gram matrices of its inputs and back-signals.

    The back-signals of the last layer are unit vectors and cost nothing.
    """
    outputs, hidden = sizes[-1], sizes[1:-1]
    forward = 2 * samples * sum(i * o for i, o in pairs(sizes))
    back = 2 * samples * outputs * sum(i * o for i, o in pairs(sizes[1:-1]))
    return forward + back + samples**2 * sum(sizes[:-1]) + (samples * outputs) ** 2 * sum(hidden)


def image_operations(samples, passes):
    """Of the CNN: a gradient as above; a product at a point that is kept has twice as many products."""
    layers = [(27, 32, 1024), (288, 32, 256), (2048, 128, 1), (128, 10, 1)]
    return passes * 2 * samples * (3 * sum(i * o * pixels for i, o, pixels in layers) - 27 * 32 * 1024)


def named_operations(name, samples, passes):
    """Of a network by name, as of the CNN."""
    if name == "vit":
        tokens, width = 65, 64
        first = 64 * 48 * width
        rest = 2 * tokens * (12 * width**2 + 2 * tokens * width) + 10 * width
    else:
        first = 27 * 16 * 1024
        stages = [(16, 16, 1024), (32, 16, 256), (64, 32, 64)]
        rest = 6 * 9 * 16 * 16 * 1024 + sum(
            9 * to * of * pixels + 5 * 9 * to * to * pixels + to * of * pixels for to, of, pixels in stages[1:]
        )
        rest += 640
    return passes * 2 * samples * (2 * first + 3 * rest)


def works():
    """Everything that is measured, in order."""
    ours = "losscape"
    slow, slower, many = (1, 3), (1, 2), (1, 5)
    found = []
    for m, k, n in MATMULS:
        case = f"matmul/{m}-{k}-{n}/plain"
        rows = [Row(ours, "rust", case), Row("JAX", "jax", case), Row("PyTorch", "torch", case)]
        found.append(Work(f"matmul {m}×{k}×{n}", 2 * m * k * n, rows))
    for inputs, width, outputs, batch in STEPS:
        sizes = [inputs, width, width, outputs]
        case = f"step/{inputs}-{width}-{outputs}-{batch}"
        name = f"{'-'.join(map(str, sizes))}, batch {batch}"
        rows = [
            Row(ours, "rust", f"{case}/plain"),
            Row("JAX jit", "jax", f"{case}/jit"),
            Row("JAX scan", "jax", f"{case}/scan"),
            Row("PyTorch", "torch", f"{case}/eager"),
        ]
        found.append(Work(f"training step {name}", gradient_operations(batch, sizes), rows, 1e-3))
        rows = [
            Row(ours, "rust", f"{case}/sam"),
            Row("two of our gradient steps", "rust", f"{case}/two"),
            Row("JAX jit", "jax", f"{case}/sam"),
        ]
        found.append(Work(f"SAM step {name}", 2 * gradient_operations(batch, sizes), rows, 1e-3))
    for n in IMAGES:
        case = f"step/images-{n}"
        rows = [
            Row(ours, "rust", f"{case}/plain"),
            Row("JAX jit", "jax", f"{case}/jit"),
            Row("PyTorch", "torch", f"{case}/eager"),
        ]
        found.append(Work(f"training step CNN, batch {n}", image_operations(n, 1), rows, 1e-3))
    for network, words in NAMED.items():
        case = f"step/{network}-{BATCH}"
        rows = [
            Row(ours, "rust", f"{case}/plain"),
            Row("JAX jit", "jax", f"{case}/jit"),
            Row("PyTorch", "torch", f"{case}/eager"),
        ]
        operations = named_operations(network, BATCH, 1)
        # Through twenty layers of batch norm rounding grows: the peers differ by 1e-2 from each other.
        allowed = 5e-2 if network == "resnet" else 1e-3
        found.append(Work(f"training step {words}, batch {BATCH}", operations, rows, allowed))
    operations = gradient_operations(SAMPLES, DIGITS), product_operations(SAMPLES, DIGITS)
    problems = [("digits", "digits", *operations, [1, 16])]
    for n in IMAGES:
        counts = [1, 16] if n < 100 else [1]
        problems.append((f"CNN n = {n}", f"images-{n}", image_operations(n, 1), image_operations(n, 2), counts))
    for network in ["plain", "vit"]:
        operations = [named_operations(network, BATCH, passes) for passes in [1, 2]]
        problems.append((f"{NAMED[network]} n = {BATCH}", f"{network}-{BATCH}", *operations, [1]))
    for words, problem, of_gradient, of_product, counts in problems:
        rows = [
            Row(ours, "rust", f"gradient/{problem}/plain"),
            Row("JAX jit", "jax", f"gradient/{problem}/jit"),
            Row("PyTorch", "torch", f"gradient/{problem}/eager"),
        ]
        found.append(Work(f"gradient, {words}", of_gradient, rows))
        for count in counts:
            case = f"product/{problem}/{count}"
            rows = [
                Row(ours, "rust", f"{case}/kept"),
                Row("JAX linearize", "jax", f"{case}/linearize"),
                Row("JAX jvp of grad", "jax", f"{case}/jvp"),
                Row("PyTorch, graph kept", "torch", f"{case}/kept"),
                Row("curvlinops", "torch", f"{case}/curvlinops"),
                Row("hessian-eigenthings", "torch", f"{case}/eigenthings"),
            ]
            if count > 1:
                rows.insert(4, Row("PyTorch, graph kept, batched", "torch", f"{case}/batched"))
            name = f"Hessian product, {words}" if count == 1 else f"{count} Hessian products, {words}"
            # Where relu bends, a rounding decides.
            tolerance = 1e-3 if problem.startswith("plain") else 1e-4
            found.append(Work(name, count * of_product, rows, tolerance))
    for count in [1, 10]:
        case = f"eigenvalues/{count}"
        rows = [
            Row(ours, "rust", f"{case}/plain", slow),
            Row("losscape, with a bound on what is unseen", "rust", f"{case}/bound", slow),
            Row("curvlinops + eigsh", "torch", f"{case}/curvlinops", slow),
            Row("JAX linearize + eigsh", "jax", f"{case}/eigsh", slow),
            Row("hessian-eigenthings", "torch", f"{case}/eigenthings", slow),
            # Its criterion is the change of a value, which says little about its error.
            Row(f"PyHessian, top {min(count, 5)}", "torch", f"{case}/pyhessian", (0, 1), tolerance=0.05),
        ]
        name = "top eigenvalue, digits" if count == 1 else f"top {count} eigenvalues, digits"
        found.append(Work(name, product_operations(SAMPLES, DIGITS), rows, 2e-3))
    estimators = ["xtrace", "hutch++", "hutchinson"]
    rows = [Row(f"losscape {name}", "rust", f"trace/{name}", many) for name in estimators]
    rows += [Row(f"curvlinops {name}", "torch", f"trace/{name}", many, f"losscape {name}") for name in estimators]
    rows.append(Row("PyHessian hutchinson", "torch", "trace/pyhessian", many, "losscape hutchinson"))
    found.append(Work("trace, digits", product_operations(SAMPLES, DIGITS), rows, None))
    # PyHessian's crashes on a current PyTorch.
    rows = [Row(ours, "rust", "density/plain", slow), Row("curvlinops", "torch", "density/curvlinops", slow)]
    found.append(Work("spectral density, digits", product_operations(SAMPLES, DIGITS), rows, 0.05))
    for n, outputs, width in KERNELS:
        case = f"kernel/kernel-{n}-{outputs}-{width}"
        calls = slower if n * outputs > 5000 else (2, 5)
        rows = [
            Row(ours, "rust", f"{case}/plain", calls),
            Row("neural-tangents", "neural_tangents", f"{case}/structured", calls),
        ]
        sizes = [64, width, width, outputs]
        found.append(Work(f"kernel n = {n}, C = {outputs}, width {width}", kernel_operations(n, sizes), rows))
    rows = [Row(ours, "rust", f"product/resnet18-{IMAGES[1]}/1/within", (0, 1))]
    name = f"Hessian product within {WITHIN >> 30} GiB, ResNet-18 n = {IMAGES[1]}"
    # Of a forward 556 million multiplications an image, of a gradient three times as many, of a product twice that.
    found.append(Work(name, 2 * 6 * 556e6 * IMAGES[1], rows, None))
    case = f"kernel/images-{KERNEL_OF_IMAGES}"
    rows = [Row(ours, "rust", f"{case}/plain", slow), Row("torch.func", "torch", f"{case}/func", slow)]
    # Forward, and back-signals of ten outputs.
    operations = 2 * KERNEL_OF_IMAGES * (27 * 32 * 1024 + 11 * (288 * 32 * 256 + 2048 * 128))
    found.append(Work(f"kernel CNN, n = {KERNEL_OF_IMAGES}, C = 10", operations, rows))
    rows = [
        Row(ours, "rust", "study/plain", slow),
        Row("JAX scan, a call a run", "jax", "study/scan", slow),
        Row("JAX scan, all runs at once (vmap)", "jax", "study/vmap", slow),
        Row("PyTorch (ten runs, times ten)", "torch", "study/eager", slow),
    ]
    operations = 100 * 200 * gradient_operations(64, [64, 64, 64, 10])
    found.append(Work("study of 100 runs", operations, rows, None))
    return found


def demands():
    """What must be reached: work, peer, the ratio that must be, and the one aimed at."""
    found = []
    for at, (inputs, width, outputs, batch) in enumerate(STEPS):
        name = f"{inputs}-{width}-{width}-{outputs}, batch {batch}"
        found.append((f"training step {name}", "JAX jit", 1.0, 0.7))
        found.append((f"training step {name}", "JAX scan", 3.0 if at < 2 else 1.2, 1.0))
        found.append((f"SAM step {name}", "two of our gradient steps", 1.1, 1.0))
    for n in IMAGES:
        for peer in ["JAX jit", "PyTorch"]:
            found.append((f"training step CNN, batch {n}", peer, 1.0, 0.6))
            found.append((f"gradient, CNN n = {n}", peer, 1.0, 0.6))
        for peer in ["JAX linearize", "PyTorch, graph kept"]:
            found.append((f"Hessian product, CNN n = {n}", peer, 0.9, 0.6))
    for peer in ["JAX jit", "PyTorch"]:
        for words in NAMED.values():
            found.append((f"training step {words}, batch {BATCH}", peer, 1.0, 0.6))
        for network in ["plain", "vit"]:
            found.append((f"gradient, {NAMED[network]} n = {BATCH}", peer, 1.0, 0.6))
    for peer in ["JAX linearize", "PyTorch, graph kept"]:
        for network in ["plain", "vit"]:
            found.append((f"Hessian product, {NAMED[network]} n = {BATCH}", peer, 0.9, 0.6))
        found.append((f"16 Hessian products, CNN n = {IMAGES[0]}", peer, 0.9, 0.6))
    found.append((f"kernel CNN, n = {KERNEL_OF_IMAGES}, C = 10", "torch.func", 0.5, 0.25))
    found.append(("gradient, digits", "JAX jit", 1.1, 1.0))
    found.append(("Hessian product, digits", "JAX linearize", 1.1, 0.9))
    found.append(("16 Hessian products, digits", "JAX linearize", 1.1, 0.9))
    found.append(("top 10 eigenvalues, digits", "curvlinops + eigsh", 0.25, 0.15))
    for n, outputs, width in KERNELS:
        found.append((f"kernel n = {n}, C = {outputs}, width {width}", "neural-tangents", 0.5, 0.25))
    return sorted(found, key=lambda demand: demand[1] == "two of our gradient steps")


def environment(name, folder):
    """The interpreter of a virtual environment, made if it is not there, and the versions of its packages."""
    python = folder / name / "bin/python"
    if not python.exists():
        print(f"making {folder / name}", file=sys.stderr)
        subprocess.run([interpreter(name), "-m", "venv", folder / name], check=True)
    if versions(python, name) is None:
        print(f"installing {', '.join(PACKAGES[name])}", file=sys.stderr)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES[name]], check=True, stdout=sys.stderr)
    return python, versions(python, name)


def interpreter(name):
    """A Python that the packages of an environment run on."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *(pathlib.Path.home() / ".pyenv/versions").glob("*/bin")]
    for wanted in PYTHONS[name]:
        names = [pathlib.Path(folder) / "python{}.{}".format(*wanted) for folder in folders]
        for candidate in [sys.executable, *names]:
            # A shim may stand for an interpreter that is not there, and Debian's may come without venv.
            check = f"import ensurepip, sys; sys.exit(sys.version_info[:2] != {wanted})"
            command = [candidate, "-c", check]
            if pathlib.Path(candidate).exists() and subprocess.run(command, capture_output=True).returncode == 0:
                return candidate
    listed = " or ".join("{}.{}".format(*wanted) for wanted in sorted(PYTHONS[name]))
    packages = ", ".join(PACKAGES[name])
    sys.exit(f"{packages} need Python {listed} with venv: there is none on the path or in ~/.pyenv/versions")


def versions(python, name):
    """Versions of the packages, or None if one is not installed."""
    names = [package.split("=")[0].split("<")[0] for package in PACKAGES[name]]
    ask = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {names}}}))"
    answer = subprocess.run([python, "-c", ask], capture_output=True, text=True)
    return None if answer.returncode else json.loads(answer.stdout)


def build():
    """The Rust side, built now."""
    command = "cargo bench --locked --bench peers --no-run --message-format json-render-diagnostics".split()
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    made = [json.loads(line) for line in lines if line.startswith("{")]
    return next(one["executable"] for one in made if one.get("executable") and one["target"]["name"] == "peers")


class Worker:
    """A process that does works when asked to, one at a time."""

    def __init__(self, command, log):
        self.command, self.log, self.process = command, log, None

    def ask(self, request):
        if self.process is None or self.process.poll() is not None:
            pipe = subprocess.PIPE
            with self.log.open("a") as log:
                self.process = subprocess.Popen(self.command, stdin=pipe, stdout=pipe, stderr=log, text=True)
        # One that ends before it reads gives no line either.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        lines = []
        reader = threading.Thread(target=lambda: lines.append(self.process.stdout.readline()), daemon=True)
        reader.start()
        reader.join(PATIENCE)
        if not lines:
            self.end()
            return {"error": f"no answer in {PATIENCE} s"}
        if not lines[0]:
            return {"error": f"the process ended with code {self.process.wait()}; see {self.log}"}
        return json.loads(lines[0])

    def end(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def peaks(chosen, make):
    """The peak memory of each row: of a process that does the work twice, libraries and data included."""
    lines = [("work", "peer", "peak")]
    for work in chosen:
        for row in work.rows:
            worker = make(row.worker)
            try:
                answer = worker.ask({"case": row.case, "seconds": 0, "warm": min(1, row.calls[0]), "least": 1})
            except (OSError, ValueError) as error:
                answer = {"error": str(error)}
            finally:
                worker.end()
            said = f"{answer['peak'] / 2**20:.0f} MiB" if "peak" in answer else answer["error"][:60]
            lines.append((work.name if row is work.rows[0] else "", row.peer, said))
            print(f"{work.name}  {row.peer}: {said}", file=sys.stderr, flush=True)
    return lines


def measure(chosen, workers, rounds, seconds):
    """Round by round, work by work, row by row: records with a row's medians and last result, or its error."""
    records = {(work.name, row.peer): {"medians": [], "calls": 0} for work in chosen for row in work.rows}
    for round in range(rounds):
        for work in chosen:
            for row in work.rows:
                record = records[work.name, row.peer]
                if "error" in record:
                    continue
                warm, least = row.calls
                request = {"case": row.case, "seconds": seconds, "warm": warm, "least": least, "seed": round}
                try:
                    answer = workers[row.worker].ask(request)
                except (OSError, ValueError) as error:
                    answer = {"error": str(error)}
                if "error" in answer:
                    record["error"] = answer["error"]
                    said = answer["error"]
                else:
                    record["medians"].append(statistics.median(answer["seconds"]))
                    record["calls"] += len(answer["seconds"])
                    record["result"] = answer["result"]
                    record.setdefault("setup", answer["setup"])
                    said = duration(record["medians"][-1])
                print(f"round {round + 1}  {work.name}  {row.peer}: {said}", file=sys.stderr, flush=True)
    return records


def duration(seconds):
    for unit, size in [("s", 1), ("ms", 1e-3), ("µs", 1e-6)]:
        if seconds >= size or unit == "µs":
            return f"{seconds / size:.3g} {unit}" if seconds / size < 1000 else f"{seconds / size:.0f} {unit}"


def mean_and_error(estimates):
    """Mean and standard error."""
    spread = statistics.stdev(estimates) if len(estimates) > 1 else float("inf")
    return statistics.mean(estimates), spread / len(estimates) ** 0.5


def deviation(ours, theirs):
    """The largest relative difference of results: of lists, as far as both go, relative to their largest entry."""
    found = []
    for key in ours.keys() & theirs.keys() & {"loss", "losses", "norm", "trace", "sum", "entries", "values"}:
        a, b = (value if isinstance(value, list) else [value] for value in (ours[key], theirs[key]))
        if not all(value is not None and math.isfinite(value) for value in [*a, *b]):
            return math.inf
        found += [abs(x - y) / max(map(abs, a)) for x, y in zip(a, b)]
    return max(found, default=math.inf)


def agreement(work, row, result, reference, trace):
    """Whether a result agrees with ours (of a trace, with the exact one), and in words how well."""
    if "estimates" in result:
        mean, error = mean_and_error(result["estimates"])
        expected, other = (trace, 0.0) if work.name.startswith("trace") else mean_and_error(reference["estimates"])
        apart, allowed = abs(mean - expected), 5 * (error**2 + other**2) ** 0.5 + 1e-4 * abs(expected)
        return apart <= allowed, f"mean {mean:.5g}, {expected:.5g} expected to {allowed:.2g}"
    if "residual" in result and row.worker == "rust" and result["residual"] > 1e-3:
        return False, f"relative residual {result['residual']:.1e}"
    tolerance = row.tolerance or work.tolerance
    apart = deviation(reference, result)
    return apart <= tolerance, f"differs by {apart:.1e} of {tolerance:.0e} allowed"


def judge(work, records, trace):
    """Adds to the records of a work what follows from them; gives what disagrees or failed, in words."""
    first = records[work.name, work.rows[0].peer]
    problems = []
    for row in work.rows:
        record = records[work.name, row.peer]
        if "error" in record:
            problems.append(f"{work.name}, {row.peer}: {record['error']}")
            continue
        medians, result = record["medians"], record["result"]
        record |= {"median": statistics.median(medians), "least": min(medians), "most": max(medians), "remark": ""}
        ours = records[work.name, row.against or work.rows[0].peer]
        if row.peer != (row.against or work.rows[0].peer) and not row.peer.startswith("losscape") and "median" in ours:
            record["ratio"] = ours["median"] / record["median"]
        if result and "result" in first:
            agrees, record["agreement"] = agreement(work, row, result, first["result"], trace)
            if not agrees:
                problems.append(f"{work.name}, {row.peer}: {record['agreement']}")
        record["operations"] = work.operations * result.get("products", 1)
        if "residual" in result:
            record["remark"] = f"{result['products']} products, residual {result['residual']:.0e}"
        elif work.name.startswith("trace"):
            deviates = statistics.stdev(result["estimates"]) / abs(trace)
            record["one_percent"] = record["median"] * (deviates / 0.01) ** 2
            record["remark"] = f"σ {100 * deviates:.2g} %, 1 % in {duration(record['one_percent'])}"
        elif work.name.startswith("matmul"):
            record["remark"] = f"{work.operations / record['least'] / 1e9:.0f} GF/s at best"
    return problems


def table(chosen, records, peak):
    """A line for every row; `peak` in operations a second."""
    lines = [("work", "peer", "median", "rounds from … to", "ours/peer", "× floor", "")]
    for work in chosen:
        for row in work.rows:
            record = records[work.name, row.peer]
            name = work.name if row is work.rows[0] else ""
            if "error" in record:
                lines.append((name, row.peer, "error", "", "", "", record["error"][:60]))
                continue
            spread = f"{duration(record['least'])} … {duration(record['most'])}"
            ratio = f"{record['ratio']:.2f}" if "ratio" in record else ""
            floor = f"{record['median'] * peak / record['operations']:.2f}" if peak else ""
            lines.append((name, row.peer, duration(record["median"]), spread, ratio, floor, record["remark"]))
    return lines


def demanded(records):
    """A line for every demand whose work was measured."""
    lines = [("work", "against", "ours/peer", "must", "aim", "")]
    for work, peer, must, aim in demands():
        ratio = records.get((work, peer), {}).get("ratio")
        if ratio is not None:
            met = "aim met" if ratio <= aim else "met" if ratio <= must else "NOT MET"
            lines.append((work, peer, f"{ratio:.2f}", f"≤ {must:g}", f"≤ {aim:g}", met))
    return lines


def show(lines):
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def machine():
    """Processor, cores in use, system, commit."""
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    say = lambda *command: subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "rustc": say("rustc", "--version"),
        "commit": say("git", "describe", "--always", "--dirty"),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="for each case and round")
    parser.add_argument("--only", action="append", metavar="WORD", help="works with this in their name; repeatable")
    parser.add_argument("--memory", action="store_true", help="measures peak memory in place of time")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="writes everything there")
    parser.add_argument("--venvs", type=pathlib.Path, metavar="FOLDER", default=ROOT / "target/peers")
    given = parser.parse_args()
    words = [word.lower() for word in given.only or [""]]
    chosen = [work for work in works() if any(word in work.name.lower() for word in words)]
    if not chosen:
        sys.exit("no work has that in its name: " + "; ".join(work.name for work in works()))

    # Two threads on two cores for everybody; XLA takes one for each core that it may use.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    threads = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"]
    os.environ |= {name: "2" for name in threads}
    os.environ |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "PYTHONDONTWRITEBYTECODE": "1"}

    given.venvs.mkdir(parents=True, exist_ok=True)
    needed = {WORKERS[row.worker] for work in chosen for row in work.rows if row.worker in WORKERS} | {"peers"}
    environments = {name: environment(name, given.venvs) for name in sorted(needed)}
    server = build()
    # Other data after a change of what makes them.
    sizes = f"{STEPS}{KERNELS}{IMAGES}{KERNEL_OF_IMAGES}{BATCH}{NAMED}"
    digest = hashlib.sha256((HERE / "data.py").read_bytes() + sizes.encode()).hexdigest()[:8]
    folder = ROOT / f"target/peers/data-{digest}"
    if not (folder / "reference.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([environments["peers"][0], HERE / "data.py", folder], check=True)
    trace = json.loads((folder / "reference.json").read_text())["trace"]

    log = lambda name: folder / f"{name}.log"
    if (load := os.getloadavg()[0]) > 0.5:
        print(f"the machine is busy (load {load:.1f}); PyTorch suffers most from that", file=sys.stderr)

    def make(name):
        python = environments[WORKERS[name]][0] if name in WORKERS else None
        command = [python, HERE / f"worker_{name}.py", folder] if python else [server, "--bench", folder]
        return Worker(command, log(name))

    if given.memory:
        show(peaks(chosen, make))
        return
    workers = {name: make(name) for name in ["rust", *WORKERS] if WORKERS.get(name, "peers") in environments}
    try:
        records = measure(chosen, workers, given.rounds, given.seconds)
    finally:
        for worker in workers.values():
            worker.end()

    problems = [problem for work in chosen for problem in judge(work, records, trace)]
    products = [records[work.name, row.peer] for work in chosen if work.name.startswith("matmul") for row in work.rows]
    peak = max((record["operations"] / record["least"] for record in products if "least" in record), default=None)
    show(table(chosen, records, peak))
    if len(lines := demanded(records)) > 1:
        print()
        show(lines)
    print()
    if peak:
        print(f"The floor is that of {peak / 1e9:.0f} GF/s.")
    print("\n".join(["Disagreement or failure:", *problems]) if problems else "All results agree.")
    if given.json:
        written = {
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "machine": machine() | {"load": load},
            "versions": {name: found for name, (_, found) in environments.items()},
            "rounds": given.rounds,
            "seconds": given.seconds,
            "peak": peak,
            "works": [
                {"work": work.name, "rows": [{"peer": row.peer, **records[work.name, row.peer]} for row in work.rows]}
                for work in chosen
            ],
            "demands": [dict(zip(["work", "against", "ratio", "must", "aim", "met"], line)) for line in lines[1:]],
            "problems": problems,
        }
        given.json.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
