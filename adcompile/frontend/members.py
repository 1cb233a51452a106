"""The attributes and methods of arrays, each with the NumPy function that it is.

A method takes its arguments in the order of the function, after the array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

ATTRIBUTES: dict[str, Callable[..., Any]] = {
    "T": np.transpose,
    "mT": np.matrix_transpose,
    "shape": np.shape,
    "size": np.size,
    "real": np.real,
    "imag": np.imag,
}

METHODS: dict[str, Callable[..., Any]] = {
    "all": np.all,
    "any": np.any,
    "argmax": np.argmax,
    "argmin": np.argmin,
    "argsort": np.argsort,
    "astype": np.astype,
    "clip": np.clip,
    "conj": np.conjugate,
    "conjugate": np.conjugate,
    "copy": np.copy,
    "cumprod": np.cumprod,
    "cumsum": np.cumsum,
    "diagonal": np.diagonal,
    "dot": np.dot,
    "flatten": np.ravel,
    "item": np.ndarray.item,
    "max": np.max,
    "mean": np.mean,
    "min": np.min,
    "nonzero": np.nonzero,
    "prod": np.prod,
    "ravel": np.ravel,
    "repeat": np.repeat,
    "reshape": np.reshape,
    "round": np.round,
    "searchsorted": np.searchsorted,
    "squeeze": np.squeeze,
    "std": np.std,
    "sum": np.sum,
    "swapaxes": np.swapaxes,
    "take": np.take,
    "trace": np.trace,
    "transpose": np.transpose,
    "var": np.var,
}

# Methods that take a shape or axes as one tuple or as separate arguments.
VARIADIC = {"reshape", "transpose"}

# What functions with several results return, where it is not a plain tuple.
RESULT_TYPES: dict[Callable[..., Any], type] = {
    fn: type(fn(np.eye(1)))
    for fn in (np.linalg.slogdet, np.linalg.eigh, np.linalg.qr, np.linalg.svd)
}
RESULT_TYPES.update(
    dict.fromkeys((np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit), list)
)
