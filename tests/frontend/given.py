"""What the lowered programs are given."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from adcompile.ir import core

rng = np.random.default_rng(0)
X = rng.normal(size=(3, 4))
V = rng.normal(size=4)
W = rng.normal(size=5)
SCALE = 2.5
PAIR = (np.array([1.0, 2.0, 3.0, 4.0]), {"k": 3.0})


class Point(NamedTuple):
    a: Any
    b: Any = 2.0


@dataclasses.dataclass
class Layer:
    w: Any
    bias: Any = 0.5

    def apply(self, x):
        return x @ self.w + self.bias

    @property
    def twice(self):
        return self.w * 2


def ops(fn: core.Function, kind: type) -> list[Any]:
    return [op for op in core.walk(fn.block) if isinstance(op, kind)]
