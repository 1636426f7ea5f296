"""The works of compare.py in JAX; python3 worker_jax.py FOLDER, requests on standard input."""

import common
import jax
import jax.numpy as jnp
import numpy as np
from common import Case, numbers, vector

SCANNED = 100


def forward(params, x):
    for w, b in params[:-1]:
        if w.ndim == 4:
            x = jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"))
            x = jnp.tanh(x + b[:, None, None])
            n, channels, height, width = x.shape
            x = x.reshape(n, channels, height // 2, 2, width // 2, 2).mean((3, 5))
        else:
            x = jnp.tanh(x.reshape(len(x), -1) @ w + b)
    w, b = params[-1]
    return x @ w + b


def loss_of(params, x, y):
    f = forward(params, x)
    if y.ndim == 2:
        return 0.5 * jnp.sum((f - y) ** 2) / len(y)
    return -jnp.mean(jax.nn.log_softmax(f)[jnp.arange(len(y)), y])


def transposed(layers):
    """Layers with W [in, out], the layout of `forward`."""
    return [(jnp.array(turned(w)), jnp.array(b)) for w, b in layers]


def turned(w):
    """W [in, out] of W [out, in]; kernels stay."""
    return w.T if w.ndim == 2 else w


def flat(params):
    """Parameters as one vector in PyTorch's order."""
    return np.concatenate([np.concatenate([np.asarray(turned(w)).ravel(), np.asarray(b)]) for w, b in params])


def unflat(v, layers):
    """The layers [in, out] of a vector in PyTorch's order."""
    parts, at = [], 0
    for w, b in layers:
        end = at + w.size
        parts.append((turned(v[at:end].reshape(w.shape)), v[end : end + b.size]))
        at = end + b.size
    return parts


def descent(rate, rho=0.0):
    """A step of gradient descent, with SAM of radius rho unless that is zero: new parameters, loss at the old ones."""

    def step(params, x, y):
        value, gradient = jax.value_and_grad(loss_of)(params, x, y)
        if rho:
            scale = rho / jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree.leaves(gradient)))
            gradient = jax.grad(loss_of)(jax.tree.map(lambda w, g: w + scale * g, params, gradient), x, y)
        return jax.tree.map(lambda w, g: w - rate * g, params, gradient), value

    return step


def scanned(step, steps):
    """So many steps in one loop, and the losses before them."""
    return lambda params, x, y: jax.lax.scan(lambda params, _: step(params, x, y), params, None, steps)


def training(size, way):
    layers, x, y = common.read(f"step-{size}")
    batch = len(x) // 4
    x, y = jnp.array(x[:batch]), jnp.array(y[:batch])
    rho = common.RHO if way == "sam" else 0.0
    # Ten steps at a rate that shows in f32, for comparison.
    params, losses = jax.jit(scanned(descent(1e-2, rho), 10))(transposed(layers), x, y)
    agreement = {"losses": losses.tolist(), **vector(flat(params) - flat(transposed(layers)))}
    step, held = descent(common.RATE, rho), [transposed(layers)]
    step = jax.jit(scanned(step, SCANNED) if way == "scan" else step, donate_argnums=0)

    def work(_):
        held[0], values = step(held[0], x, y)
        return float(values[-1] if way == "scan" else values)

    return Case(work, lambda _: agreement, SCANNED if way == "scan" else 1)


def study(way):
    layers, x, y = common.read("step-64-64-10-64")
    x, y = jnp.array(x[: len(x) // 4]), jnp.array(y[: len(y) // 4])

    def run(seed, x, y):
        keys = jax.random.split(jax.random.key(seed), len(layers))
        draw = lambda key, w: jax.random.normal(key, w.T.shape) / np.sqrt(w.shape[1])
        params = [(draw(key, w), jnp.zeros(len(b))) for key, (w, b) in zip(keys, layers)]
        params, _ = scanned(descent(common.STUDY_RATE), common.STUDY_STEPS)(params, x, y)
        return loss_of(params, x, y)

    one, all_at_once = jax.jit(run), jax.jit(jax.vmap(run, in_axes=(0, None, None)))
    work = {
        "scan": lambda _: [float(one(seed, x, y)) for seed in range(common.STUDY_RUNS)],
        "vmap": lambda _: all_at_once(jnp.arange(common.STUDY_RUNS), x, y).tolist(),
    }
    return Case(work[way], lambda losses: {"estimates": losses})


def problem(name):
    layers, x, y = common.read(name)
    return layers, transposed(layers), jnp.array(x), jnp.array(y)


def gradient(name):
    _, params, x, y = problem(name)
    both = jax.jit(jax.value_and_grad(loss_of))

    def result(found):
        value, gradient = found
        return {"loss": float(value), **vector(flat(gradient))}

    return Case(lambda _: jax.block_until_ready(both(params, x, y)), result)


def product(name, directions, way):
    """Products with rows of `numbers`: "linearize" keeps what it needs of the point, "jvp" calculates it anew."""
    layers, params, x, y = problem(name)
    slope = lambda params, x, y: jax.grad(loss_of)(params, x, y)
    if way == "linearize":
        along, point = jax.linearize(lambda params: slope(params, x, y), params)[1], ()
    else:
        along = lambda v, params, x, y: jax.jvp(lambda params: slope(params, x, y), (params,), (v,))[1]
        point = (params, x, y)
    rows = [unflat(row, layers) for row in numbers(int(directions), flat(params).size)]
    if directions == "1":
        v, apply = jax.tree.map(jnp.array, rows[0]), jax.jit(along)
        split = lambda found: [found]
    else:
        v = jax.tree.map(lambda *parts: jnp.stack(parts), *rows)
        apply = jax.jit(jax.vmap(along, in_axes=(0, *[None for _ in point])))
        split = lambda found: [jax.tree.map(lambda part: part[at], found) for at in range(len(rows))]
    result = lambda found: vector(np.concatenate([flat(row) for row in split(found)]))
    return Case(lambda _: jax.block_until_ready(apply(v, *point)), result)


def eigenvalues(count):
    from scipy.sparse.linalg import LinearOperator

    layers, params, x, y = problem("digits")
    w = jnp.array(flat(params))
    apply = jax.jit(jax.linearize(jax.grad(lambda w: loss_of(unflat(w, layers), x, y)), w)[1])
    products = [0]

    def once(v):
        products[0] += 1
        return np.asarray(apply(v.ravel()))

    operator = LinearOperator((w.size, w.size), matvec=once, dtype=np.float32)

    def work(_):
        products[0] = 0
        return *common.top(int(count), operator, np.float32), products[0]

    def result(found):
        values, vectors, used = found
        residual = common.largest_residual(once, values, vectors)
        return {"values": values.tolist(), "residual": residual, "products": used}

    return Case(work, result)


def matmul(size):
    m, k, n = map(int, size.split("-"))
    a, b, apply = jnp.array(numbers(m, k)), jnp.array(numbers(k, n)), jax.jit(jnp.matmul)
    return Case(lambda _: jax.block_until_ready(apply(a, b)), vector)


def set_up(work, *ways):
    match (work, *ways):
        case "step", size, way:
            return training(size, way)
        case "study", way:
            return study(way)
        case "gradient", name, _:
            return gradient(name)
        case "product", name, directions, way:
            return product(name, directions, way)
        case "eigenvalues", count, _:
            return eigenvalues(count)
        case "matmul", size, _:
            return matmul(size)
    raise ValueError(f"there is no case {work}/{'/'.join(ways)}")


common.serve(set_up)
