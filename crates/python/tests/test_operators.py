"""Any matrix-vector product."""

import threading
import time

import numpy as np
import pytest

import losscape
from losscape import Error

ALGORITHMS = [
    lambda a, **settings: losscape.eigenpairs(a, k=2, **settings),
    losscape.spectrum,
    losscape.density,
    losscape.trace,
    losscape.diagonal,
]


def test_multiple_eigenvalues_are_found_with_their_bounds(matrix: np.ndarray) -> None:
    found = losscape.eigenpairs(matrix, k=4, which="both")
    truth = np.linalg.eigvalsh(matrix)
    expected = np.concatenate([truth[::-1][:4], truth[:4]])
    assert (abs(found.values - expected) <= found.error_bounds).all()
    assert found.vectors.shape == (80, 8)
    residuals = np.linalg.norm(matrix @ found.vectors - found.vectors * found.values, axis=0)
    assert (residuals <= found.residuals * (1 + 1e-6) + 1e-14).all()
    assert found.unseen_above is not None and found.unseen_above >= truth[-5] - 1e-9


def test_all_sources_of_one_matrix_agree(matrix: np.ndarray) -> None:
    scipy = pytest.importorskip("scipy.sparse.linalg")
    sources = {
        "array": (matrix, None),
        "function": (lambda v: matrix @ v, 80),
        "list": (lambda v: (matrix @ v).tolist(), 80),
        "column": (lambda v: (matrix @ v)[:, None], 80),
        "LinearOperator": (scipy.aslinearoperator(matrix), None),
    }
    values = [losscape.eigenpairs(source, dim, k=3).values for source, dim in sources.values()]
    for other in values[1:]:
        np.testing.assert_allclose(other, values[0], rtol=1e-12)


@pytest.mark.parametrize("name", ["float64", "float32"])
def test_torch_sees_tensors_of_its_type(matrix: np.ndarray, name: str) -> None:
    torch = pytest.importorskip("torch")
    a = torch.tensor(matrix, dtype=getattr(torch, name))
    seen = set()

    def product(v: object) -> object:
        seen.add(v.dtype)
        return a @ v

    by_function = losscape.eigenpairs(product, dim=80, k=3, like=a)
    assert seen == {a.dtype}
    for found in (by_function, losscape.eigenpairs(a, k=3)):
        # The entries of the matrix have been rounded.
        rounding = 80 * np.finfo(name).eps * 5
        assert (abs(found.values - 5.0) <= found.error_bounds + rounding).all()
        assert found.error_bounds.max() < 1e-3


def test_estimates_carry_their_errors(matrix: np.ndarray) -> None:
    exact = np.trace(matrix)
    off = [
        abs(found.value - exact) / found.standard_error
        for seed in range(20)
        for method in ("hutchinson", "hutch++", "xtrace")
        if (found := losscape.trace(matrix, products=24, method=method, seed=seed)).standard_error
    ]
    assert np.mean(np.array(off) < 2) > 0.85, off
    diagonal = losscape.diagonal(matrix, products=40)
    within = abs(diagonal.values - np.diag(matrix)) <= 3 * diagonal.standard_errors
    assert within.mean() > 0.95
    assert losscape.diagonal(matrix, products=80).standard_errors.max() == 0
    points = np.linspace(-8, 10, 4001)
    density = losscape.density(matrix).at(points, sigma=0.2)
    assert abs(density.sum() * (points[1] - points[0]) - 1) < 1e-6


def test_bounds_know_how_exact_products_are(matrix: np.ndarray) -> None:
    """Products in float32 inside of float64, and ones that are not quite symmetric."""
    rounded = matrix.astype(np.float32)
    noise = 1e-6 * np.random.default_rng(1).standard_normal(matrix.shape)
    for product, truth in [
        (lambda v: (rounded @ v.astype(np.float32)).astype(np.float64), rounded.astype(np.float64)),
        (lambda v: matrix @ v + noise @ v, matrix + (noise + noise.T) / 2),
    ]:
        found = losscape.eigenpairs(product, dim=80, k=4, which="both", tolerance=1e-9)
        values = np.linalg.eigvalsh(truth)
        expected = np.concatenate([values[::-1][:4], values[:4]])
        off = abs(found.values - expected)
        assert (off <= found.error_bounds).all(), (off, found.error_bounds)
        assert found.error_bounds.max() < 1e-3
        spectrum = losscape.spectrum(product, dim=80, top=4, bottom=4)
        assert all(
            abs(pair["value"] - value) <= pair["error_bound"] for pair, value in zip(spectrum.top, values[::-1][:4])
        )


def test_tensors_share_memory_with_the_vectors_of_rust(matrix: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    seen: list[bool] = []

    def product(v: object) -> object:
        seen.append(v.numpy().base is not None)
        return torch.from_numpy(matrix) @ v

    losscape.eigenpairs(product, dim=80, k=1, like=torch.empty(0, dtype=torch.float64), check=False)
    assert seen and all(seen)
    owned: list[bool] = []
    losscape.eigenpairs(lambda v: (owned.append(v.flags.owndata), matrix @ v)[1], dim=80, k=1, check=False)
    # They are views of vectors that Rust made.
    assert owned and not any(owned)


@pytest.mark.parametrize("name", ["float64", "float32"])
@pytest.mark.parametrize("exponent", [-25, -12, 0, 12, 25])
def test_scales_do_not_matter(matrix: np.ndarray, name: str, exponent: int) -> None:
    """Squares of such entries leave the range of float32."""
    scaled = (matrix * 10.0 ** (exponent if name == "float32" else 8 * exponent)).astype(name)
    values = np.linalg.eigvalsh(scaled.astype(np.float64) / np.abs(scaled).max()) * float(np.abs(scaled).max())
    found = losscape.eigenpairs(scaled, k=3, which="both")
    expected = np.concatenate([values[::-1][:3], values[:3]])
    assert (abs(found.values - expected) <= found.error_bounds).all()
    assert found.error_bounds.max() < 1e-3 * abs(values).max()
    nodes = losscape.density(scaled, probes=1, steps=80).probes[0]
    nearest = abs(values[None, :] - nodes[:, :1]).min(axis=1)
    assert (nearest <= nodes[:, 2]).all()


def test_solutions_say_their_own_residual(matrix: np.ndarray) -> None:
    positive = (matrix + 3 * np.eye(80)).astype(np.float32)
    b = np.arange(80, dtype=np.float32)
    for method in ("cg", "minres"):
        solution = losscape.solve(positive, b, method=method, tolerance=1e-12)
        residual = np.linalg.norm(b - positive.astype(np.float64) @ solution.x.astype(np.float64))
        assert solution.ended == "stagnated"
        assert residual <= 2 * solution.residual + 1e-6 * np.linalg.norm(b)


def test_whole_numbers_are_numbers() -> None:
    torch = pytest.importorskip("torch")
    expected = [(5 + 5**0.5) / 2, (5 - 5**0.5) / 2]
    for operator in (np.array([[2, 1], [1, 3]]), torch.tensor([[2, 1], [1, 3]])):
        np.testing.assert_allclose(losscape.eigenpairs(operator, k=2).values, expected)


def test_ends_that_were_not_asked_for_widen_bounds_too() -> None:
    """The size of rounding is that of the largest eigenvalue, at whichever end."""
    basis, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((300, 300)))
    basis, values = basis.astype(np.float32), np.append(np.linspace(-1e6, 0, 299), 1).astype(np.float32)
    truth = np.linalg.eigvalsh(basis.astype(np.float64) * values @ basis.T.astype(np.float64))[-1]
    product = lambda v: (basis @ (values * (basis.T @ v.astype(np.float32)))).astype(np.float64)
    found = losscape.spectrum(product, 300, top=1, bottom=0, dense=300).top[0]
    assert abs(found["value"] - truth) <= found["error_bound"] < 10


def test_solutions_solve(matrix: np.ndarray) -> None:
    b = np.arange(80.0)
    for method, damping in [("minres", 0.0), ("cg", 3.0)]:
        solution = losscape.solve(matrix, b, method=method, damping=damping, tolerance=1e-10)
        np.testing.assert_allclose(matrix @ solution.x + damping * solution.x, b, atol=1e-6)
        assert solution.ended == "converged"
    assert losscape.solve(matrix, b, method="cg").ended == "negative-curvature"


@pytest.mark.parametrize(
    ("operator", "dim", "words"),
    [
        (lambda v: v[:3], 5, "shape \\(3,\\)"),
        (lambda v: v * np.nan, 5, "not finite"),
        (lambda v: np.roll(v, 1), 5, "not symmetric"),
        (lambda v: np.random.standard_normal(5), 5, "not the same twice"),
        (lambda v: v * 1j, 5, "real"),
        (lambda v: v, None, "dim="),
        (lambda v: v, 0, "dimension 0"),
        (np.ones((2, 3)), None, "not square"),
        (np.eye(3), 4, "dim=4"),
        (np.triu(np.ones((6, 6))), None, "not symmetric"),
        ("a", None, "no operator"),
        (np.ma.masked_equal(np.eye(3), 0), None, "mask"),
        (np.eye(3) * 1j, None, "real"),
        (lambda v: v.astype(np.float32), 5, "float32 where vectors are float64"),
        (np.eye(3, dtype=np.float16), None, "half types"),
    ],
)
def test_bad_operators_are_refused(operator: object, dim: int | None, words: str) -> None:
    with pytest.raises(Error, match=words):
        losscape.eigenpairs(operator, dim, k=1)


def test_more_eigenvalues_than_there_are() -> None:
    with pytest.raises(Error, match="3 eigenvalues were asked for, but the operator has dimension 2"):
        losscape.eigenpairs(np.eye(2), k=3)


@pytest.mark.parametrize(
    "settings", [{"k": 0}, {"seed": -1}, {"probes": -2}, {"tolerance": 2.0}, {"tolerance": 0.0}, {"which": "top"}]
)
def test_settings_out_of_range_are_named(settings: dict) -> None:
    with pytest.raises(Error, match=f"{next(iter(settings))}|which"):
        losscape.eigenpairs(np.eye(4), **{"k": 1, **settings})


def test_products_that_become_nan() -> None:
    count = 0

    def product(v: np.ndarray) -> np.ndarray:
        nonlocal count
        count += 1
        return v * (np.nan if count > 5 else 1 + np.arange(40.0))

    with pytest.raises(Error, match="product 3 with the operator is not finite"):
        losscape.eigenpairs(product, dim=40, k=2)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_a_product_raises_comes_through(algorithm: object) -> None:
    class Mine(Exception):
        pass

    count = 0

    def product(v: np.ndarray) -> np.ndarray:
        nonlocal count
        count += 1
        if count > 3:
            raise Mine("the third")
        return v

    with pytest.raises(Mine, match="the third"):
        algorithm(product, dim=600)
    # The work beside has ended.
    time.sleep(0.1)
    assert count == 4


def test_progress_is_told(matrix: np.ndarray) -> None:
    told: list[tuple[str, int, int]] = []
    losscape.trace(matrix, products=12, progress=lambda *step: told.append(step))
    assert told == [("trace", at + 1, 12) for at in range(12)]
    losscape.trace(matrix, products=12, progress=True)
    with pytest.raises(ZeroDivisionError):
        losscape.trace(matrix, products=12, progress=lambda *_: 1 / 0)


def test_other_threads_go_on(matrix: np.ndarray) -> None:
    """Two searches at once, and a nested one in a product."""
    found: list[float] = []
    work = lambda: found.append(losscape.eigenpairs(matrix, k=1).values[0])
    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    np.testing.assert_allclose(found, 5.0)

    def nested(v: np.ndarray) -> np.ndarray:
        return losscape.solve(np.diag(np.arange(1.0, 21.0)), v, tolerance=1e-12).x

    np.testing.assert_allclose(losscape.eigenpairs(nested, dim=20, k=1).values, 1.0, rtol=1e-9)


def test_results_can_be_kept(matrix: np.ndarray) -> None:
    import json

    for result in [losscape.eigenpairs(matrix), losscape.spectrum(matrix), losscape.density(matrix)]:
        assert json.loads(json.dumps(result.to_dict()))
        assert repr(result)
    assert "<table>" in losscape.spectrum(matrix)._repr_html_()
    assert "5" in losscape.eigenpairs(matrix)._repr_html_()
