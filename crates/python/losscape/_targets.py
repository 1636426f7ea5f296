"""What stands for an operator.

Those of an :class:`~losscape.Objective`; functions ``v -> A v`` with their dimension; square arrays and tensors; what
has ``to_scipy()`` (curvlinops); operators of hessian-eigenthings; a ``scipy.sparse.linalg.LinearOperator``. A function
takes and gives NumPy vectors of float64, or with ``like=tensor`` tensors of its type and device, as for a torch module
on a GPU.

An operator of yours is looked at with three products first. Every bound here holds for symmetric operators alone: one
of which ``u·Av`` and ``v·Au`` differ by more than 3e-5 of ``‖A‖_F`` (3e-3 in float32) is refused, as one that is random
is (dropout, another batch each time). What is left of that difference says how exact products are, and is added to the
bounds of eigenvalues and nodes: ``check=False`` leaves both out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _losscape
from ._losscape import Error


def _is_tensor(value: Any) -> bool:
    return type(value).__module__.split(".")[0] == "torch"


def to_numpy(value: Any, dtype: Any = None) -> np.ndarray:
    """An array of what is one, a tensor of any device, or speaks DLPack."""
    if np.ma.isMaskedArray(value):
        raise Error("a masked array: what its mask means for a number here is not known; give filled values")
    if _is_tensor(value):
        value = value.detach().cpu()
        if str(value.dtype) in ("torch.bfloat16", "torch.float16"):
            value = value.float()
        value = value.numpy()
    elif not hasattr(value, "__array__") and hasattr(value, "__dlpack__"):
        value = np.from_dlpack(value)
    array = np.asarray(value)
    array = array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "c":
        raise Error(f"numbers are real here, and these are {array.dtype}")
    return array if dtype is None else np.ascontiguousarray(array, dtype=dtype)


def _function(apply: Callable[[Any], Any], dim: int, dtype: np.dtype, like: Any) -> Callable[[np.ndarray], np.ndarray]:
    """A function of NumPy vectors that checks what comes back."""

    def matvec(v: np.ndarray) -> np.ndarray:
        product = to_numpy(apply(_as(like, v)))
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
        if not like.is_floating_point():
            raise Error(f"like= is of floats, not {like.dtype}")
        import torch

        return torch.from_numpy(v).to(device=like.device, dtype=like.dtype)
    if hasattr(like, "__array_namespace__"):
        return like.__array_namespace__().asarray(v)
    raise Error(f"like= is a tensor or an array, not {type(like).__name__}")


def _dtype(dtype: Any) -> np.dtype:
    """The type of vectors for an operator of this one."""
    words = str(dtype).removeprefix("torch.")
    if words in ("bfloat16", "float16", "half"):
        raise Error(
            f"an operator of {words}: vectors are float64 or float32, since half types leave no digits for bounds"
        )
    if words in ("float32", "float", "double"):
        return np.dtype(np.float64 if words == "double" else np.float32)
    try:
        known = np.dtype(words)
    except TypeError:
        known = np.dtype(object)
    if known.kind in "iub" or known.kind == "f" and known.itemsize >= 4:
        return np.dtype(np.float32 if known.itemsize == 4 and known.kind == "f" else np.float64)
    raise Error(f"an operator of {words}: operators are of real numbers")


@dataclass(frozen=True)
class Target:
    """An operator as the compiled part takes it."""

    operator: Any
    """One of its own, or a function."""
    dim: int | None
    """The dimension of a function."""
    dtype: str
    inexact: float
    """How much of ‖A‖ products differ from those of a symmetric operator, as far as that was looked at."""


def adapted(operator: Any, dim: int | None, like: Any, check: bool) -> Target:
    """Reads what stands for an operator."""
    compiled = getattr(operator, "_operator", None)
    if isinstance(compiled, _losscape.Operator):
        if like is not None or dim not in (None, compiled.dim):
            raise Error(f"an operator of an objective has its own dimension, {compiled.dim}, and type")
        return Target(compiled, None, compiled.dtype, 0.0)
    if hasattr(operator, "to_scipy"):
        operator = operator.to_scipy()
    if np.ma.isMaskedArray(operator) or type(operator).__name__ == "DataFrame":
        operator = to_numpy(operator)
    if _is_tensor(operator) and not operator.is_floating_point():
        operator = operator.double()
    shape = getattr(operator, "shape", None)
    if shape is not None:
        if len(shape) != 2 or shape[0] != shape[1]:
            raise Error(f"an operator of shape {tuple(shape)} is not square")
        if dim is not None and dim != shape[0]:
            raise Error(f"dim={dim}, but the operator has shape {tuple(shape)}")
        dim = int(shape[0])
        dtype = _dtype(like.dtype if like is not None else getattr(operator, "dtype", None) or np.float64)
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
        if isinstance(like, np.ndarray) and like.dtype.kind != "f":
            raise Error(f"like= is of floats, not {like.dtype}")
        dtype, apply = (np.dtype(np.float64) if like is None else _dtype(like.dtype)), operator
    else:
        raise Error(f"no operator: {type(operator).__name__}; give a function, a square array, or a LinearOperator")
    if dim < 1:
        raise Error(f"an operator of dimension {dim} has no eigenvalues")
    matvec = _function(apply, dim, dtype, like)
    return Target(matvec, dim, dtype.name, _asymmetry(matvec, dim, dtype) if check else 0.0)


def _asymmetry(matvec: Callable[[np.ndarray], np.ndarray], dim: int, dtype: np.dtype) -> float:
    """``|u·Av − v·Au|`` relative to ``‖u‖‖Av‖/√dim``, which errors of products that are not those of a symmetric
    operator make: the largest of three pairs. Refused where it is no rounding."""
    random = np.random.default_rng(0)
    vectors = [random.standard_normal(dim).astype(dtype) for _ in range(3)]
    products = [matvec(vector.copy()).astype(np.float64) for vector in vectors]
    if not all(np.isfinite(product).all() for product in products):
        raise Error("the product of the operator with a random vector is not finite")
    # Their squares may leave the range.
    largest = max(abs(product).max() for product in products)
    products = [product / (largest or 1.0) for product in products]
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
