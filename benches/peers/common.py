"""What the workers share: the protocol of ../peers.rs, and the files of a case."""

import dataclasses
import json
import os
import pathlib
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

# Of training steps and of SAM, of studies, of traces.
RATE, RHO = 1e-4, 0.05
STUDY_RATE, STUDY_STEPS, STUDY_RUNS = 0.1, 200, 100
PRODUCTS = 30
# Networks by name: ResNet-20 of width 16 with batch norm and without a norm, ResNet-18 with batch norm, a vision
# transformer of two layers of width 64, four heads and patches of 4×4 pixels.
NETWORKS = ["resnet", "plain", "resnet18", "vit"]
PARTS = ["weight", "bias"]


@dataclasses.dataclass
class Case:
    """A case that is set up: `work(seed)` is what is measured, `result` of what it gives are numbers to be compared.

    A call does `units` units of work; times are of one.
    """

    work: Callable[[int], Any]
    result: Callable[[Any], dict]
    units: float = 1


def serve(set_up):
    """Answers requests on standard input until there are no more; `set_up(case)` makes a Case on its first use."""
    # What libraries print does not come between answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    known = {}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = answer_to(request, known, set_up)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def answer_to(request, known, set_up):
    name = request["case"]
    start = time.perf_counter()
    if name not in known:
        known[name] = set_up(*name.split("/"))
    case = known[name]
    setup = time.perf_counter() - start
    warm, least, seed = request.get("warm", 2), request.get("least", 5), request.get("seed", 0)
    seconds, spent, call, found = [], 0.0, 0, None
    while len(seconds) < least or spent < request["seconds"]:
        # What the last call found makes room first.
        found = None
        start = time.perf_counter()
        found = case.work(1000 * seed + call)
        elapsed = time.perf_counter() - start
        if call >= warm:
            seconds.append(elapsed / case.units)
            spent += elapsed
        call += 1
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds, "setup": setup, "peak": peak, "result": case.result(found)}


def sequential(layers):
    """Layers `(W [out, in], b [out])`, or `[out, in, 3, 3]`, under the names in PyTorch's Sequential: Conv2d, Tanh,
    AvgPool2d, …, Flatten, Linear, Tanh, …"""
    convolutions = sum(w.ndim == 4 for w, _ in layers)
    behind = convolutions + (1 if convolutions else 0)
    places = [3 * at if at < convolutions else behind + 2 * at for at in range(len(layers))]
    return {f"{at}.{part}": value for at, layer in zip(places, layers) for part, value in zip(PARTS, layer)}


def layers_of(weights):
    """The layers of such names."""
    places = sorted({int(name.split(".")[0]) for name in weights})
    return [tuple(weights[f"{at}.{part}"] for part in PARTS) for at in places]


def write_weights(path, weights):
    """Numbers by name as safetensors, in their order."""
    header, blobs, end = {}, [], 0
    for name, values in weights.items():
        blob = np.ascontiguousarray(values, np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": [end, end + len(blob)]}
        blobs.append(blob)
        end += len(blob)
    header = json.dumps(header).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"".join(blobs))


def read_weights(path):
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")

    def values(entry):
        begin, end = entry["data_offsets"]
        return np.frombuffer(data[start + begin : start + end], np.float32).reshape(entry["shape"])

    return {name: values(entry) for name, entry in json.loads(data[8:start]).items()}


def read(name):
    """Weights by name, inputs and targets of a case: for cross-entropy labels `[n]`, otherwise numbers `[n, C]`."""
    folder = pathlib.Path(sys.argv[1]) / name
    data, weights = np.load(folder / "data.npz"), read_weights(folder / "weights.safetensors")
    x, y = data["x"], data["y"]
    if "squared-error" in (folder / "model.toml").read_text():
        classes = len(list(weights.values())[-1])
        y = np.eye(classes, dtype=np.float32)[y] if y.dtype == np.int64 else y.reshape(len(x), -1)
    return weights, x, y


def network_of(name):
    """The network by name that a case is about, if it is about one: one of `NETWORKS`."""
    return next((network for network in NETWORKS if network in name.split("-")), None)


def numbers(*shape):
    """Numbers between -1/2 and 1/2 without a pattern that matters here, the same as in ../peers.rs."""
    count = int(np.prod(shape))
    return (((np.arange(count) * 7919) % 1009) / 1009 - 0.5).astype(np.float32).reshape(shape)


def vector(values):
    """Norm and 32 entries of an array."""
    values = np.asarray(values, np.float64).ravel()
    return {"norm": float(np.linalg.norm(values)), "entries": values[:: max(1, len(values) // 32)][:32].tolist()}


def largest_residual(product, values, vectors):
    """The largest |Hv - λv| / |λ||v|."""
    norm = np.linalg.norm
    return max(float(norm(product(v) - value * v) / (abs(value) * norm(v))) for value, v in zip(values, vectors))


def top(count, operator, dtype):
    """The `count` largest eigenvalues by SciPy's eigsh (ARPACK) to a tolerance of 1e-3: values, and vectors in rows."""
    from scipy.sparse.linalg import eigsh

    start = np.random.default_rng(0).standard_normal(operator.shape[0]).astype(dtype)
    values, vectors = eigsh(operator, k=count, which="LA", tol=1e-3, v0=start)
    order = np.argsort(-values)
    return values[order], vectors.T[order]
