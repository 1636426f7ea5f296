"""What is learned of an operator: numbers with their errors."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ._losscape import Error


@dataclass(frozen=True, eq=False)
class Eigenpairs:
    """Eigenvalues with bounds on their errors, and on what was missed.

    With ``which="both"`` the k largest, descending, stand before the k smallest, ascending.

    >>> import losscape
    >>> found = losscape.eigenpairs(np.diag([3.0, 2.0, -1.0]), k=1, which="both")
    >>> bool((abs(found.values - [3, -1]) <= found.error_bounds).all()), found.vectors.shape
    (True, (3, 2))
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


@dataclass(frozen=True, eq=False)
class Estimate:
    """An estimate and its error.

    >>> import losscape
    >>> estimate = losscape.trace(np.diag(np.arange(300.0)), products=90)
    >>> bool(abs(estimate.value - 44850) < 4 * estimate.standard_error)
    True
    """

    value: float
    """The estimate."""
    standard_error: float | None
    """Its standard error: 0 where nothing is random but the rounding of products, None where one probe tells none."""
    probes: int
    """Independent probes; 0 where nothing is random."""
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


@dataclass(frozen=True, eq=False)
class Density:
    """The spectral density by stochastic Lanczos quadrature: for each probe, nodes with weights that sum to one.

    >>> import losscape
    >>> found = losscape.density(np.diag([1.0, 1.0, 4.0, 4.0]), probes=1)
    >>> found.at([1.0, 2.5], sigma=0.1).round(6).tolist()
    [1.994711, 0.0]
    """

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
        if not sigma > 0:
            raise Error(f"sigma={sigma} is not possible: it is positive")
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


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Both ends of a spectrum, trace, Frobenius norm and density.

    >>> import losscape
    >>> found = losscape.spectrum(np.diag([2.0, 1.0, -1.0]), top=1, bottom=1)
    >>> [round(pair["value"], 12) for pair in found.top + found.bottom]
    [2.0, -1.0]
    """

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
        bottom = self.bottom[: max(self.dim - len(self.top), 0)]
        rows += [(f"λ{self.dim - at}", of(pair)) for at, pair in reversed(list(enumerate(bottom)))]
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


@dataclass(frozen=True, eq=False)
class Diagonal:
    """The diagonal of an operator.

    >>> import losscape
    >>> losscape.diagonal(np.array([[2.0, 1.0], [1.0, 3.0]])).values.tolist()
    [2.0, 3.0]
    """

    values: np.ndarray
    """Its entries, or estimates of them."""
    standard_errors: np.ndarray
    """The standard error of each; 0 where nothing is random but the rounding of products."""
    probes: int
    """Independent probes; 0 where nothing is random."""
    products: int
    """Products taken."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, arrays as lists."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in asdict(self).items()
        }


@dataclass(frozen=True, eq=False)
class Solution:
    """An approximate solution of ``(A + damping) x = b``.

    >>> import losscape
    >>> solution = losscape.solve(np.eye(3), np.ones(3), damping=1.0)
    >>> solution.x.round(12).tolist(), solution.ended
    ([0.5, 0.5, 0.5], 'converged')
    """

    x: np.ndarray
    """The solution."""
    residual: float
    """``‖b − (A + damping) x‖``."""
    products: int
    """Products taken."""
    ended: str
    """``converged``; ``budget``; ``stagnated``, where products are less exact than the tolerance asks for, with the
    residual that there is; ``negative-curvature`` of conjugate gradients, where the operator is not positive
    definite; ``least-squares`` of MINRES, where b is not in its range."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, arrays as lists."""
        return {**asdict(self), "x": self.x.tolist()}
