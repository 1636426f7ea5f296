"""The loss of a network on data, as a function of its parameters."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from . import _losscape
from ._figures import Figure, named
from ._losscape import Error
from ._notices import tell
from ._operators import Operator, whole
from ._progress import Progress, shown
from ._results import Spectrum
from ._targets import to_numpy
from ._toml import toml

Mode = Literal["evaluation", "batch"]
Precision = Literal["f64", "f32"]


def _arrays(x: Any, y: Any) -> bytes:
    """The data as ``numpy.savez`` writes it: the compiled part reads it by the rules of such files."""
    buffer = io.BytesIO()
    np.savez(buffer, x=to_numpy(x), y=to_numpy(y))
    return buffer.getvalue()


@contextmanager
def _in_mode(model: Any, training: bool) -> Iterator[None]:
    """The module in a mode, and each of its parts back in its own behind it."""
    before = {module: module.training for module in model.modules()}
    try:
        model.train(training)
        yield
    finally:
        for module, mode in before.items():
            module.training = mode


def export(model: Any, x: Any, mode: Mode = "evaluation") -> bytes:
    """The archive of ``torch.export`` of a module for any number of samples, on the CPU."""
    import copy

    import torch

    # What torch.compile made holds the module that it was made of.
    model = getattr(model, "_orig_mod", model)
    if not isinstance(model, torch.nn.Module):
        raise Error(
            f"a torch module is needed, not {type(model).__name__}; wrap a function in one, with its parameters"
        )
    if isinstance(x, (tuple, list, dict)):
        raise Error("samples are one tensor [n, …]; wrap a module of several inputs in one that takes them apart")
    if any(tensor.device.type != "cpu" for tensor in [*model.parameters(), *model.buffers()]):
        model = copy.deepcopy(model).cpu()
    example = x[:4].detach().cpu() if isinstance(x, torch.Tensor) else torch.from_numpy(np.array(to_numpy(x)[:4]))
    if example.dtype == torch.uint8:
        raise Error("x holds bytes (uint8); give the numbers that the module takes, as x / 255 in its float type")
    kinds = [tensor.dtype for tensor in model.parameters() if tensor.is_floating_point()]
    if example.is_floating_point() and kinds:
        example = example.to(kinds[0])
    if len(example) == 0:
        raise Error("there are no samples")
    if len(example) < 2:
        example = example.repeat(4, *[1] * (example.ndim - 1))
    with _in_mode(model, mode == "batch"):
        try:
            exported = torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        except Exception as error:
            first = str(error).strip().split("\n")[0]
            raise Error(
                f"torch.export could not take the module for any number of samples: {first} (its own message stands "
                "above; what it may contain: docs/howto/pytorch.md)"
            ) from error
        buffer = io.BytesIO()
        torch.export.save(exported, buffer)
    return buffer.getvalue()


class Objective:
    """The loss of a network on data, at its parameters.

    ``L(w) = c Σ ℓ(F(w)_i, y_i)`` with c = 1/n, or 1/(n·L) where samples have a label at each of L positions; squared
    error with ½: PyTorch's ``MSELoss`` has no ½ and divides by n·C, so its Hessian is 2/C times the one here. P
    trainable parameters are one vector in the network's order.

    Everything is measured in float64 unless ``precision="f32"``, whatever the network was trained in.

    >>> x = np.linspace(-1, 1, 20).reshape(-1, 1)
    >>> objective = Objective.mlp(x, x[:, 0] ** 2, hidden=[8], loss="squared-error", seed=1)
    >>> objective.parameters().shape, objective.samples
    ((25,), 20)
    >>> bool(np.isclose(objective.spectrum().trace.value, np.trace(objective.hessian().to_dense())))
    True
    """

    def __init__(self, objective: _losscape.Objective) -> None:
        self._objective = objective
        self._about: dict[str, Any] = json.loads(objective.about())
        self._segments = objective.segments()

    @classmethod
    def _told(cls, objective: _losscape.Objective) -> Objective:
        found = cls(objective)
        tell(found.notices)
        return found

    @classmethod
    def from_torch(
        cls,
        model: Any,
        x: Any,
        y: Any,
        *,
        loss: str = "cross-entropy",
        mode: Mode = "evaluation",
        precision: Precision = "f64",
        vocabulary: int | None = None,
    ) -> Objective:
        """Of a torch module, through ``torch.export`` in memory; the module stays as it is.

        ``x`` ``[n, …]`` as the module takes it, ``y`` labels ``[n]`` or targets ``[n, C]``. ``mode="evaluation"``
        takes the module as after ``eval()``; ``"batch"`` takes batch norm's statistics of all samples, as after
        ``train()`` on the whole data. ``losscape list losses`` names the losses. Token ids need ``vocabulary`` where
        no embedding of the module says it. Outputs ``[n, L, C]`` are those at L positions, the classes last.

        Raises :class:`Error` naming the operation, and the module it stands in, where one is not known.
        """
        archive, data = export(model, x, mode), _arrays(x, y)
        return cls._told(
            _losscape.Objective.from_archive(
                archive, data, loss=loss, mode=mode, precision=precision, channels=None, vocabulary=vocabulary
            )
        )

    @classmethod
    def from_archive(
        cls,
        path: str | Path,
        x: Any,
        y: Any,
        *,
        loss: str = "cross-entropy",
        mode: Mode = "evaluation",
        precision: Precision = "f64",
        vocabulary: int | None = None,
    ) -> Objective:
        """Of an archive of ``torch.export.save``."""
        try:
            archive = Path(path).read_bytes()
        except OSError as error:
            raise Error(f"cannot read {path}: {error.strerror}") from error
        return cls._told(
            _losscape.Objective.from_archive(
                archive, _arrays(x, y), loss=loss, mode=mode, precision=precision, channels=None, vocabulary=vocabulary
            )
        )

    @classmethod
    def from_run(
        cls, folder: str | Path, *, average: bool = False, mode: Mode = "evaluation", precision: Precision = "f64"
    ) -> Objective:
        """Of the newest checkpoint of a run, on its training data; or of the average of its weights there."""
        return cls._told(_losscape.Objective.from_run(Path(folder), average, mode, precision))

    @classmethod
    def of_network(
        cls,
        model: Mapping[str, Any],
        x: Any,
        y: Any,
        *,
        loss: str | Mapping[str, Any] = "cross-entropy",
        weights: str | Path | None = None,
        seed: int = 0,
        mode: Mode = "evaluation",
        precision: Precision = "f64",
        channels: Literal["first", "last"] | None = None,
        vocabulary: int | None = None,
    ) -> Objective:
        """Of a network that Losscape has by name: ``model`` holds the keys of ``[model]`` in a configuration.

        It is initialized under ``seed``, or has ``weights`` of a safetensors file. Images ``[n, C, H, W]`` need
        ``channels="first"``.
        """
        table = {"name": loss} if isinstance(loss, str) else dict(loss)
        description = f"model = {toml(dict(model))}\nloss = {toml(table)}\n"
        return cls._told(
            _losscape.Objective.described(
                description,
                _arrays(x, y),
                weights=None if weights is None else Path(weights),
                seed=seed,
                mode=mode,
                precision=precision,
                channels=channels,
                vocabulary=vocabulary,
            )
        )

    @classmethod
    def mlp(
        cls,
        x: Any,
        y: Any,
        *,
        hidden: list[int],
        activation: str = "tanh",
        loss: str | Mapping[str, Any] = "cross-entropy",
        seed: int = 0,
        **settings: Any,
    ) -> Objective:
        """Of a perceptron with these hidden widths, initialized under a seed; further settings as ``of_network``."""
        model = {"name": "mlp", "hidden": hidden, "activation": activation}
        return cls.of_network(model, x, y, loss=loss, seed=seed, **settings)

    @property
    def samples(self) -> int:
        """Samples n."""
        return int(self._about["samples"])

    @property
    def outputs(self) -> int:
        """Outputs C of a sample."""
        return int(self._about["outputs"])

    @property
    def mode(self) -> str:
        """What batch norm goes by: ``evaluation`` or ``batch``."""
        return str(self._about["mode"])

    @property
    def precision(self) -> str:
        """The float type measured in."""
        return str(self._about["precision"])

    @property
    def notices(self) -> list[str]:
        """What was understood in a way that you should know of; each is a warning, too."""
        return list(self._about["notices"])

    @property
    def digest(self) -> str:
        """SHA-256 over everything that a measurement depends on."""
        return self._objective.digest()

    @property
    def setup(self) -> dict[str, str]:
        """How network and data were made, in words, by topic."""
        return dict(self._about["setup"])

    @property
    def _dtype(self) -> np.dtype:
        return np.dtype(np.float32 if self.precision == "f32" else np.float64)

    def parameters(self) -> np.ndarray:
        """The parameters measured at, ``[P]``."""
        return self._objective.parameters()

    def named_parameters(self, w: Any = None) -> dict[str, np.ndarray]:
        """The parameters by name, in their shapes; with ``w`` those of a flat vector, as a gradient."""
        flat = self.parameters() if w is None else self._flat(w)
        return {name: flat[start:end].reshape(shape) for name, shape, start, end in self._segments}

    def _flat(self, w: Any) -> np.ndarray:
        if isinstance(w, Mapping):
            names = {name for name, *_ in self._segments}
            missing, unknown = sorted(names - set(w)), sorted(set(w) - names)
            if missing or unknown:
                words = (
                    f"not given: {', '.join(missing[:5])}" if missing else f"not trained here: {', '.join(unknown[:5])}"
                )
                raise Error(
                    f"parameters {words}; give exactly those of named_parameters(): without buffers, as running "
                    "statistics, which belong to another objective when they are others, without frozen parameters, "
                    "and a tied one under its first name"
                )
            parts = []
            for name, shape, *_ in self._segments:
                part = to_numpy(w[name], self._dtype)
                if list(part.shape) != list(shape) and not (part.ndim == 0 and list(shape) == [1]):
                    raise Error(f"{name} has shape {part.shape}, where {tuple(shape)} was expected")
                parts.append(part.reshape(-1))
            return np.concatenate(parts)
        try:
            flat = to_numpy(w, self._dtype)
        except (ValueError, TypeError) as error:
            raise Error(f"parameters are a vector or a dictionary by name, not {type(w).__name__}: {error}") from error
        if flat.shape != (self._segments[-1][3],):
            raise Error(f"parameters of shape {flat.shape}, where {(self._segments[-1][3],)} was expected")
        return flat

    def at(self, w: Any) -> Objective:
        """The same loss at other parameters: a vector ``[P]``, or a dictionary by name of arrays or tensors."""
        return Objective(self._objective.at(self._flat(w)))

    def value(self, w: Any = None) -> float:
        """``L(w)``, without ``w`` at its own parameters."""
        return self._objective.value(None if w is None else self._flat(w))

    def gradient(self, w: Any = None) -> np.ndarray:
        """``∇L(w)`` ``[P]``."""
        return self._objective.gradient(None if w is None else self._flat(w))

    def predictions(self) -> np.ndarray:
        """The outputs ``F(w)`` ``[n, C]``."""
        return self._objective.outputs()

    def _operator(self, name: str) -> Operator:
        return Operator(self._objective.operator(name), name)

    def hessian(self) -> Operator:
        """``H = ∇²L``, ``[P, P]``."""
        return self._operator("hessian")

    def gauss_newton(self) -> Operator:
        """``G = Jᵀ (∂²L/∂F²) J``, ``[P, P]``."""
        return self._operator("gauss_newton")

    def residual(self) -> Operator:
        """``H − G``, ``[P, P]``."""
        return self._operator("residual")

    def fisher(self) -> Operator:
        """The empirical Fisher matrix ``c Σ g_n g_nᵀ`` of the samples' own gradients, ``[P, P]``."""
        return self._operator("fisher")

    def ntk(self) -> Operator:
        """The tangent kernel ``K_c = c J Jᵀ``, ``[n·C, n·C]``: with the factor c of the loss."""
        return self._operator("ntk")

    def kernel(self) -> np.ndarray:
        """The tangent kernel written down, ``[n·C, n·C]``, faster than by products."""
        return self._objective.kernel()

    def spectrum(self, top: int | None = None, bottom: int | None = None, **settings: Any) -> Spectrum:
        """The spectrum of the Hessian; see :func:`losscape.spectrum`."""
        return self.hessian().spectrum(top, bottom, **settings)

    def measure(
        self,
        *names: str,
        top: int | None = None,
        seed: int = 0,
        memory: int | None = None,
        rise: float = 0.1,
        draws: int = 1500,
        localization: float = 1.0,
        progress: Progress = None,
    ) -> Measurements:
        """Measures by name, as ``losscape analyze --only``, or all; ``losscape list measures`` tells what there is.

        ``memory`` bounds the bytes used; what does not fit is refused before anything is measured. ``rise`` of the loss
        defines basin width. ``draws`` and ``localization`` are those of the chains of ``llc``.
        """
        return self._measure(
            list(names) or None,
            top=top,
            seed=seed,
            memory=memory,
            rise=rise,
            draws=draws,
            localization=localization,
            progress=progress,
        )

    def _measure(
        self,
        names: list[str] | None,
        *,
        optimizer: Mapping[str, Any] | None = None,
        top: int | None = None,
        seed: int = 0,
        memory: int | None = None,
        rise: float = 0.1,
        draws: int = 1500,
        localization: float = 1.0,
        progress: Progress = None,
    ) -> Measurements:
        whole(seed=seed)
        method = None if optimizer is None else f"optimizer = {toml(dict(optimizer))}\n"
        with shown(progress) as told:
            measured = self._objective.measure(
                names,
                optimizer=method,
                top=top,
                seed=seed,
                memory=memory,
                rise=rise,
                draws=draws,
                localization=localization,
                progress=told,
            )
        return Measurements(measured)

    def pl_star(self, **settings: Any) -> Measurements:
        """Whether PL* holds here and around, through the tangent kernel's least eigenvalue, with a proof's radius."""
        return self.measure("ntk", "pl", **settings)

    def step_bounds(self, optimizer: Mapping[str, Any] | None = None, **settings: Any) -> Measurements:
        """Step sizes that are stable, and the sharpness against the edge of a method.

        ``optimizer`` holds the keys of ``[optimizer]`` in a configuration, as ``{"name": "momentum",
        "learning_rate": 0.1, "momentum": 0.9}``; of a run, its own is known. The edge of methods with a preconditioner
        needs its state, and is only known of a run.
        """
        return self._measure(["bounds"], optimizer=optimizer, **settings)

    def sharpness(self, **settings: Any) -> Measurements:
        """Sharpness in a ball, on average, adaptive, PAC-Bayes."""
        return self.measure("sharpness", **settings)

    def basin(self, **settings: Any) -> Measurements:
        """How far it is in random and sharp directions until the loss has risen."""
        return self.measure("basin", **settings)

    def slices(self, **settings: Any) -> Measurements:
        """The loss along lines and planes (Li et al. 2018)."""
        return self.measure("slices", **settings)

    def norms(self, **settings: Any) -> Measurements:
        """Norms of the parameters, and margins."""
        return self.measure("norms", **settings)

    def __repr__(self) -> str:
        about = self._about
        return (
            f"Objective({about['source']}: P = {about['parameters']}, n = {about['samples']}, C = {about['outputs']}, "
            f"{about['loss']}, {about['mode']} mode, {about['precision']})"
        )


class Measurements(Mapping[str, Any]):
    """What was measured: sections by name, as in the folder ``analysis`` of a run. A notebook shows tables and figures.

    ``measurements["bounds"]["cauchy"]`` or ``measurements.bounds["cauchy"]``.

    >>> x = np.linspace(-1, 1, 9).reshape(-1, 1)
    >>> measured = Objective.mlp(x, x[:, 0], hidden=[4], loss="squared-error").step_bounds()
    >>> measured.bounds["beta"] == measured["bounds"]["beta"], measured.samples
    (True, 9)
    """

    def __init__(self, measured: _losscape.Measured) -> None:
        self._measured = measured
        self.sections: dict[str, Any] = json.loads(measured.json())
        """Everything, as dictionaries and lists."""
        self.arrays: dict[str, np.ndarray] = {name: measured.array(name) for name in measured.arrays()}
        """Lists of numbers that go with sections, as all eigenvalues of the kernel."""

    def __getitem__(self, name: str) -> Any:
        if name not in self.sections:
            raise KeyError(f"no section {name!r}; there are {', '.join(self.sections)}")
        return self.sections[name]

    def __getattr__(self, name: str) -> Any:
        sections = self.__dict__.get("sections", {})
        if name not in sections:
            raise AttributeError(f"no section {name!r}; there are {', '.join(sections)}")
        return sections[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.sections)

    def __len__(self) -> int:
        return len(self.sections)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as dictionaries and lists."""
        return {**self.sections, "arrays": {name: values.tolist() for name, values in self.arrays.items()}}

    @property
    def figures(self) -> list[Figure]:
        """Its figures."""
        return [Figure(*figure) for figure in self._measured.figures()]

    def figure(self, name: str) -> Figure:
        """The figure of a name."""
        return named(self._measured.figures(), name)

    def __repr__(self) -> str:
        return self._measured.text()

    def _repr_html_(self) -> str:
        return self._measured.html()
