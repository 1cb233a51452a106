"""The table of masks says what JAX and autograd give (PyTorch is not there under every Python)."""

from __future__ import annotations

import re
from typing import Any

import autograd
import autograd.numpy
import jax
import jax.numpy
import numpy as np
import pytest

from adcompile import grad
from tests.ad.programs import load
from tests.docs.pages import ROOT
from tests.peers.test_peers import under

TEXT = (ROOT / "docs" / "masks.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(np\..*)` \| (\S+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$", TEXT, re.M)


def test_the_table_is_read():
    assert len(ROWS) >= 6


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
@pytest.mark.filterwarnings("ignore")
def test_row(row: tuple[str, ...]) -> None:
    expression, at, ours, by_jax, _, by_autograd = row
    f: Any = load(f"def f(x):\n    return np.sum({expression})\n")
    x = np.array([4.0, float(at)])
    with jax.enable_x64(True):
        theirs = jax.grad(under(f, jax.numpy))(jax.numpy.asarray(x))
    for want, d in (
        (ours, grad(f)(x)),
        (by_jax, theirs),
        (by_autograd, autograd.grad(under(f, autograd.numpy))(x)),
    ):
        assert d.shape == (2,)
        np.testing.assert_equal(float(d[1]), float(want))
