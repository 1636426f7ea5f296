"""Reference trajectories for crates/optim/tests/optimizers.rs.

PyTorch is the reference where it has the method; what it lacks (the look-ahead form of Nesterov's gradient, epsilon inside the
root, SAM, ASAM, Friendly SAM, Entropy-SGD, scalar RMSProp, SOAP, clipping by the norm alone) is written out below from the papers, and so is AMSGrad. Schedule-Free
is the authors' package, schedulefree. SOAP and Friendly SAM agree with the authors' programs to rounding, SOAP where its
bases, which are in f32 there, are made in f64. Made with: python3 optimizers.py > optimizers.json
"""

import importlib.metadata
import json
import sys

import numpy as np
import schedulefree
import torch

STEPS = 120
KEPT = [1, 2, 3, 10, 50, 100, 120]

rng = np.random.default_rng(7)
X = rng.normal(size=(12, 3))
LABELS = rng.integers(0, 4, size=12)
Y = np.eye(4)[LABELS]
W0, B0 = rng.normal(size=(3, 4)), rng.normal(size=4)


def gradient(w, b):
    """Gradient of the mean cross-entropy of softmax(X w + b)."""
    z = X @ w + b
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    d = (p - Y) / len(X)
    return [X.T @ d, d.sum(0)]


def path(step):
    """Parameters at the kept steps; step(k, parameters) returns those after step k = 1, 2, ..."""
    parameters, kept = [W0.copy(), B0.copy()], {}
    for k in range(1, STEPS + 1):
        parameters = step(k, parameters)
        if k in KEPT:
            kept[k] = np.concatenate([p.ravel() for p in parameters]).tolist()
    return kept


def with_torch(make):
    w, b = (torch.tensor(p, dtype=torch.float64, requires_grad=True) for p in (W0, B0))
    x, labels = torch.tensor(X), torch.tensor(LABELS)
    optimizer = make([w, b])

    def step(k, parameters):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(x @ w + b, labels).backward()
        optimizer.step()
        return [w.detach().numpy().copy(), b.detach().numpy().copy()]

    return path(step)


def with_schedule_free(make):
    """The averages x, which the authors' optimizer puts in place of the parameters for evaluation."""
    w, b = (torch.tensor(p, dtype=torch.float64, requires_grad=True) for p in (W0, B0))
    x, labels = torch.tensor(X), torch.tensor(LABELS)
    optimizer = make([w, b])

    def step(k, parameters):
        optimizer.train()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(x @ w + b, labels).backward()
        optimizer.step()
        optimizer.eval()
        return [w.detach().numpy().copy(), b.detach().numpy().copy()]

    return path(step)


def entropy_sgd(lr, inner, scope, growth, share, outer):
    """Chaudhari et al. 2017, Algorithm 1, without the noise of its inner steps; each of them is a step."""
    centre, mean = [W0.copy(), B0.copy()], [W0.copy(), B0.copy()]

    def step(k, parameters):
        g, now = gradient(*parameters), scope * (1 + growth) ** ((k - 1) // inner)
        parameters = [p - lr * (d - now * (c - p)) for p, d, c in zip(parameters, g, centre)]
        for i in range(2):
            mean[i] = (1 - share) * mean[i] + share * parameters[i]
            if k % inner == 0:
                centre[i] = centre[i] - outer * (centre[i] - mean[i])
                mean[i] = parameters[i] = centre[i].copy()
        return parameters

    return path(step)


def clipped(lr, limit):
    """Clipping by the global norm; PyTorch's own adds 1e-6 to the norm."""

    def step(k, parameters):
        g = gradient(*parameters)
        scale = min(1.0, limit / np.sqrt(sum((d**2).sum() for d in g)))
        return [p - lr * scale * d for p, d in zip(parameters, g)]

    return path(step)


def look_ahead(lr, momentum):
    v = [0 * W0, 0 * B0]

    def step(k, parameters):
        g = gradient(*(p + momentum * u for p, u in zip(parameters, v)))
        for i in range(2):
            v[i] = momentum * v[i] - lr * g[i]
        return [p + u for p, u in zip(parameters, v)]

    return path(step)


def adam_inside(lr, b1, b2, eps):
    m, s = [0 * W0, 0 * B0], [0 * W0, 0 * B0]

    def step(k, parameters):
        g = gradient(*parameters)
        for i in range(2):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            s[i] = b2 * s[i] + (1 - b2) * g[i] ** 2
        return [
            p - lr * (u / (1 - b1**k)) / np.sqrt(v / (1 - b2**k) + eps) for p, u, v in zip(parameters, m, s)
        ]

    return path(step)


def amsgrad(lr, b1, b2, eps):
    """Reddi et al. 2018, Algorithm 2, with the corrections of PyTorch's Adam(amsgrad=True)."""
    m, s, u = ([0 * W0, 0 * B0] for _ in range(3))

    def step(k, parameters):
        g = gradient(*parameters)
        for i in range(2):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            s[i] = b2 * s[i] + (1 - b2) * g[i] ** 2
            u[i] = np.maximum(u[i], s[i])
        return [
            p - lr * (v / (1 - b1**k)) / (np.sqrt(w / (1 - b2**k)) + eps) for p, v, w in zip(parameters, m, u)
        ]

    return path(step)


def rmsprop_inside(lr, gamma, eps):
    s = [0 * W0, 0 * B0]

    def step(k, parameters):
        g = gradient(*parameters)
        for i in range(2):
            s[i] = gamma * s[i] + (1 - gamma) * g[i] ** 2
        return [p - lr * d / np.sqrt(v + eps) for p, d, v in zip(parameters, g, s)]

    return path(step)


def scalar_rmsprop(lr, gamma, eps, decay=0.0):
    """Cohen et al. 2025: one mean square, of the whole gradient's length."""
    nu = 0.0

    def step(k, parameters):
        nonlocal nu
        g = [d + decay * p for d, p in zip(gradient(*parameters), parameters)]
        nu = gamma * nu + (1 - gamma) * sum((d**2).sum() for d in g)
        return [p - lr * d / (np.sqrt(nu) + eps) for p, d in zip(parameters, g)]

    return path(step)


def soap(lr, b1, b2, eps, frequency, decay=0.0):
    """Vyas et al. 2025, Algorithms 3 and 4, with what the authors' program does besides: the first gradient moves nothing,
    columns are ordered by their eigenvalues, the bias is Adam's. It is of the matrix; the bias b has the coordinates it has."""
    m, s = [0 * W0, 0 * B0], [0 * W0, 0 * B0]
    averages, bases = [], []

    def outer(g):
        return [g @ g.T, g.T @ g]

    def step(k, parameters):
        g = gradient(*parameters)
        if k == 1:
            averages.extend((1 - b2) * a for a in outer(g[0]))
            bases.extend(np.linalg.eigh(a)[1][:, ::-1] for a in averages)
            return parameters
        t, result = k - 1, []
        for i, p in enumerate(parameters):
            into = (lambda x: bases[0].T @ x @ bases[1]) if i == 0 else (lambda x: x)
            back = (lambda x: bases[0] @ x @ bases[1].T) if i == 0 else (lambda x: x)
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            s[i] = b2 * s[i] + (1 - b2) * into(g[i]) ** 2
            rate = lr * np.sqrt(1 - b2**t) / (1 - b1**t)
            moved = p - rate * back(into(m[i]) / (np.sqrt(s[i]) + eps))
            result.append(moved - lr * decay * moved)
        for i, a in enumerate(outer(g[0])):
            averages[i] = b2 * averages[i] + (1 - b2) * a
            if t % frequency == 0:
                order = np.argsort(-np.diag(bases[i].T @ averages[i] @ bases[i]))
                bases[i] = np.linalg.qr(averages[i] @ bases[i][:, order])[0]
                s[0] = np.take(s[0], order, axis=i)
        return result

    return path(step)


def friendly_sam(lr, rho, sigma, lam, eta=None):
    """Li et al. 2024 as their program has it: the average begins with the first gradient and lacks the newest."""
    m = []

    def step(k, parameters):
        g = gradient(*parameters)
        d = [x - sigma * y for x, y in zip(g, m)] if m else g
        m[:] = [lam * y + (1 - lam) * x for x, y in zip(g, m)] if m else g
        t = [1.0 if eta is None else np.abs(p) + eta for p in parameters]
        norm = np.sqrt(sum(((s * x) ** 2).sum() for s, x in zip(t, d)))
        there = gradient(*(p + rho * s * s * x / norm for p, s, x in zip(parameters, t, d)))
        return [p - lr * x for p, x in zip(parameters, there)]

    return path(step)


def sam(lr, rho, eta=None, momentum=0.0, weight=1.0):
    """Foret et al. 2021, Algorithm 1; with eta the elementwise ASAM of Kwon et al. 2021, eq. 8; with a weight the gradient of
    Zhao et al. 2022, Algorithm 1, and at gamma/(1 - gamma) that of WSAM. Heavy ball as the base rule."""
    v = [0 * W0, 0 * B0]

    def step(k, parameters):
        t = [1.0 if eta is None else np.abs(p) + eta for p in parameters]
        g = gradient(*parameters)
        norm = np.sqrt(sum(((s * d) ** 2).sum() for s, d in zip(t, g)))
        there = gradient(*(p + rho * s * s * d / norm for p, s, d in zip(parameters, t, g)))
        for i in range(2):
            v[i] = momentum * v[i] - lr * ((1 - weight) * g[i] + weight * there[i])
        return [p + u for p, u in zip(parameters, v)]

    return path(step)


def lion(lr, b1, b2, decay):
    """Chen et al. 2023, Algorithm 2."""
    m = [0 * W0, 0 * B0]

    def step(k, parameters):
        g, result = gradient(*parameters), []
        for i, p in enumerate(parameters):
            result.append(p - lr * (np.sign(b1 * m[i] + (1 - b1) * g[i]) + decay * p))
            m[i] = b2 * m[i] + (1 - b2) * g[i]
        return result

    return path(step)


def lamb(lr, b1, b2, eps):
    """You et al. 2020, Algorithm 2, without weight decay."""
    m, s = [0 * W0, 0 * B0], [0 * W0, 0 * B0]

    def step(k, parameters):
        g, result = gradient(*parameters), []
        for i, p in enumerate(parameters):
            m[i] = b1 * m[i] + (1 - b1) * g[i]
            s[i] = b2 * s[i] + (1 - b2) * g[i] ** 2
            u = (m[i] / (1 - b1**k)) / (np.sqrt(s[i] / (1 - b2**k)) + eps)
            result.append(p - lr * np.linalg.norm(p) / np.linalg.norm(u) * u)
        return result

    return path(step)


def with_torch_lbfgs(lr, iterations):
    w, b = (torch.tensor(p, dtype=torch.float64, requires_grad=True) for p in (W0, B0))
    x, labels = torch.tensor(X), torch.tensor(LABELS)
    optimizer = torch.optim.LBFGS([w, b], lr=lr, max_iter=iterations)

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(x @ w + b, labels)
        loss.backward()
        return loss

    def step(k, parameters):
        optimizer.step(closure)
        return [w.detach().numpy().copy(), b.detach().numpy().copy()]

    return path(step)


o = torch.optim
reference = {
    "gd": with_torch(lambda p: o.SGD(p, lr=0.3)),
    "gd, weight decay": with_torch(lambda p: o.SGD(p, lr=0.3, weight_decay=0.05)),
    "gd, clipped": clipped(0.3, 0.2),
    "momentum": with_torch(lambda p: o.SGD(p, lr=0.1, momentum=0.9)),
    "nesterov": with_torch(lambda p: o.SGD(p, lr=0.1, momentum=0.9, nesterov=True)),
    "nesterov, look-ahead": look_ahead(0.1, 0.9),
    "rmsprop": with_torch(lambda p: o.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-3)),
    "rmsprop, epsilon inside": rmsprop_inside(0.01, 0.9, 1e-3),
    "scalar-rmsprop": scalar_rmsprop(0.01, 0.9, 1e-3),
    "scalar-rmsprop, weight decay": scalar_rmsprop(0.01, 0.9, 1e-3, decay=0.05),
    "adam": with_torch(lambda p: o.Adam(p, lr=0.02, betas=(0.9, 0.999), eps=1e-3)),
    "adam, weight decay": with_torch(lambda p: o.Adam(p, lr=0.02, betas=(0.9, 0.999), eps=1e-3, weight_decay=0.05)),
    "adam, epsilon inside": adam_inside(0.02, 0.9, 0.999, 1e-3),
    "amsgrad": amsgrad(0.02, 0.9, 0.9, 1e-3),
    "soap": soap(0.02, 0.9, 0.95, 1e-3, 7),
    "soap, weight decay": soap(0.02, 0.9, 0.95, 1e-3, 7, decay=0.05),
    "entropy-sgd": entropy_sgd(0.3, 7, 0.5, 0.1, 0.75, 0.9),
    "schedule-free": with_schedule_free(lambda p: schedulefree.SGDScheduleFree(p, lr=1.0, momentum=0.9)),
    "schedule-free, weight decay": with_schedule_free(
        lambda p: schedulefree.SGDScheduleFree(p, lr=1.0, momentum=0.9, weight_decay=0.05)
    ),
    "schedule-free, adaptive": with_schedule_free(
        lambda p: schedulefree.AdamWScheduleFree(p, lr=0.1, betas=(0.9, 0.99), eps=1e-3)
    ),
    "schedule-free, adaptive, weight decay": with_schedule_free(
        lambda p: schedulefree.AdamWScheduleFree(p, lr=0.1, betas=(0.9, 0.99), eps=1e-3, weight_decay=0.05)
    ),
    "sam, gd, weight 0.5": sam(0.3, 0.1, weight=0.5),
    "sam, gd, weight 1.5": sam(0.3, 0.1, weight=1.5),
    "sam, gd": sam(0.3, 0.1),
    "sam, momentum": sam(0.02, 0.1, momentum=0.9),
    "asam, gd": sam(0.3, 0.5, eta=0.01),
    "friendly sam, gd": friendly_sam(0.1, 0.05, 0.8, 0.7),
    "friendly asam, gd": friendly_sam(0.1, 0.2, 0.8, 0.7, eta=0.01),
}
burn = {
    "adamw": with_torch(lambda p: o.AdamW(p, lr=0.02, betas=(0.9, 0.999), eps=1e-3, weight_decay=0.05)),
    "lamb": lamb(0.02, 0.9, 0.999, 1e-3),
    "lion": lion(0.01, 0.9, 0.99, 0.05),
    "adagrad": with_torch(lambda p: o.Adagrad(p, lr=0.1, eps=1e-3)),
    "lbfgs": with_torch_lbfgs(0.5, 2),
    "burn-sgd": with_torch(lambda p: o.SGD(p, lr=0.1, momentum=0.9, dampening=0.1, weight_decay=0.05)),
    "burn-rmsprop": with_torch(lambda p: o.RMSprop(p, lr=0.001, alpha=0.99, eps=1e-5, momentum=0.9, weight_decay=0.05)),
    "burn-adam": with_torch(lambda p: o.Adam(p, lr=0.02, eps=1e-5, weight_decay=0.05)),
}
json.dump(
    {
        "made_with": f"python {sys.version.split()[0]}, torch {torch.__version__}, numpy {np.__version__}, "
        f"schedulefree {importlib.metadata.version('schedulefree')}",
        "seed": 7,
        "x": X.ravel().tolist(),
        "labels": LABELS.tolist(),
        "start": np.concatenate([W0.ravel(), B0]).tolist(),
        "trajectories": reference,
        "burn": burn,
    },
    sys.stdout,
    indent=1,
)
