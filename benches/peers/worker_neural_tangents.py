"""Tangent kernels by neural-tangents; python3 worker_neural_tangents.py FOLDER, requests on standard input.

With structured derivatives, which run on JAX 0.4.23 and no newer, and all outputs: `[n, n, C, C]`.
"""

import common
import jax
import jax.numpy as jnp
import neural_tangents as nt
import numpy as np
from common import Case


def forward(params, x):
    for w, b in params[:-1]:
        x = jnp.tanh(x @ w + b)
    w, b = params[-1]
    return x @ w + b


def set_up(work, size, _):
    weights, x, _ = common.read(size)
    x, params = jnp.array(x), [(jnp.array(w.T), jnp.array(b)) for w, b in common.layers_of(weights)]
    structured = nt.NtkImplementation.STRUCTURED_DERIVATIVES
    function = nt.empirical_ntk_fn(forward, trace_axes=(), vmap_axes=0, implementation=structured)
    kernel = jax.jit(lambda x, params: function(x, None, params))

    def result(found):
        values = np.asarray(found)
        return {
            "trace": float(np.einsum("iikk", values, dtype=np.float64)),
            "norm": sum(float(np.sum(np.square(row, dtype=np.float64))) for row in values) ** 0.5,
            "sum": float(np.sum(values, dtype=np.float64)),
            # Between the first output of the first sample and the outputs of the second.
            "entries": values[0, 1, 0].tolist(),
        }

    return Case(lambda _: kernel(x, params).block_until_ready(), result)


common.serve(set_up)
