"""The text of Jacobians and Hessians: what an expert would write."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile import pipeline
from adcompile.ir.core import Function
from tests.ad.batch.harness import finished, gradient_tangent, jacobian_of, to_jacobian
from tests.ad.batch.over import batched
from tests.ad.batch.programs import heat
from tests.gallery.programs import weighted

N = np.random.default_rng(0).standard_normal


def text_of(fn: Function, one: bool = False) -> str:
    """The text of a Jacobian without the value."""
    ret = fn.block.ops[-1]
    (tree,) = ret.operands[1:]
    ret.operands = tree.owner.operands[:1] if one else [tree]  # type: ignore[union-attr]
    for p in pipeline.CLEAN:
        p.run(fn)
    return finished(fn).text


def jacobian_text(program: Callable[..., Any], args: Sequence[Any], wrt: int, forward: bool) -> str:
    return text_of(jacobian_of(program, args, (wrt,), forward=forward))


def same(text: str, want: str) -> None:
    assert text == textwrap.dedent(want).lstrip("\n")


def layer(W, b, x):
    return np.tanh(W @ x + b)


def test_layer_forward() -> None:
    same(
        jacobian_text(layer, (N((4, 3)), N(4), N(3)), 2, forward=True),
        """
        import numpy as np


        def layer_jvp(W, b, x):
            z = np.tanh(W @ x + b)
            return W * (1 - z * z)[:, None]
        """,
    )


def test_layer_reverse() -> None:
    same(
        jacobian_text(layer, (N((4, 3)), N(4), N(3)), 2, forward=False),
        """
        import numpy as np


        def layer(W, b, x):
            z = np.tanh(W @ x + b)

            # return np.tanh(W @ x + b)
            d_x = (1 - z * z)[:, None] * W
            return d_x
        """,
    )


def test_weights_reverse() -> None:
    same(
        jacobian_text(layer, (N((4, 3)), N(4), N(3)), 0, forward=False),
        """
        import numpy as np


        def layer(W, b, x):
            z = np.tanh(W @ x + b)

            # return np.tanh(W @ x + b)
            n = z.size
            k = np.arange(n)
            z = (1 - z * z)[:, None] * x
            shape = z.shape
            d_W = np.zeros((n, shape[0], shape[1]))
            d_W[k, k] = z
            return d_W
        """,
    )


def test_elementwise() -> None:
    def softplus(x):
        return np.log(1.0 + np.exp(x))

    same(
        jacobian_text(softplus, (N(5),), 0, forward=True),
        """
        import numpy as np


        def softplus_jvp(x):
            z = np.exp(x)
            z2 = 1.0 + z
            return np.diag(z / z2)
        """,
    )


def test_stencil() -> None:
    def second(x):
        return x[2:] - 2.0 * x[1:-1] + x[:-2]

    same(
        jacobian_text(second, (N(5),), 0, forward=True),
        """
        import numpy as np


        def second_jvp(x):
            # return x[2:] - 2.0 * x[1:-1] + x[:-2]
            k = np.arange(x.size)
            index = k[2:]
            n = index.size
            z = np.zeros((n, x.size))
            index2 = np.arange(n)
            z[index2, index] = 1.0
            z[index2, k[1:-1]] = -2.0
            z[index2, k[:-2]] = 1.0
            return z
        """,
    )


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def test_rosenbrock_hessian() -> None:
    fn = to_jacobian(gradient_tangent(rosenbrock, (N(5),), (0,)), 1, (0,), True)
    same(
        text_of(fn, one=True),
        """
        import numpy as np


        def rosenbrock_grad_jvp(x):
            # return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
            k = np.arange(x.size)
            index = k[1:]
            z = x[:-1]
            index2 = k[:-1]
            z2 = x[1:] - z ** 2
            z3 = -400.0 * z
            z = -2 * (z3 * z + 200.0 * z2 + -1.0)
            d_x_dot = np.zeros((x.size, x.size))
            d_x_dot[index2, index] = z3
            d_x_dot[index2, index2] = z
            d_x_dot[index, index] += 200.0
            d_x_dot[index, index2] = z3
            return d_x_dot
        """,
    )


def test_loop_over_elements() -> None:
    """Each iteration changes a few numbers, however many directions there are."""
    same(
        jacobian_text(weighted, (N(6), N(5)), 0, forward=True),
        """
        import numpy as np


        def weighted_jvp(x, w):
            s_dot = np.zeros(x.size)
            for i in range(len(x) - 1):
                t = x[i]
                t2 = x[i + 1]
                t3 = w[i]
                s_dot[i] += t2 * t3
                s_dot[i + 1] += t * t3
            return s_dot
        """,
    )


def test_loop_of_writes() -> None:
    same(
        jacobian_text(heat, (N(6), 0.1), 0, forward=True),
        """
        import numpy as np


        def heat_jvp(u, k):
            # v = u.copy()
            n = u.size
            v_dot = np.eye(n)
            for _ in range(3):
                # v[1:-1] += k * (v[2:] - 2 * v[1:-1] + v[:-2])
                z = v_dot[:, 2:] - 2 * v_dot[:, 1:-1] + v_dot[:, :-2]
                v_dot[:, 1:-1] += k * z
            return v_dot.T
        """,
    )


def test_one_direction_needs_no_batch() -> None:
    same(
        jacobian_text(heat, (N(6), 0.1), 1, forward=True),
        """
        import numpy as np


        def heat_jvp(u, k):
            v = u.copy()
            v_dot = np.zeros_like(v)
            for _ in range(3):
                z = v[2:] - 2 * v[1:-1] + v[:-2]
                z2 = v_dot[2:] - 2 * v_dot[1:-1] + v_dot[:-2]
                v[1:-1] += k * z
                v_dot[1:-1] += z + k * z2
            return v_dot
        """,
    )


def test_what_no_rule_knows() -> None:
    def smoothed(d):
        return np.convolve(d, [1.0, 2.0])

    same(
        finished(batched(smoothed, np.zeros(3))).text,
        """
        import numpy as np


        def program(like):
            # return np.convolve(d, [1.0, 2.0])
            z = np.array([1.0, 2.0])
            d = np.eye(like.size)
            z2 = np.zeros((like.size, d.shape[1] + 1))
            for k in range(like.size):
                z2[k] = np.convolve(d[k], z)
            return z2.T
        """,
    )
