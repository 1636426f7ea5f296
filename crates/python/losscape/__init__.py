"""Measure the loss landscape of neural networks: curvature with error bounds, tangent kernels, PL*, step sizes, basins.

>>> import numpy as np
>>> import losscape
>>> found = losscape.eigenpairs(np.diag([3.0, 1.0, -2.0]), k=1)
>>> found.values.round(12).tolist()
[3.0]

- :func:`eigenpairs`, :func:`spectrum`, :func:`density`, :func:`trace`, :func:`diagonal`, :func:`solve`: of any
  symmetric operator, a function of yours among them.
- :class:`Objective`: the loss of a network on data: of a torch module, of a run, of a perceptron.
- :func:`train`, :class:`Run`, :class:`Study`, :mod:`losscape.claims`: runs, studies, statements put to a measurement.

Work runs beside Python: other threads go on, and Ctrl-C is heard at once. ``progress=True`` shows a bar where tqdm is
installed; a function is called as ``progress(what, done, parts)``, with ``parts`` 0 where their number is not known.
"""

from . import claims
from ._figures import Figure
from ._losscape import Error, InternalError, __version__
from ._notices import Notice
from ._objective import Measurements, Objective
from ._operators import Operator, density, diagonal, eigenpairs, solve, spectrum, trace
from ._results import Density, Diagonal, Eigenpairs, Estimate, Solution, Spectrum
from ._runs import Run, train
from ._studies import Study
from ._tables import Table

__all__ = [
    "Density",
    "Diagonal",
    "Eigenpairs",
    "Error",
    "Estimate",
    "Figure",
    "InternalError",
    "Measurements",
    "Notice",
    "Objective",
    "Operator",
    "Run",
    "Solution",
    "Spectrum",
    "Study",
    "Table",
    "__version__",
    "claims",
    "density",
    "diagonal",
    "eigenpairs",
    "solve",
    "spectrum",
    "trace",
    "train",
]
