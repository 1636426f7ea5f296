"""The tangent kernel of tanh 64-512-512-1 on 1,797 samples in neural-tangents (f32), with structured derivatives; median in milliseconds.

python3 kernel.py

Needs JAX 0.4.23, SciPy below 1.13 and neural-tangents: the newest with which its structured derivatives run.
"""

import statistics
import time

import jax
import jax.numpy as jnp
import neural_tangents as nt
import numpy as np

N, SIZES = 1797, [64, 512, 512, 1]
random = np.random.default_rng(0)
x = jnp.array(random.uniform(-0.5, 0.5, (N, 64)).astype(np.float32))
params = [
    (jnp.array(random.uniform(-1, 1, (i, o)) / np.sqrt(i), jnp.float32), jnp.zeros(o)) for i, o in zip(SIZES, SIZES[1:])
]


def forward(params, x):
    for w, b in params[:-1]:
        x = jnp.tanh(x @ w + b)
    w, b = params[-1]
    return x @ w + b


structured = nt.NtkImplementation.STRUCTURED_DERIVATIVES
kernel = jax.jit(nt.empirical_ntk_fn(forward, trace_axes=(), vmap_axes=0, implementation=structured))
kernel(x, None, params).block_until_ready()
times = []
for _ in range(15):
    start = time.perf_counter()
    kernel(x, None, params).block_until_ready()
    times.append(time.perf_counter() - start)
print(f"neural-tangents, structured derivatives: {1e3 * statistics.median(times):.1f} ms ({1e3 * min(times):.1f} to {1e3 * max(times):.1f})")
