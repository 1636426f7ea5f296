"""What is learned of a symmetric operator by applying it.

Operators are: those of an :class:`~losscape.Objective`; functions ``v -> A v`` with their dimension; square arrays and
tensors; what has ``to_scipy()`` (curvlinops); operators of hessian-eigenthings; a
``scipy.sparse.linalg.LinearOperator``. A function takes and gives NumPy vectors of float64, or with ``like=tensor``
tensors of its type and device, as for a torch module on a GPU.

An operator of yours is looked at with three products first. Every bound here holds for symmetric operators alone: one
with ``|u·Av − v·Au|`` beyond rounding is refused, as one that is random is (dropout, another batch each time). What is
left of that difference says how exact products are, and is added to the bounds: ``check=False`` leaves both out.
"""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from . import _losscape
from ._losscape import Error
from ._progress import Progress, shown

Which = Literal["largest", "smallest", "both"]


@dataclass(frozen=True)
class Eigenpairs:
    """Eigenvalues with bounds on their errors, and on what was missed.

    With ``which="both"`` the k largest, descending, stand before the k smallest, ascending.
    """

    values: np.ndarray
    """Ritz values θ = xᵀAx."""
    error_bounds: np.ndarray
    """An eigenvalue lies within this of each θ, a different one for each (Kahan; Parlett 1998, Theorem 11.5.1)."""
    residuals: np.ndarray
    """‖A x − θ x‖ with its rounding."""
    vectors: np.ndarray = field(repr=False)
    """Unit vectors in columns, ``[dim, k]``."""
    unseen_above: float | None
    """With probability 1 − ``failure`` no eigenvalue above this was missed; None without a bound."""
    unseen_below: float | None
    """Likewise below."""
    failure: float
    """The probability that such a bound fails."""
    norm: float
    """The largest |θ| met, which the tolerance is relative to."""
    products: int
    """Products taken."""
    ended: str
    """``converged``, ``invariant-subspace`` (exact up to rounding), ``budget``, or ``stagnated``: residuals that no
    longer fall, as where products are less exact than the tolerance asks for."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, arrays as lists."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asdict(self).items()
        }

    def _rows(self) -> list[tuple[str, str]]:
        pairs = zip(self.values, self.error_bounds)
        return [(f"{value:.6g}", f"± {bound:.1e}") for value, bound in pairs]

    def _words(self) -> str:
        ends = [("above", self.unseen_above), ("below", self.unseen_below)]
        missed = [f"{bound:.6g} {end}" for end, bound in ends if bound is not None]
        missed_words = (
            f"none missed beyond {', '.join(missed)} (p = {self.failure:g})" if missed else "no bound on missed ones"
        )
        return f"{self.ended} after {self.products} products; {missed_words}"

    def __repr__(self) -> str:
        rows = "\n".join(f"  {value:>14} {bound}" for value, bound in self._rows())
        return f"Eigenpairs: {self._words()}\n{rows}"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{value}</td><td>{bound}</td></tr>" for value, bound in self._rows())
        head = "<tr><th>eigenvalue</th><th>error bound</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table><p>{html.escape(self._words())}</p>"


@dataclass(frozen=True)
class Estimate:
    """An estimate and its error."""

    value: float
    """The estimate."""
    standard_error: float | None
    """Its standard error: 0 where it is exact, None where one probe tells none."""
    probes: int
    """Independent probes; 0 where it is exact."""
    products: int
    """Products taken."""

    def to_dict(self) -> dict[str, Any]:
        """Everything."""
        return asdict(self)

    def __repr__(self) -> str:
        error = "" if self.standard_error is None else f" ± {self.standard_error:.2g}"
        return f"Estimate({self.value:.6g}{error}, {self.products} products)"

    @classmethod
    def _of(cls, record: dict[str, Any] | None) -> Estimate | None:
        if record is None:
            return None
        return cls(record["mean"], record["sem"], record["probes"], record["products"])


@dataclass(frozen=True)
class Density:
    """The spectral density by stochastic Lanczos quadrature: for each probe, nodes with weights that sum to one."""

    probes: list[np.ndarray] = field(repr=False)
    """For each probe ``[steps, 3]``: where an eigenvalue is taken to be, its share of the spectrum, and how far from
    there the nearest eigenvalue can be."""
    dim: int
    """Dimension of the operator."""
    products: int
    """Products taken."""
    ended: str
    """``invariant-subspace`` where it is exact, otherwise ``budget``."""

    def at(self, points: Any, sigma: float) -> np.ndarray:
        """The density at points, smoothed by a normal distribution of width ``sigma``; it integrates to one."""
        points = np.asarray(points, dtype=np.float64)
        shares = [
            (np.exp(-0.5 * ((points[..., None] - nodes[:, 0]) / sigma) ** 2) * nodes[:, 1]).sum(-1)
            for nodes in self.probes
        ]
        return np.asarray(np.mean(shares, axis=0) / (sigma * np.sqrt(2 * np.pi)))

    def to_dict(self) -> dict[str, Any]:
        """Everything, arrays as lists."""
        return {**asdict(self), "probes": [nodes.tolist() for nodes in self.probes]}

    @classmethod
    def _of(cls, record: dict[str, Any] | None) -> Density | None:
        if record is None:
            return None
        probes = [
            np.array([[node["value"], node["weight"], node["residual"]] for node in nodes]).reshape(-1, 3)
            for nodes in record["probes"]
        ]
        return cls(probes, record["dim"], record["products"], record["ended"])


@dataclass(frozen=True)
class Spectrum:
    """Both ends of a spectrum, trace, Frobenius norm and density."""

    top: list[dict[str, float]]
    """The largest eigenvalues, descending: ``value``, ``residual``, ``error_bound``."""
    bottom: list[dict[str, float]]
    """The smallest, ascending."""
    unseen_above: float | None
    """With probability 1 − ``failure`` none above this was missed."""
    unseen_below: float | None
    """Likewise below."""
    failure: float
    """The probability that such a bound fails."""
    trace: Estimate | None
    """The sum of all eigenvalues."""
    frobenius: Estimate | None
    """The root of the sum of their squares."""
    outliers: int | None
    """How many of the largest stand above the widest gap in ratio: a rule of thumb."""
    density: Density | None
    """The spectral density."""
    dim: int
    """Dimension of the operator."""
    products: int
    """Products taken."""
    ended: str
    """How the search for eigenvalues ended; see :class:`Eigenpairs`."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, arrays as lists."""
        return {**asdict(self), "density": None if self.density is None else self.density.to_dict()}

    def _rows(self) -> list[tuple[str, str]]:
        def of(pair: dict[str, float]) -> str:
            return f"{pair['value']:.6g} ± {pair['error_bound']:.1e}"

        rows = [(f"λ{at + 1}", of(pair)) for at, pair in enumerate(self.top)]
        rows += [(f"λ{self.dim - at}", of(pair)) for at, pair in reversed(list(enumerate(self.bottom)))]
        for name, estimate in [("trace", self.trace), ("Frobenius norm", self.frobenius)]:
            if estimate is not None:
                error = "" if estimate.standard_error is None else f" ± {estimate.standard_error:.2g}"
                rows.append((name, f"{estimate.value:.6g}{error}"))
        return rows

    def __repr__(self) -> str:
        rows = "\n".join(f"  {name:<14} {value}" for name, value in self._rows())
        return f"Spectrum of dimension {self.dim}: {self.ended} after {self.products} products\n{rows}"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in self._rows())
        words = f"dimension {self.dim}; {self.ended} after {self.products} products"
        return f"<table><tbody>{rows}</tbody></table><p>{html.escape(words)}</p>"


@dataclass(frozen=True)
class Diagonal:
    """The diagonal of an operator."""

    values: np.ndarray
    """Its entries, or estimates of them."""
    standard_errors: np.ndarray
    """The standard error of each; 0 where they are exact."""
    probes: int
    """Independent probes; 0 where it is exact."""
    products: int
    """Products taken."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, arrays as lists."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asdict(self).items()
        }


@dataclass(frozen=True)
class Solution:
    """An approximate solution of ``(A + damping) x = b``."""

    x: np.ndarray
    """The solution."""
    residual: float
    """``‖b − (A + damping) x‖``."""
    products: int
    """Products taken."""
    ended: str
    """``converged``; ``budget``; ``negative-curvature`` of conjugate gradients, where the operator is not positive
    definite; ``least-squares`` of MINRES, where b is not in its range."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, arrays as lists."""
        return {**asdict(self), "x": self.x.tolist()}


def _is_tensor(value: Any) -> bool:
    return type(value).__module__.split(".")[0] == "torch"


def to_numpy(value: Any, dtype: Any = None) -> np.ndarray:
    """An array of what is one, a tensor of any device, or speaks DLPack."""
    if _is_tensor(value):
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            value = value.float()
        value = value.numpy()
    elif not hasattr(value, "__array__") and hasattr(value, "__dlpack__"):
        value = np.from_dlpack(value)
    return np.asarray(value) if dtype is None else np.ascontiguousarray(value, dtype=dtype)


def _function(apply: Callable[[Any], Any], dim: int, dtype: np.dtype, like: Any) -> Callable[[np.ndarray], np.ndarray]:
    """A function of NumPy vectors that checks what comes back."""

    def matvec(v: np.ndarray) -> np.ndarray:
        product = to_numpy(apply(_as(like, v)))
        if product.dtype.kind == "c":
            raise Error(f"the product is complex ({product.dtype}); operators here are real")
        if product.dtype.kind == "f" and product.dtype.itemsize < dtype.itemsize:
            raise Error(
                f"the product is {product.dtype} where vectors are {dtype}: say like=, a tensor or an array of "
                f"{product.dtype}, so that bounds know how exact products are"
            )
        if product.shape != (dim,):
            if product.size == dim and product.ndim == 2 and 1 in product.shape:
                product = product.reshape(dim)
            else:
                raise Error(f"the product has shape {product.shape}, where a vector of {dim} entries was expected")
        return np.ascontiguousarray(product, dtype=dtype)

    return matvec


def _as(like: Any, v: np.ndarray) -> Any:
    """A vector of the kind that ``like`` is; on the CPU it is the same memory."""
    if like is None or isinstance(like, np.ndarray):
        return v
    if _is_tensor(like):
        import torch

        return torch.from_numpy(v).to(device=like.device, dtype=like.dtype)
    if hasattr(like, "__array_namespace__"):
        return like.__array_namespace__().asarray(v)
    raise Error(f"like= is a tensor or an array, not {type(like).__name__}")


def _dtype(dtype: Any) -> np.dtype:
    """The type of vectors for an operator of this one."""
    words = str(dtype).removeprefix("torch.")
    if words in ("float32", "float"):
        return np.dtype(np.float32)
    if words in ("float64", "double") or words.startswith(("int", "uint", "bool")):
        return np.dtype(np.float64)
    raise Error(f"an operator of {words}: vectors are float64 or float32, since half types leave no digits for bounds")


@dataclass(frozen=True)
class _Target:
    """An operator as the compiled part takes it."""

    operator: Any
    """One of its own, or a function."""
    dim: int | None
    """The dimension of a function."""
    dtype: str
    inexact: float
    """How much of ‖A‖ products differ from those of a symmetric operator, as far as that was looked at."""


def adapted(operator: Any, dim: int | None, like: Any, check: bool) -> _Target:
    """Reads what stands for an operator."""
    if isinstance(operator, Operator):
        return _Target(operator._operator, None, operator.dtype.name, 0.0)
    if hasattr(operator, "to_scipy"):
        operator = operator.to_scipy()
    shape = getattr(operator, "shape", None)
    if shape is not None:
        if len(shape) != 2 or shape[0] != shape[1]:
            raise Error(f"an operator of shape {tuple(shape)} is not square")
        if dim is not None and dim != shape[0]:
            raise Error(f"dim={dim}, but the operator has shape {tuple(shape)}")
        dim = int(shape[0])
        dtype = _dtype(getattr(operator, "dtype", None) or np.float64)
        if _is_tensor(operator):
            like = operator.new_empty(0)
        apply = getattr(operator, "matvec", None) or (lambda v: operator @ v)
    elif hasattr(operator, "matvec") and isinstance(getattr(operator, "size", None), int):
        # Operators of hessian-eigenthings take tensors of their type and device.
        import torch

        dim, like = operator.size, torch.empty(0, dtype=operator.dtype, device=operator.device)
        dtype, apply = _dtype(operator.dtype), operator.matvec
    elif callable(operator):
        if dim is None:
            raise Error("a function needs dim=, the number of entries of its vectors")
        dtype, apply = (np.dtype(np.float64) if like is None else _dtype(like.dtype)), operator
    else:
        raise Error(f"no operator: {type(operator).__name__}; give a function, a square array, or a LinearOperator")
    if dim < 1:
        raise Error(f"an operator of dimension {dim} has no eigenvalues")
    matvec = _function(apply, dim, dtype, like)
    return _Target(matvec, dim, dtype.name, _asymmetry(matvec, dim, dtype) if check else 0.0)


def _asymmetry(matvec: Callable[[np.ndarray], np.ndarray], dim: int, dtype: np.dtype) -> float:
    """``|u·Av − v·Au|`` relative to ``‖u‖‖Av‖/√dim``, which errors of products that are not those of a symmetric
    operator make: the largest of three pairs. Refused where it is no rounding."""
    random = np.random.default_rng(0)
    vectors = [random.standard_normal(dim).astype(dtype) for _ in range(3)]
    products = [matvec(vector.copy()).astype(np.float64) for vector in vectors]
    if not all(np.isfinite(product).all() for product in products):
        raise Error("the product of the operator with a random vector is not finite")
    found = 0.0
    for first, second in [(0, 1), (0, 2), (1, 2)]:
        u, v, au, av = vectors[first], vectors[second], products[first], products[second]
        scale = 0.5 * (np.linalg.norm(u) * np.linalg.norm(av) + np.linalg.norm(v) * np.linalg.norm(au))
        off = abs(float(u @ av) - float(v @ au))
        if scale > 0:
            found = max(found, float(off * np.sqrt(dim) / scale))
    # What is in float64 here may be calculated in float32, and float32 in TF32.
    allowed = 3e-3 if dtype == np.float32 else 3e-5
    if found > allowed:
        raise Error(
            f"the operator is not symmetric, or not the same twice: for random u and v, u·Av and v·Au differ by "
            f"{found:.1e} of what they are made of; bounds here hold for symmetric operators alone (check=False goes "
            "on)"
        )
    return found


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
    dense: int = 500,
    seed: int = 0,
    check: bool = True,
    progress: Progress = None,
) -> Spectrum:
    """Both ends of the spectrum, trace (from ``trace`` products), Frobenius norm and density (probes, steps).

    10 of the largest and 5 of the smallest eigenvalues unless given, or as many as there are. Operators up to dimension
    ``dense`` are written down and decomposed: nothing is estimated then.

    >>> found = spectrum(np.diag([4.0, 1.0, 1.0, -1.0]))
    >>> round(found.trace.value, 12), found.trace.standard_error
    (5.0, 0.0)
    """
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
    _widen(found, target.inexact * max(abs(pair["value"]) for pair in found["top"] + found["bottom"] or [{"value": 0}]))
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
    target = adapted(operator, dim, like, check)
    with shown(progress) as told:
        record = _losscape.density(
            target.operator, probes, steps, seed=seed, progress=told, dim=target.dim, dtype=target.dtype
        )
    found = Density._of(json.loads(record))
    assert found is not None
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
    target = adapted(operator, len(b), like, check)
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
    """

    def __init__(self, operator: _losscape.Operator, name: str, entries: int) -> None:
        self._operator = operator
        self._entries = entries
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
        """As :func:`losscape.spectrum`; written down up to dimension 2,000 where products are cheap."""
        # Some ten seconds of a core, or no more products than an estimate takes.
        worth = max(2**32 // max(self._entries, 1), 500)
        return spectrum(self, None, top, bottom, **{"dense": min(2000, worth), **settings})

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
