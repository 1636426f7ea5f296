"""Dense Hessians and tangent kernels of three small networks, in float64, by JAX and by PyTorch.

python3 derivatives.py > derivatives.json

Both calculate both; the numbers of JAX are written after they were found equal to PyTorch's. Made with JAX 0.10.2 and PyTorch 2.15.
Parameters are one flat vector in Burn's order: fields in the order of the struct, Linear weights [in, out], convolution weights [out, in, height,
width], rows first.
"""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import torch

jax.config.update("jax_enable_x64", True)
random = np.random.default_rng(20261123)


def split(flat, shapes, module):
    parts, at = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        parts.append(flat[at : at + size].reshape(shape))
        at += size
    return parts


def mlp(f, w, x):
    """tanh 3-4-3-2."""
    w1, b1, w2, b2, w3, b3 = w
    return f.tanh(f.tanh(x @ w1 + b1) @ w2 + b2) @ w3 + b3


def convolutional(f, w, x):
    """Convolution, GELU, residual convolution, average pooling, linear: [n, 1, 4, 4] to [n, 2]."""
    k1, b1, k2, b2, w3, b3 = w
    h = f.gelu(f.convolve(x, k1) + b1[None, :, None, None])
    h = h + f.convolve(h, k2) + b2[None, :, None, None]
    h = h.reshape(-1, 2, 2, 2, 2, 2).mean((3, 5))
    return h.reshape(-1, 8) @ w3 + b3


def attention(f, w, x):
    """One head with residual sum and layer norm, mean over positions, linear: [n, 3, 3] to [n, 2]."""
    wq, bq, wk, bk, wv, bv, gamma, beta, w, b = w
    q, k, v = x @ wq + bq, x @ wk + bk, x @ wv + bv
    h = x + f.softmax(f.times_transposed(q, k) / 3.0**0.5) @ v
    centered = h - h.mean(-1)[..., None]
    h = centered / ((centered**2).mean(-1)[..., None] + 1e-5) ** 0.5 * gamma + beta
    return h.mean(1) @ w + b


class Jax:
    tanh = staticmethod(jnp.tanh)
    softmax = staticmethod(lambda s: jax.nn.softmax(s, -1))
    gelu = staticmethod(lambda x: jax.nn.gelu(x, approximate=False))
    convolve = staticmethod(lambda x, k: jax.lax.conv_general_dilated(x, k, (1, 1), ((1, 1), (1, 1))))
    times_transposed = staticmethod(lambda a, b: jnp.einsum("nik,njk->nij", a, b))
    log_softmax = staticmethod(lambda s: jax.nn.log_softmax(s, -1))


class Torch:
    tanh = staticmethod(torch.tanh)
    softmax = staticmethod(lambda s: torch.softmax(s, -1))
    gelu = staticmethod(torch.nn.functional.gelu)
    convolve = staticmethod(lambda x, k: torch.nn.functional.conv2d(x, k, padding=1))
    times_transposed = staticmethod(lambda a, b: torch.einsum("nik,njk->nij", a, b))
    log_softmax = staticmethod(lambda s: torch.log_softmax(s, -1))


CASES = {
    "mlp": (mlp, [(3, 4), (4,), (4, 3), (3,), (3, 2), (2,)], (5, 3), "square"),
    "convolutional": (convolutional, [(2, 1, 3, 3), (2,), (2, 2, 3, 3), (2,), (8, 2), (2,)], (4, 1, 4, 4), "square"),
    "attention": (attention, [(3, 3), (3,)] * 3 + [(3,), (3,), (3, 2), (2,)], (4, 3, 3), "entropy"),
}

result = {}
for name, (network, shapes, input_shape, kind) in CASES.items():
    count = sum(int(np.prod(shape)) for shape in shapes)
    flat, x = random.uniform(-0.9, 0.9, count), random.uniform(-1, 1, input_shape)
    n = input_shape[0]
    y = random.uniform(-1, 1, (n, 2)) if kind == "square" else np.eye(2)[random.integers(0, 2, n)]

    def loss(f, output, target):
        if kind == "square":
            return 0.5 * ((output - target) ** 2).sum() / n
        return -(f.log_softmax(output) * target).sum() / n

    def on_jax(flat):
        return network(Jax, split(flat, shapes, jnp), jnp.array(x))

    def on_torch(flat):
        return network(Torch, split(flat, shapes, torch), torch.tensor(x))

    def both(of_jax, of_torch):
        ours, theirs = np.asarray(of_jax), of_torch.detach().numpy()
        assert np.abs(ours - theirs).max() < 1e-12 * max(1, np.abs(ours).max()), name
        return ours

    point = torch.tensor(flat, requires_grad=True)
    gradient = both(
        jax.grad(lambda w: loss(Jax, on_jax(w), y))(flat),
        torch.autograd.grad(loss(Torch, on_torch(point), torch.tensor(y)), point)[0],
    )
    hessian = both(
        jax.hessian(lambda w: loss(Jax, on_jax(w), y))(flat),
        torch.autograd.functional.hessian(lambda w: loss(Torch, on_torch(w), torch.tensor(y)), point),
    )
    jacobian = both(
        jax.jacrev(lambda w: on_jax(w).ravel())(flat),
        torch.autograd.functional.jacobian(lambda w: on_torch(w).ravel(), point),
    )
    result[name] = {
        "parameters": flat.tolist(),
        "x": x.ravel().tolist(),
        "y": y.ravel().tolist(),
        "samples": n,
        "gradient": gradient.tolist(),
        "hessian": hessian.ravel().tolist(),
        "kernel": (jacobian @ jacobian.T).ravel().tolist(),
    }
json.dump(result, sys.stdout)
