"""The works of compare.py in JAX; python3 worker_jax.py FOLDER, requests on standard input."""

import common
import jax
import jax.numpy as jnp
import numpy as np
from common import Case, numbers, vector

SCANNED = 100


def convolve(x, w, stride=1, padding=1):
    sides, layout = [(padding, padding)] * 2, ("NCHW", "OIHW", "NCHW")
    return jax.lax.conv_general_dilated(x, w, (stride, stride), sides, dimension_numbers=layout)


def sequential(p, statistics, x, train):
    places = sorted({int(name.split(".")[0]) for name in p})
    for at in places:
        w, b = p[f"{at}.weight"], p[f"{at}.bias"]
        if w.ndim == 4:
            x = jnp.tanh(convolve(x, w) + b[:, None, None])
            n, channels, height, width = x.shape
            x = x.reshape(n, channels, height // 2, 2, width // 2, 2).mean((3, 5))
        else:
            x = x.reshape(len(x), -1) @ w + b
            x = x if at == places[-1] else jnp.tanh(x)
    return x, statistics


def resnet(p, statistics, x, train):
    moved = {}

    def layer(x, convolution, norm, stride=1):
        w = p[f"{convolution}.weight"]
        x = convolve(x, w, stride, w.shape[-1] // 2)
        if f"{norm}.weight" not in p:
            return x + p[f"{convolution}.bias"][:, None, None]
        mean, variance = statistics[f"{norm}.running_mean"], statistics[f"{norm}.running_var"]
        if train:
            share, old = 0.1, (mean, variance)
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
            unbiased = variance * (x[:, 0].size / (x[:, 0].size - 1))
            moved[f"{norm}.running_mean"] = (1 - share) * old[0] + share * mean
            moved[f"{norm}.running_var"] = (1 - share) * old[1] + share * unbiased
        scale = p[f"{norm}.weight"] * jax.lax.rsqrt(variance + 1e-5)
        return (x - mean[:, None, None]) * scale[:, None, None] + p[f"{norm}.bias"][:, None, None]

    h = jax.nn.relu(layer(x, "conv1", "bn1"))
    for stage in [1, 2, 3]:
        for block in range(3):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            inner = jax.nn.relu(layer(h, f"{name}.conv1", f"{name}.bn1", stride))
            around = layer(h, f"{name}.downsample.0", f"{name}.downsample.1", stride) if stride > 1 else h
            h = jax.nn.relu(around + layer(inner, f"{name}.conv2", f"{name}.bn2"))
    return h.mean((2, 3)) @ p["fc.weight"] + p["fc.bias"], moved if train else statistics


def vit(p, statistics, x, train):
    heads = 4

    def norm(x, name):
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + 1e-6) * p[f"{name}.weight"] + p[f"{name}.bias"]

    def attention(x, name):
        n, length, width = x.shape
        qkv = x @ p[f"{name}.in_proj_weight"] + p[f"{name}.in_proj_bias"]
        q, k, v = jnp.moveaxis(qkv.reshape(n, length, 3, heads, width // heads), (2, 3), (0, 2))
        weights = jax.nn.softmax(q @ jnp.swapaxes(k, -1, -2) / np.sqrt(width // heads))
        mixed = jnp.moveaxis(weights @ v, 1, 2).reshape(n, length, width)
        return mixed @ p[f"{name}.out_proj.weight"] + p[f"{name}.out_proj.bias"]

    def perceptron(x, name):
        x = jax.nn.gelu(x @ p[f"{name}.0.weight"] + p[f"{name}.0.bias"], approximate=False)
        return x @ p[f"{name}.3.weight"] + p[f"{name}.3.bias"]

    patches = convolve(x, p["conv_proj.weight"], 4, 0) + p["conv_proj.bias"][:, None, None]
    patches = jnp.swapaxes(patches.reshape(*patches.shape[:2], -1), 1, 2)
    token = jnp.broadcast_to(p["class_token"], (len(x), 1, patches.shape[2]))
    h = jnp.concatenate([token, patches], 1) + p["encoder.pos_embedding"]
    for at in range(2):
        name = f"encoder.layers.encoder_layer_{at}"
        h = h + attention(norm(h, f"{name}.ln_1"), f"{name}.self_attention")
        h = h + perceptron(norm(h, f"{name}.ln_2"), f"{name}.mlp")
    h = norm(h, "encoder.ln")[:, 0]
    return h @ p["heads.head.weight"] + p["heads.head.bias"], statistics


FORWARDS = {None: sequential, "resnet": resnet, "plain": resnet, "vit": vit}


def loss_for(case, train=False):
    """The loss as a function of parameters, running statistics, inputs and targets, with the statistics moved."""
    forward = FORWARDS[common.network_of(case)]

    def loss_of(params, statistics, x, y):
        f, statistics = forward(params, statistics, x, train)
        if y.ndim == 2:
            return 0.5 * jnp.sum((f - y) ** 2) / len(y), statistics
        return -jnp.mean(jax.nn.log_softmax(f)[jnp.arange(len(y)), y]), statistics

    return loss_of


def turned(w):
    """W [in, out] of W [out, in] and back; all else stays."""
    return w.T if w.ndim == 2 else w


def split(weights):
    """Parameters in the layout of the forwards, and running statistics."""
    running = lambda name: "running" in name
    params = {name: jnp.array(turned(w)) for name, w in weights.items() if not running(name)}
    return params, {name: jnp.array(w) for name, w in weights.items() if running(name)}


def flat(params):
    """Parameters as one vector in PyTorch's order."""
    return np.concatenate([np.asarray(turned(w)).ravel() for w in params.values()])


def unflat(v, params):
    """The parameters of a vector in PyTorch's order."""
    parts, at = {}, 0
    for name, w in params.items():
        end = at + w.size
        parts[name] = turned(v[at:end].reshape(turned(w).shape))
        at = end
    return parts


def descent(loss_of, rate, rho=0.0):
    """A step of gradient descent, with SAM of radius rho unless that is zero: new parameters and running statistics,
    loss at the old ones."""

    def step(state, x, y):
        params, statistics = state
        (value, moved), gradient = jax.value_and_grad(loss_of, has_aux=True)(params, statistics, x, y)
        if rho:
            scale = rho / jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree.leaves(gradient)))
            there = jax.tree.map(lambda w, g: w + scale * g, params, gradient)
            gradient, _ = jax.grad(loss_of, has_aux=True)(there, statistics, x, y)
        return (jax.tree.map(lambda w, g: w - rate * g, params, gradient), moved), value

    return step


def scanned(step, steps):
    """So many steps in one loop, and the losses before them."""
    return lambda state, x, y: jax.lax.scan(lambda state, _: step(state, x, y), state, None, steps)


def ordered(params, like):
    """JAX sorts the names."""
    return {name: params[name] for name in like}


def training(size, way):
    case = f"step-{size}"
    weights, x, y = common.read(case)
    batch = len(x) // 4
    x, y = jnp.array(x[:batch]), jnp.array(y[:batch])
    rho = common.RHO if way == "sam" else 0.0
    loss_of, start = loss_for(case, train=True), split(weights)
    # Ten steps at a rate that shows in f32, for comparison.
    (params, _), losses = jax.jit(scanned(descent(loss_of, 1e-3, rho), 10))(start, x, y)
    agreement = {"losses": losses.tolist(), **vector(flat(ordered(params, start[0])) - flat(start[0]))}
    step, held = descent(loss_of, common.RATE, rho), [split(weights)]
    step = jax.jit(scanned(step, SCANNED) if way == "scan" else step, donate_argnums=0)

    def work(_):
        held[0], values = step(held[0], x, y)
        return float(values[-1] if way == "scan" else values)

    return Case(work, lambda _: agreement, SCANNED if way == "scan" else 1)


def study(way):
    case = "step-64-64-10-64"
    weights, x, y = common.read(case)
    x, y = jnp.array(x[: len(x) // 4]), jnp.array(y[: len(y) // 4])
    loss_of, like = loss_for(case), split(weights)[0]

    def run(seed, x, y):
        keys = iter(jax.random.split(jax.random.key(seed), len(like)))
        draw = lambda key, w: jax.random.normal(key, w.shape) / np.sqrt(w.shape[0])
        params = {name: draw(next(keys), w) if w.ndim == 2 else jnp.zeros(len(w)) for name, w in like.items()}
        state, _ = scanned(descent(loss_of, common.STUDY_RATE), common.STUDY_STEPS)((params, {}), x, y)
        return loss_of(*state, x, y)[0]

    one, all_at_once = jax.jit(run), jax.jit(jax.vmap(run, in_axes=(0, None, None)))
    work = {
        "scan": lambda _: [float(one(seed, x, y)) for seed in range(common.STUDY_RUNS)],
        "vmap": lambda _: all_at_once(jnp.arange(common.STUDY_RUNS), x, y).tolist(),
    }
    return Case(work[way], lambda losses: {"estimates": losses})


def problem(case):
    """The parameters, and the loss as a function of them, of inputs and targets."""
    weights, x, y = common.read(case)
    params, statistics = split(weights)
    loss_of = loss_for(case)
    return params, lambda params, x, y: loss_of(params, statistics, x, y)[0], jnp.array(x), jnp.array(y)


def gradient(name):
    params, loss_of, x, y = problem(name)
    both = jax.jit(jax.value_and_grad(loss_of))

    def result(found):
        value, gradient = found
        return {"loss": float(value), **vector(flat(ordered(gradient, params)))}

    return Case(lambda _: jax.block_until_ready(both(params, x, y)), result)


def product(name, directions, way):
    """Products with rows of `numbers`: "linearize" keeps what it needs of the point, "jvp" calculates it anew."""
    params, loss_of, x, y = problem(name)
    slope = lambda params, x, y: jax.grad(loss_of)(params, x, y)
    if way == "linearize":
        along, point = jax.linearize(lambda params: slope(params, x, y), params)[1], ()
    else:
        along = lambda v, params, x, y: jax.jvp(lambda params: slope(params, x, y), (params,), (v,))[1]
        point = (params, x, y)
    rows = [unflat(row, params) for row in numbers(int(directions), flat(params).size)]
    if directions == "1":
        v, apply = jax.tree.map(jnp.array, rows[0]), jax.jit(along)
        split = lambda found: [found]
    else:
        v = jax.tree.map(lambda *parts: jnp.stack(parts), *rows)
        apply = jax.jit(jax.vmap(along, in_axes=(0, *[None for _ in point])))
        split = lambda found: [jax.tree.map(lambda part: part[at], found) for at in range(len(rows))]
    result = lambda found: vector(np.concatenate([flat(ordered(row, params)) for row in split(found)]))
    return Case(lambda _: jax.block_until_ready(apply(v, *point)), result)


def eigenvalues(count):
    from scipy.sparse.linalg import LinearOperator

    params, loss_of, x, y = problem("digits")
    w = jnp.array(flat(params))
    apply = jax.jit(jax.linearize(jax.grad(lambda w: loss_of(unflat(w, params), x, y)), w)[1])
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
