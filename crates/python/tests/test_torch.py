"""Networks of PyTorch."""

import copy
import warnings

import numpy as np
import pytest

import losscape
from losscape import Error

torch = pytest.importorskip("torch")


def network(norm: bool = True) -> "torch.nn.Module":
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.BatchNorm2d(4) if norm else torch.nn.Identity()]
    rest = [torch.nn.Tanh(), torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(16, 3)]
    return torch.nn.Sequential(*layers, *rest)


def data() -> "tuple[torch.Tensor, torch.Tensor]":
    random = torch.Generator().manual_seed(1)
    return torch.randn(24, 1, 8, 8, generator=random), torch.arange(24) % 3


def hessian_product(model: "torch.nn.Module", x: "torch.Tensor", y: "torch.Tensor") -> object:
    """PyTorch's own, by two backward passes."""
    parameters = list(model.parameters())
    loss = torch.nn.functional.cross_entropy(model(x), y)
    gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, parameters, create_graph=True)])

    def product(v: "torch.Tensor") -> "torch.Tensor":
        columns = torch.autograd.grad(gradient, parameters, v, retain_graph=True)
        return torch.cat([column.reshape(-1) for column in columns])

    return product


@pytest.mark.parametrize("mode", ["evaluation", "batch"])
def test_derivatives_are_those_of_torch(mode: str) -> None:
    # The module's own mode does not matter, and stays; a part may have another.
    model, (x, y) = network().train(mode != "batch"), data()
    model[2].train(mode == "batch")
    before, modes = copy.deepcopy(model.state_dict()), [part.training for part in model.modules()]
    objective = losscape.Objective.from_torch(model, x, y, mode=mode)
    assert [part.training for part in model.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    double = copy.deepcopy(model).double().train(mode == "batch")
    names = [name for name, _ in double.named_parameters()]
    assert list(objective.named_parameters()) == names
    loss = torch.nn.functional.cross_entropy(double(x.double()), y)
    gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss, list(double.parameters()))])
    assert objective.value() == pytest.approx(loss.item(), rel=1e-13)
    np.testing.assert_allclose(objective.gradient(), gradient.numpy(), atol=1e-13)
    v = torch.linspace(-1, 1, len(gradient), dtype=torch.float64)
    double = copy.deepcopy(model).double().train(mode == "batch")
    product = hessian_product(double, x.double(), y)(v)
    np.testing.assert_allclose(objective.hessian() @ v, product.numpy(), atol=1e-12)


def test_eigenvalues_through_torchs_own_product() -> None:
    model, (x, y) = network(), data()
    ours = losscape.Objective.from_torch(model, x, y).hessian().eigenpairs(k=3, tolerance=1e-8)
    model.eval().double()
    dim = sum(p.numel() for p in model.parameters())
    like = next(model.parameters())
    theirs = losscape.eigenpairs(hessian_product(model, x.double(), y), dim, 3, like=like, tolerance=1e-8)
    np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-8)


def test_another_state_of_the_same_network() -> None:
    model, (x, y) = network(norm=False), data()
    objective = losscape.Objective.from_torch(model, x, y)
    moved = copy.deepcopy(model).double()
    with torch.no_grad():
        [parameter.add_(0.1) for parameter in moved.parameters()]
    expected = torch.nn.functional.cross_entropy(moved(x.double()), y).item()
    assert objective.value(dict(moved.named_parameters())) == pytest.approx(expected, rel=1e-13)
    assert objective.at(moved.state_dict()).value() == pytest.approx(expected, rel=1e-13)


def test_what_is_not_known_is_named() -> None:
    x, y = data()

    class Branch(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.Linear(64, 3)

        def forward(self, x: "torch.Tensor") -> "torch.Tensor":
            z = self.inner(x.flatten(1))
            return z * 2 if z.sum() > 0 else z

    class Detached(Branch):
        def forward(self, x: "torch.Tensor") -> "torch.Tensor":
            return self.inner(x.flatten(1)).detach() * self.inner(x.flatten(1))

    with pytest.raises(Error, match="torch.export could not take"):
        losscape.Objective.from_torch(Branch(), x, y)
    with pytest.raises(Error, match="detach"):
        losscape.Objective.from_torch(Detached(), x, y)
    with pytest.raises(Error, match="drop"):
        dropping = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(64, 3))
        losscape.Objective.from_torch(dropping, x, y, mode="batch")
    with pytest.raises(Error, match="outputs|classes|label"):
        losscape.Objective.from_torch(network(), x, y + 5)


def test_samples_of_other_shapes() -> None:
    """Sequences of vectors, and classes that may stand on either axis."""
    torch.manual_seed(0)
    x, y = torch.randn(10, 6, 4), torch.arange(10) % 2
    along = torch.nn.Sequential(torch.nn.Conv1d(6, 3, 2), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(9, 2))
    expected = torch.nn.functional.cross_entropy(copy.deepcopy(along).double()(x.double()), y).item()
    objective = losscape.Objective.from_torch(along, x, y)
    assert objective.value() == pytest.approx(expected, rel=1e-13)
    for other in (x.numpy()[::-1].copy()[::-1], x.numpy().astype(">f4"), x.numpy().astype(np.float64)):
        assert losscape.Objective.from_torch(along, other, y.numpy()).value() == pytest.approx(expected, rel=1e-6)
    compiled = torch.compile(along)
    assert losscape.Objective.from_torch(compiled, x, y).value() == pytest.approx(expected, rel=1e-13)
    square = torch.nn.Sequential(torch.nn.Embedding(5, 5))
    tokens = torch.randint(5, (8, 5), generator=torch.Generator().manual_seed(0))
    with pytest.warns(losscape.Notice, match="last axis"):
        losscape.Objective.from_torch(square, tokens, tokens)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (torch.zeros(4, 3, dtype=torch.uint8), "bytes"),
        ((torch.zeros(4, 3), torch.zeros(4, 3)), "one tensor"),
        (np.ma.masked_equal(np.ones((4, 3)), 1), "mask"),
        (torch.zeros(0, 3), "no samples"),
    ],
)
def test_bad_samples_are_refused(x: object, words: str) -> None:
    with pytest.raises(Error, match=words):
        losscape.Objective.from_torch(torch.nn.Linear(3, 2), x, torch.zeros(4, dtype=torch.int64))
    with pytest.raises(Error, match="torch module"):
        losscape.Objective.from_torch(lambda x: x, x, torch.zeros(4, dtype=torch.int64))


def test_one_sample_and_tokens() -> None:
    model, (x, y) = network(norm=False), data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", losscape.Notice)
        one = losscape.Objective.from_torch(model, x[:1], y[:1])
        assert one.samples == 1
        torch.manual_seed(2)
        text = torch.nn.Sequential(torch.nn.Embedding(7, 4), torch.nn.Flatten(), torch.nn.Linear(20, 2))
        tokens = torch.randint(7, (10, 5), generator=torch.Generator().manual_seed(0))
        objective = losscape.Objective.from_torch(text, tokens, torch.arange(10) % 2)
    expected = torch.nn.functional.cross_entropy(text.double()(tokens), torch.arange(10) % 2).item()
    assert objective.value() == pytest.approx(expected, rel=1e-13)


def test_curvlinops_operators_are_taken() -> None:
    curvlinops = pytest.importorskip("curvlinops")
    model, (x, y) = network().eval().double(), data()
    loss, batches = torch.nn.CrossEntropyLoss(), [(x.double(), y)]
    operator = curvlinops.HessianLinearOperator(model, loss, list(model.parameters()), batches)
    found = losscape.eigenpairs(operator, k=2, tolerance=1e-7)
    ours = losscape.Objective.from_torch(model, x, y).hessian().eigenpairs(k=2, tolerance=1e-7)
    np.testing.assert_allclose(found.values, ours.values, rtol=1e-6)
