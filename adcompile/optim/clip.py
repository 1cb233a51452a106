"""Gradient clipping, as a function of values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adcompile.trees import leaves, map_leaves


def clip_by_global_norm(grads: Any, max_norm: float) -> tuple[Any, float]:
    """Scale a tree of gradients down to the norm `max_norm`, if its norm is larger.

    The norm is the Euclidean norm of all leaves taken as one vector, summed in float64 whatever
    their dtype. Nothing is written in place. A gradient that is short enough is returned as it is;
    otherwise a new tree of the same structure, shapes and dtypes, each leaf times
    `max_norm / norm`. A norm of NaN or infinity is returned for the caller to look at.

    Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", 2013
    (arXiv:1211.5063).

    Returns:
        The clipped tree, and the norm before clipping.

    Raises:
        ValueError: unless `max_norm` is positive.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be positive, got {max_norm}")
    wide = (np.asarray(leaf, np.float64) for leaf in leaves(grads))
    squares = (float(np.sum(np.square(leaf))) for leaf in wide)
    norm = math.sqrt(sum(squares))
    if not norm > max_norm:
        return grads, norm
    scale = float(max_norm) / norm
    return map_leaves(lambda leaf: leaf * scale, grads), norm
