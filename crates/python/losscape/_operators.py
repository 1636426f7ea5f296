"""What is learned of a symmetric operator by applying it."""

from __future__ import annotations

import json
from typing import Any, Literal

import numpy as np

from . import _losscape
from ._losscape import Error
from ._progress import Progress, shown
from ._results import Density, Diagonal, Eigenpairs, Estimate, Solution, Spectrum
from ._targets import adapted, to_numpy

Which = Literal["largest", "smallest", "both"]


def whole(**counts: int | None) -> None:
    """Refuses counts and seeds that are negative."""
    for name, value in counts.items():
        if value is not None and value < 0:
            raise Error(f"{name}={value} is not possible: it is 0 or more")


def _tolerance(value: float) -> None:
    if not 0 < value < 1:
        raise Error(f"tolerance={value} is not possible: it is relative, between 0 and 1")


def _widen(found: dict[str, Any], inexact: float) -> None:
    """Bounds for products that are exact to this only."""
    for pair in found["top"] + found["bottom"]:
        pair["error_bound"] += 3 * inexact
        pair["residual"] += 3 * inexact
    for name, sign in [("above", 1), ("below", -1)]:
        if found["unseen"][name] is not None:
            found["unseen"][name] += sign * 3 * inexact


def eigenpairs(
    operator: Any,
    dim: int | None = None,
    k: int = 5,
    which: Which = "largest",
    *,
    like: Any = None,
    tolerance: float = 1e-4,
    probes: int = 24,
    max_products: int | None = None,
    max_vectors: int | None = None,
    failure: float = 1e-3,
    start: Any = None,
    seed: int = 0,
    check: bool = True,
    progress: Progress = None,
) -> Eigenpairs:
    """The k largest or smallest eigenvalues of a symmetric operator, or both, with error bounds on each side.

    Rayleigh-Ritz on a Krylov space with thick restarts (Wu & Simon 2000), and probes for eigenvalues that it may have
    missed, as further copies of multiple ones.

    ``tolerance`` bounds residuals relative to the norm of the operator. ``probes`` are products that may be spent on
    missed eigenvalues once everything has converged; ``max_products`` are 100 + 50 for each eigenvalue unless given.
    ``max_vectors`` of the basis (60 + 4 for each) are kept with as many products: memory is twice that times dim.
    ``start`` ``[dim, j]`` are approximate eigenvectors of a similar operator.

    Raises :class:`Error` where more eigenvalues are asked for than there are, or a product is not finite.

    >>> found = eigenpairs(lambda v: 2 * v, dim=30, k=2)
    >>> found.values.round(12).tolist()
    [2.0, 2.0]
    """
    if which not in ("largest", "smallest", "both"):
        raise Error(f'which is "largest", "smallest" or "both", not {which!r}')
    if k < 1:
        raise Error(f"k={k} eigenvalues are none")
    whole(probes=probes, max_products=max_products, max_vectors=max_vectors, seed=seed)
    _tolerance(tolerance)
    top, bottom = (k if which != "smallest" else 0), (k if which != "largest" else 0)
    target = adapted(operator, dim, like, check)
    rows = None if start is None else np.ascontiguousarray(to_numpy(start, target.dtype).reshape(len(start), -1).T)
    with shown(progress) as told:
        record, vectors = _losscape.eigenpairs(
            target.operator,
            top,
            bottom,
            tolerance=tolerance,
            probes=probes,
            max_products=max_products,
            max_vectors=max_vectors,
            failure=failure,
            seed=seed,
            start=rows,
            progress=told,
            dim=target.dim,
            dtype=target.dtype,
        )
    found = json.loads(record)
    _widen(found, target.inexact * found["norm"])
    pairs, unseen = found["top"] + found["bottom"], found["unseen"]
    return Eigenpairs(
        values=np.array([pair["value"] for pair in pairs]),
        error_bounds=np.array([pair["error_bound"] for pair in pairs]),
        residuals=np.array([pair["residual"] for pair in pairs]),
        vectors=vectors.T,
        unseen_above=unseen["above"],
        unseen_below=unseen["below"],
        failure=unseen["failure"],
        norm=found["norm"],
        products=found["products"],
        ended=found["ended"],
    )


def spectrum(
    operator: Any,
    dim: int | None = None,
    top: int | None = None,
    bottom: int | None = None,
    *,
    like: Any = None,
    tolerance: float = 1e-3,
    probes: int = 24,
    trace: int = 60,
    density: tuple[int, int] | None = (2, 50),
    dense: int | None = None,
    seed: int = 0,
    check: bool = True,
    progress: Progress = None,
) -> Spectrum:
    """Both ends of the spectrum, trace (from ``trace`` products), Frobenius norm and density (probes, steps).

    10 of the largest and 5 of the smallest eigenvalues unless given, or as many as there are. Operators up to dimension
    ``dense`` are written down and decomposed: nothing is estimated then. Unless given that is where it takes no more
    products than an estimate, or of an objective's operator up to 2,000 where these are cheap.

    >>> found = spectrum(np.diag([4.0, 1.0, 1.0, -1.0]))
    >>> round(found.trace.value, 12), found.trace.standard_error
    (5.0, 0.0)
    """
    whole(top=top, bottom=bottom, probes=probes, trace=trace, dense=dense, seed=seed)
    _tolerance(tolerance)
    target = adapted(operator, dim, like, check)
    size = target.operator.dim if target.dim is None else target.dim
    with shown(progress) as told:
        record = _losscape.spectrum(
            target.operator,
            min(10, size) if top is None else top,
            min(5, size) if bottom is None else bottom,
            tolerance=tolerance,
            probes=probes,
            trace=trace,
            density=density,
            dense=dense,
            seed=seed,
            progress=told,
            dim=target.dim,
            dtype=target.dtype,
        )
    found = json.loads(record)
    _widen(found, target.inexact * found["norm"])
    unseen = found["unseen"]
    return Spectrum(
        top=found["top"],
        bottom=found["bottom"],
        unseen_above=unseen["above"],
        unseen_below=unseen["below"],
        failure=unseen["failure"],
        trace=Estimate._of(found.get("trace")),
        frobenius=Estimate._of(found.get("frobenius")),
        outliers=found.get("outliers"),
        density=Density._of(found.get("density")),
        dim=found["dim"],
        products=found["products"],
        ended=found["ended"],
    )


def density(
    operator: Any,
    dim: int | None = None,
    *,
    probes: int = 4,
    steps: int = 64,
    like: Any = None,
    seed: int = 0,
    check: bool = True,
    progress: Progress = None,
) -> Density:
    """The spectral density by stochastic Lanczos quadrature (Golub & Meurant 2010; Ghorbani et al. 2019).

    >>> found = density(np.diag([1.0, 2.0]), probes=1)
    >>> found.probes[0][:, 0].round(12).tolist()
    [1.0, 2.0]
    """
    whole(probes=probes, steps=steps, seed=seed)
    target = adapted(operator, dim, like, check)
    with shown(progress) as told:
        record = _losscape.density(
            target.operator, probes, steps, seed=seed, progress=told, dim=target.dim, dtype=target.dtype
        )
    found = Density._of(json.loads(record))
    assert found is not None
    for nodes in found.probes:
        nodes[:, 2] += 3 * target.inexact * abs(nodes[:, 0]).max()
    return found


def trace(
    operator: Any,
    dim: int | None = None,
    *,
    products: int = 60,
    method: Literal["hutch++", "hutchinson", "xtrace"] = "hutch++",
    like: Any = None,
    seed: int = 0,
    check: bool = True,
    progress: Progress = None,
) -> Estimate:
    """The trace from so many products: Hutch++ (Meyer et al. 2021), Hutchinson (1990) or XTrace (Epperly et al. 2024).

    >>> round(trace(np.eye(50), products=3, method="hutchinson").value, 9)
    50.0
    """
    whole(products=products, seed=seed)
    target = adapted(operator, dim, like, check)
    with shown(progress) as told:
        record = _losscape.trace(
            target.operator, products, method=method, seed=seed, progress=told, dim=target.dim, dtype=target.dtype
        )
    found = Estimate._of(json.loads(record))
    assert found is not None
    return found


def diagonal(
    operator: Any,
    dim: int | None = None,
    *,
    products: int = 100,
    like: Any = None,
    seed: int = 0,
    check: bool = True,
    progress: Progress = None,
) -> Diagonal:
    """The diagonal from so many products (Bekas et al. 2007): exact where dim is no larger than that.

    >>> diagonal(np.diag([1.0, 2.0, 3.0])).values.tolist()
    [1.0, 2.0, 3.0]
    """
    whole(products=products, seed=seed)
    target = adapted(operator, dim, like, check)
    with shown(progress) as told:
        found = _losscape.diagonal(
            target.operator, products, seed=seed, progress=told, dim=target.dim, dtype=target.dtype
        )
    return Diagonal(*found)


def solve(
    operator: Any,
    b: Any,
    *,
    method: Literal["minres", "cg"] = "minres",
    damping: float = 0.0,
    tolerance: float = 1e-5,
    max_products: int = 1000,
    like: Any = None,
    check: bool = True,
    progress: Progress = None,
) -> Solution:
    """Solves ``(A + damping) x = b`` by MINRES (Paige & Saunders 1975), or conjugate gradients where A is definite.

    >>> solve(np.diag([2.0, -4.0]), np.array([2.0, 2.0])).x.round(9).tolist()
    [1.0, -0.5]
    """
    whole(max_products=max_products)
    _tolerance(tolerance)
    b = to_numpy(b)
    if b.ndim != 1:
        raise Error(f"b has shape {b.shape}; it is a vector [dim]")
    target = adapted(operator, None if isinstance(operator, Operator) else len(b), like, check)
    with shown(progress) as told:
        x, record = _losscape.solve(
            target.operator,
            to_numpy(b, target.dtype),
            method=method,
            damping=damping,
            tolerance=tolerance,
            max_products=max_products,
            progress=told,
            dim=target.dim,
            dtype=target.dtype,
        )
    found = json.loads(record)
    return Solution(x=x, residual=found["residual"], products=found["products"], ended=found["ended"])


class Operator:
    """A matrix of an :class:`~losscape.Objective` at its parameters, known by its products.

    ``operator @ v`` takes a vector ``[dim]`` or columns ``[dim, k]``.

    >>> import losscape
    >>> x = np.linspace(-1, 1, 9).reshape(-1, 1)
    >>> kernel = losscape.Objective.mlp(x, x[:, 0], hidden=[4], loss="squared-error").ntk()
    >>> kernel.shape, bool(np.allclose(kernel @ np.ones(9), kernel.to_dense().sum(1)))
    ((9, 9), True)
    """

    def __init__(self, operator: _losscape.Operator, name: str) -> None:
        self._operator = operator
        self.name = name
        """Which matrix."""

    @property
    def shape(self) -> tuple[int, int]:
        """``(dim, dim)``."""
        return self._operator.dim, self._operator.dim

    @property
    def dtype(self) -> np.dtype:
        """The type of vectors."""
        return np.dtype(self._operator.dtype)

    def matvec(self, v: Any) -> np.ndarray:
        """``A v`` of a vector ``[dim]``, an array or a tensor of any device."""
        v = to_numpy(v, self.dtype)
        if v.shape != (self.shape[0],):
            raise Error(f"a vector of shape {v.shape} for an operator of dimension {self.shape[0]}")
        return self._operator.matvec(v)

    def matmat(self, columns: Any) -> np.ndarray:
        """``A V`` of columns ``[dim, k]``, which share work."""
        columns = to_numpy(columns, self.dtype)
        if columns.ndim != 2 or columns.shape[0] != self.shape[0] or columns.shape[1] == 0:
            raise Error(f"columns of shape {columns.shape} for an operator of dimension {self.shape[0]}")
        return self._operator.matmat(np.ascontiguousarray(columns.T)).T

    def __matmul__(self, other: Any) -> np.ndarray:
        return self.matvec(other) if np.ndim(to_numpy(other)) == 1 else self.matmat(other)

    def eigenpairs(self, k: int = 5, which: Which = "largest", **settings: Any) -> Eigenpairs:
        """As :func:`losscape.eigenpairs`."""
        return eigenpairs(self, None, k, which, **settings)

    def spectrum(self, top: int | None = None, bottom: int | None = None, **settings: Any) -> Spectrum:
        """As :func:`losscape.spectrum`."""
        return spectrum(self, None, top, bottom, **settings)

    def density(self, **settings: Any) -> Density:
        """As :func:`losscape.density`."""
        return density(self, **settings)

    def trace(self, **settings: Any) -> Estimate:
        """As :func:`losscape.trace`."""
        return trace(self, **settings)

    def diagonal(self, **settings: Any) -> Diagonal:
        """As :func:`losscape.diagonal`."""
        return diagonal(self, **settings)

    def solve(self, b: Any, **settings: Any) -> Solution:
        """As :func:`losscape.solve`."""
        return solve(self, b, **settings)

    def to_scipy(self) -> Any:
        """A ``scipy.sparse.linalg.LinearOperator``."""
        from scipy.sparse.linalg import LinearOperator

        return LinearOperator(
            self.shape,
            matvec=lambda v: self.matvec(v.reshape(-1)),
            matmat=self.matmat,
            rmatvec=self.matvec,
            dtype=self.dtype,
        )

    def to_dense(self) -> np.ndarray:
        """The matrix written down, by as many products as it has columns."""
        return self.matmat(np.eye(self.shape[0], dtype=self.dtype))

    def __repr__(self) -> str:
        return f"Operator({self.name}, {self.shape[0]} × {self.shape[0]}, {self.dtype})"
