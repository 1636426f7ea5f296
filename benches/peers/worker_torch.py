"""The works of compare.py in PyTorch, and by curvlinops, PyHessian and hessian-eigenthings.

python3 worker_torch.py FOLDER, requests on standard input.
"""

import itertools
import pathlib
import sys

import common
import numpy as np
import torch
from common import Case, numbers, vector
from torch.nn.attention import SDPBackend, sdpa_kernel

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "crates/lab/tests/reference"))
from modules import ResNet, Vit

torch.set_num_threads(2)


class SquaredError(torch.nn.Module):
    """1/(2n) Σ (F - Y)²; curvlinops asks for `reduction`."""

    reduction = "mean"

    def forward(self, output, target):
        return 0.5 * ((output - target) ** 2).sum() / len(output)


def module(name):
    """A network by name."""
    if name == "vit":
        return Vit(3, 64, 4, 2, 64, 4, 10)
    if name == "resnet18":
        return ResNet(3, 64, [2, 2, 2, 2], torch.nn.BatchNorm2d, torch.nn.ReLU(), 10)
    return ResNet(3, 16, [3, 3, 3], torch.nn.BatchNorm2d if name == "resnet" else None, torch.nn.ReLU(), 10)


def network(case, weights):
    """The network of a case, at inference."""
    named = common.network_of(case)
    if named:
        net = module(named)
    else:
        parts, images = [], False
        for w, _ in common.layers_of(weights):
            convolution = w.ndim == 4
            layer = torch.nn.Conv2d(*w.shape[1::-1], 3, padding=1) if convolution else torch.nn.Linear(*w.T.shape)
            if images and not convolution:
                parts.append(torch.nn.Flatten())
            images = convolution
            parts += [layer, torch.nn.Tanh()] + [torch.nn.AvgPool2d(2)] * convolution
        net = torch.nn.Sequential(*parts[:-1])
    counts = {key: value for key, value in net.state_dict().items() if key.endswith("num_batches_tracked")}
    net.load_state_dict({**{key: torch.tensor(value) for key, value in weights.items()}, **counts})
    return net.eval()


def loss_for(y):
    return torch.nn.CrossEntropyLoss() if y.ndim == 1 else SquaredError()


def flat(tensors):
    return torch.cat([part.detach().ravel() for part in tensors]).numpy()


def split(v, parameters):
    """A vector in the shapes of the parameters."""
    parts = torch.tensor(v).split([p.numel() for p in parameters])
    return [part.reshape(p.shape) for part, p in zip(parts, parameters)]


def stepper(net, x, y, rate):
    """A step of gradient descent in training mode that gives the loss before it."""
    net.train()
    optimizer, loss = torch.optim.SGD(net.parameters(), lr=rate), loss_for(y)

    def step(_=None):
        optimizer.zero_grad()
        value = loss(net(x), y)
        value.backward()
        optimizer.step()
        return value.item()

    return step


def first_batch(name):
    weights, x, y = common.read(name)
    batch = len(x) // 4
    return weights, torch.tensor(x[:batch]), torch.tensor(y[:batch])


def training(size):
    case = f"step-{size}"
    weights, x, y = first_batch(case)
    net = network(case, weights)
    before = flat(net.parameters())
    # Ten steps at a rate that shows in f32, for comparison.
    step = stepper(net, x, y, 1e-3)
    agreement = {"losses": [step() for _ in range(10)], **vector(flat(net.parameters()) - before)}
    return Case(stepper(network(case, weights), x, y, common.RATE), lambda _: agreement)


def study():
    """A tenth of the runs; times are of all."""
    case = "step-64-64-10-64"
    weights, x, y = first_batch(case)

    def run(seed):
        torch.manual_seed(seed)
        net = network(case, weights)
        with torch.no_grad():
            for layer in net[::2]:
                layer.weight.normal_(0, layer.in_features**-0.5), layer.bias.zero_()
        step = stepper(net, x, y, common.STUDY_RATE)
        for _ in range(common.STUDY_STEPS):
            step()
        with torch.no_grad():
            return loss_for(y)(net(x), y).item()

    work = lambda _: [run(seed) for seed in range(common.STUDY_RUNS // 10)]
    return Case(work, lambda losses: {"estimates": losses}, 0.1)


def problem(name):
    weights, x, y = common.read(name)
    net = network(name, weights)
    return net, list(net.parameters()), torch.tensor(x), torch.tensor(y)


def gradient(name):
    net, parameters, x, y = problem(name)
    loss = SquaredError()

    def work(_):
        value = loss(net(x), y)
        return value.item(), torch.autograd.grad(value, parameters)

    return Case(work, lambda found: {"loss": found[0], **vector(flat(found[1]))})


def kept_graph(name):
    """The parameters, and the gradient with the graph that makes it."""
    net, parameters, x, y = problem(name)
    return parameters, torch.autograd.grad(SquaredError()(net(x), y), parameters, create_graph=True)


def curvlinops(name):
    """The operator; `products` counts columns."""
    from curvlinops import HessianLinearOperator

    class Counted(HessianLinearOperator):
        products = 0

        def _matmat(self, block):
            self.products += block[0].shape[-1]
            return super()._matmat(block)

    net, parameters, x, y = problem(name)
    return Counted(net, SquaredError(), parameters, [(x, y)])


def eigenthings(name):
    """The operator of hessian-eigenthings; `products` counts."""
    from hessian_eigenthings import HessianOperator

    class Counted(HessianOperator):
        products = 0

        def matvec(self, v):
            self.products += 1
            return super().matvec(v)

    net, _, x, y = problem(name)
    loss = SquaredError()
    return Counted(net, [(x, y)], lambda net, batch: loss(net(batch[0]), batch[1]))


def pyhessian():
    """The class with its graph, and a list that grows with every product of any of them."""
    from pyhessian import hessian

    # The package's attribute of this name is the class.
    module = sys.modules["pyhessian.hessian"]
    if not hasattr(module, "products"):
        module.products, uncounted = [], module.hessian_vector_product
        module.hessian_vector_product = lambda *given: module.products.append(1) or uncounted(*given)
    net, _, x, y = problem("digits")
    return hessian(net, SquaredError(), data=(x, y), cuda=False), module.products


def product(name, directions, way):
    count = int(directions)
    if way in ["kept", "batched"]:
        parameters, kept = kept_graph(name)
        rows = [split(row, parameters) for row in numbers(count, sum(p.numel() for p in parameters))]
        again = lambda v, **ways: torch.autograd.grad(kept, parameters, v, retain_graph=True, **ways)
        if way == "kept":
            result = lambda found: vector(np.concatenate([flat(row) for row in found]))
            return Case(lambda _: [again(v) for v in rows], result)
        stacked = [torch.stack(parts) for parts in zip(*rows)]
        result = lambda found: vector(torch.cat([part.reshape(count, -1) for part in found], 1))
        return Case(lambda _: again(stacked, is_grads_batched=True), result)
    if way == "curvlinops":
        operator = curvlinops(name)
        v = torch.tensor(numbers(count, operator.shape[1])).T.contiguous()
        v = v[:, 0] if count == 1 else v
        return Case(lambda _: operator @ v, lambda found: vector(found.detach().reshape(-1, count).T))
    operator = eigenthings(name)
    v = torch.tensor(numbers(count, operator.size))
    return Case(lambda _: [operator.matvec(row) for row in v], lambda found: vector(torch.stack(found).detach()))


def eigenvalues(count, way):
    """`count` eigenvalues, PyHessian five of ten; residuals are calculated in f32 with a PyTorch graph."""
    count = int(count)
    if way == "curvlinops":
        operator = curvlinops("digits")
        exported = operator.to_scipy(np.float32)

        def find(_):
            operator.products = 0
            return *common.top(count, exported, np.float32), operator.products

    elif way == "eigenthings":
        from hessian_eigenthings import lanczos

        operator = eigenthings("digits")
        solve = lambda steps, seed: lanczos(operator, k=count, max_iter=steps, tol=1e-3, which="LA", seed=seed)
        # It takes as many steps as it is told; the fewest that are enough.
        enough = next(steps for steps in itertools.count(2 * count + 2, 2) if solve(steps, 0).converged.all())

        def find(_):
            operator.products = 0
            found = solve(enough, 0)
            return found.eigenvalues.numpy(), found.eigenvectors.numpy(), operator.products

    else:
        made, products = pyhessian()

        def find(seed):
            torch.manual_seed(seed)
            products.clear()
            values, vectors = made.eigenvalues(top_n=min(count, 5))
            return np.array(values), [flat(v) for v in vectors], len(products)

    parameters, kept = kept_graph("digits")
    apply = lambda v: flat(torch.autograd.grad(kept, parameters, split(v, parameters), retain_graph=True))

    def result(found):
        values, vectors, used = found
        residual = common.largest_residual(apply, values, [np.asarray(v, np.float32) for v in vectors])
        return {"values": values.tolist(), "residual": residual, "products": used}

    return Case(find, result)


def trace(way):
    """The trace from 30 products; the estimates of all calls so far."""
    if way == "pyhessian":
        made, _ = pyhessian()
        # No tolerance, for it stops early by the change of the running mean.
        estimate = lambda: float(np.mean(made.trace(maxIter=common.PRODUCTS, tol=-np.inf)))
    else:
        import curvlinops as library

        operator = curvlinops("digits")
        estimator = {"hutchinson": "hutchinson_trace", "hutch++": "hutchpp_trace", "xtrace": "xtrace"}[way]
        estimate = lambda: getattr(library, estimator)(operator, common.PRODUCTS).item()
    estimates = []

    def work(seed):
        torch.manual_seed(seed)
        estimates.append(estimate())

    return Case(work, lambda _: {"estimates": estimates, "products": common.PRODUCTS})


def density():
    """The spectral density by Lanczos with one probe of 50 steps, on curvlinops' own grid; its mass is one."""
    import curvlinops as library

    operator = curvlinops("digits")

    def work(seed):
        torch.manual_seed(seed)
        return library.lanczos_approximate_spectrum(operator, 50)

    return Case(work, lambda found: {"sum": torch.trapezoid(found[1], found[0]).item(), "products": 50})


def kernel(name):
    """J Jᵀ of all outputs, from the Jacobians of single samples (PyTorch's tutorial on tangent kernels)."""
    from torch.func import functional_call, jacrev, vmap

    net, _, x, _ = problem(name)
    parameters = {key: value.detach() for key, value in net.named_parameters()}
    one = lambda parameters, x: functional_call(net, parameters, (x[None],))[0]

    def work(_):
        jacobians = vmap(jacrev(one), (None, 0))(parameters, x)
        rows = [part.flatten(0, 1).flatten(1) for part in jacobians.values()]
        return sum(part @ part.T for part in rows)

    def result(found):
        values, outputs = found.double(), len(found) // len(x)
        return {
            "trace": values.trace().item(),
            "norm": values.norm().item(),
            "sum": values.sum().item(),
            "entries": values[0, outputs : 2 * outputs].tolist(),
        }

    return Case(work, result)


def matmul(size):
    m, k, n = map(int, size.split("-"))
    a, b = torch.tensor(numbers(m, k)), torch.tensor(numbers(k, n))
    return Case(lambda _: a @ b, vector)


def set_up(work, *ways):
    match (work, *ways):
        case "step", size, _:
            return training(size)
        case "study", _:
            return study()
        case "gradient", name, _:
            return gradient(name)
        case "product", name, directions, way:
            return product(name, directions, way)
        case "eigenvalues", count, way:
            return eigenvalues(count, way)
        case "trace", way:
            return trace(way)
        case "density", _:
            return density()
        case "kernel", name, _:
            return kernel(name)
        case "matmul", size, _:
            return matmul(size)
    raise ValueError(f"there is no case {work}/{'/'.join(ways)}")


if __name__ == "__main__":
    # The fused kernels of attention have no second derivatives.
    with sdpa_kernel(SDPBackend.MATH):
        common.serve(set_up)
