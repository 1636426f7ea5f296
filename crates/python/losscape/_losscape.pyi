from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np

Told: TypeAlias = Callable[[str, int, int], object] | None

__version__: str

class Error(Exception): ...
class InternalError(RuntimeError): ...

@final
class Operator:
    @property
    def dim(self) -> int: ...
    @property
    def dtype(self) -> str: ...
    def matvec(self, v: np.ndarray) -> np.ndarray: ...
    def matmat(self, rows: np.ndarray) -> np.ndarray: ...

@final
class Measured:
    def json(self) -> str: ...
    def text(self) -> str: ...
    def html(self) -> str: ...
    def array(self, name: str) -> np.ndarray: ...
    def arrays(self) -> list[str]: ...
    def figures(self) -> list[tuple[str, str, str, str]]: ...

@final
class Objective:
    @staticmethod
    def from_archive(
        archive: bytes,
        data: bytes,
        *,
        loss: str,
        mode: str,
        precision: str,
        channels: str | None,
        vocabulary: int | None,
    ) -> Objective: ...
    @staticmethod
    def described(
        description: str,
        data: bytes,
        *,
        weights: Path | None,
        seed: int,
        mode: str,
        precision: str,
        channels: str | None,
        vocabulary: int | None,
    ) -> Objective: ...
    @staticmethod
    def from_run(folder: Path, average: bool, mode: str, precision: str) -> Objective: ...
    def about(self) -> str: ...
    def digest(self) -> str: ...
    def segments(self) -> list[tuple[str, list[int], int, int]]: ...
    def parameters(self) -> np.ndarray: ...
    def value(self, w: np.ndarray | None) -> float: ...
    def gradient(self, w: np.ndarray | None) -> np.ndarray: ...
    def at(self, w: np.ndarray) -> Objective: ...
    def outputs(self) -> np.ndarray: ...
    def operator(self, name: str) -> Operator: ...
    def kernel(self) -> np.ndarray: ...
    def measure(
        self,
        names: list[str] | None,
        *,
        optimizer: str | None,
        top: int | None,
        seed: int,
        memory: int | None,
        rise: float,
        draws: int,
        localization: float,
        progress: Told,
    ) -> Measured: ...

def eigenpairs(
    operator: Any,
    top: int,
    bottom: int,
    *,
    tolerance: float,
    probes: int,
    max_products: int | None,
    max_vectors: int | None,
    failure: float,
    seed: int,
    start: np.ndarray | None,
    progress: Told,
    dim: int | None,
    dtype: str,
) -> tuple[str, np.ndarray]: ...
def spectrum(
    operator: Any,
    top: int,
    bottom: int,
    *,
    tolerance: float,
    probes: int,
    trace: int,
    density: tuple[int, int] | None,
    dense: int | None,
    seed: int,
    progress: Told,
    dim: int | None,
    dtype: str,
) -> str: ...
def density(
    operator: Any, probes: int, steps: int, *, seed: int, progress: Told, dim: int | None, dtype: str
) -> str: ...
def trace(
    operator: Any, products: int, *, method: str, seed: int, progress: Told, dim: int | None, dtype: str
) -> str: ...
def diagonal(
    operator: Any, products: int, *, seed: int, progress: Told, dim: int | None, dtype: str
) -> tuple[np.ndarray, np.ndarray, int, int]: ...
def solve(
    operator: Any,
    b: np.ndarray,
    *,
    method: str,
    damping: float,
    tolerance: float,
    max_products: int,
    progress: Told,
    dim: int | None,
    dtype: str,
) -> tuple[np.ndarray, str]: ...
def train(
    text: str,
    *,
    file: str,
    folder: Path,
    name: str,
    set: list[str],
    out: Path,
    memory: int | None,
    fresh: bool,
    extend: Path | None,
    progress: Told,
) -> tuple[Path, list[str]]: ...
def run_records(folder: Path) -> str: ...
def run_figures(folder: Path) -> list[tuple[str, str, str, str]]: ...
def plan_study(file: Path, out: Path) -> tuple[Path, list[str]]: ...
def study_runs(folder: Path) -> str: ...
def study_table(folder: Path) -> str: ...
def study_findings(folder: Path, seed: int) -> tuple[str, str]: ...
def list_claims() -> str: ...
def run_claims(
    ids: list[str] | None, *, full: bool, seed: int, out: Path, fresh: bool, progress: Told
) -> tuple[str, str]: ...
def main(arguments: list[str], interpreter: str, start: list[str]) -> int: ...
