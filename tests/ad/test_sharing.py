"""What an expression hands back: a write into it, or into its source, is seen or refused."""

import numpy as np
import pytest

from adcompile import AdcompileError, AliasError, grad, jacobian, value_and_grad
from tests.ad.programs import load

X = np.sin(np.arange(1.0, 5.0))
M = np.cos(np.arange(4.0)).reshape(2, 2) + 2 * np.eye(2)

KNOWN = """
x[:] | x[...] | x[::2] | x[None] | x[:, None] | x[1:2] | x[[0, 1]] | x[x > 0] | x[slice(None)]
x[None, ...] | x.T | x.copy() | x.conj() | x.conjugate() | np.conj(x) | x.real | x.round()
x.astype(float) | np.asarray(x) | np.asanyarray(x) | np.array(x) | np.copy(x) | np.atleast_2d(x)
np.expand_dims(x, 0) | np.squeeze(x[None], 0) | x.flatten() | x.reshape(2, 2) | x.reshape(4)
np.flip(x) | m.T | m.mT | np.rot90(m) | np.swapaxes(m, 0, 1) | np.moveaxis(m, 0, 1) | m[0] | m[:, 1]
m.T[0] | m[0][1:] | np.transpose(m) | m.ravel() | m.reshape(-1) | m.flatten() | (m + 0).ravel()
np.where(x > 0, x, 0) | np.maximum(x, 0) | +x | np.concatenate([x]) | np.stack([x, x]) | np.sort(x)
np.take(x, [0, 1]) | np.repeat(x, 1) | np.cumsum(x) | m @ m | np.dot(m, m) | abs(x)
x.flat[:] | x.flat[1:3] | m[np.int64(0)] | (lambda u: u[1:])(x) | np.roll(x, 1) | np.tril(m)
np.linalg.inv(m) | np.tile(x, 2) | (x, m)[0] | {"a": x}["a"] | [x].copy()[0] | (x, 1)[:1][0]
"""
PERHAPS = """
x.astype(float, copy=False) | np.array(x, copy=None) | np.ascontiguousarray(x) | np.ravel(m.T)
x.reshape(2, 2, order="F") | np.split(x, 2)[0] | np.broadcast_arrays(x, x)[0] | m.T.ravel()
np.broadcast_arrays(x)[0] | np.einsum("ij->ji", m) | np.einsum("ij->ij", m).ravel() | np.ix_(x)[0]
np.diff(x, n=0) | np.linalg.matrix_power(m, 1) | np.meshgrid(x, x, copy=False)[0] | m[np.array(0)]
np.diff(x, 0) | list(m)[0] | list(zip(m, x))[0][0] | list(enumerate(m))[0][1] | [r for r in m][0]
[(r, 1) for r in m][1][0] | [{"a": r} for r in m][1]["a"] | sorted([m[0], m[1]], key=np.sum)[0]
max(m, key=np.sum) | min(m[0], m[1], key=np.sum) | [m[0], m[1]][int(x[0] > 0)] | m[::-1].ravel()
np.nan_to_num(x, copy=False) | np.diag(m) | np.array_split(x, 2)[1] | np.atleast_1d(x, m)[1]
np.atleast_1d(x[0] * 2) | np.broadcast_to(x[0], (3,)) | np.asarray(x, dtype=np.float32)
"""
BODIES = {
    "written": "y[...] += 1.0",
    "made of": "x *= 2.0\n    m *= 3.0",
    "both": "y *= 2\n    x[0] += y.sum()\n    m[0] += x[0]\n    x[1] = 7.0 * m[1, 1]",
}


def expressions(text):
    return [e.strip() for line in text.strip().splitlines() for e in line.split(" | ")]


def program(expression, body):
    return load(
        f"def f(x, m):\n    y = {expression}\n    {body}\n"
        "    return x.sum() + (m * m[::-1]).sum() + 2.0 * np.sum(y * y)\n"
    )


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("expression", expressions(KNOWN))
def test_what_is_known(expression, body):
    f = program(expression, body)
    value, grads = value_and_grad(f, wrt=(0, 1))(X, M)
    np.testing.assert_allclose(value, f(X.copy(), M.copy()), rtol=1e-13)
    for k, d in enumerate(grads):
        for at in np.ndindex(d.shape):
            args = [[X.copy(), M.copy()], [X.copy(), M.copy()]]
            args[0][k][at] += 1e-6
            args[1][k][at] -= 1e-6
            slope = (f(*args[0]) - f(*args[1])) / 2e-6
            np.testing.assert_allclose(d[at], slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("expression", expressions(PERHAPS))
def test_what_is_not(expression, body):
    """Refused, or right: never silently wrong."""
    f = program(expression, body)
    try:
        value, _ = value_and_grad(f, wrt=(0, 1))(X, M)
    except AdcompileError:
        return
    try:
        expected = f(X.copy(), M.copy())
    except ValueError:  # read-only
        pytest.fail("a program that fails in NumPy was compiled")
    np.testing.assert_allclose(value, expected, rtol=1e-6 if "float32" in expression else 1e-13)


def test_a_write_into_what_is_read_only():
    """NumPy does not let one write through some views, nor does the compiler."""
    for expression in ("np.broadcast_to(x, (2, 4))", "np.broadcast_to(x[0], (3,))", "m.diagonal()"):
        with pytest.raises(AdcompileError, match="does not let one write"):
            grad(program(expression, BODIES["written"]))(X, M)


WRITTEN = {
    "reshaped": "w = v.reshape(-1)\n    w *= 2.0",
    "raveled": "v.ravel()[1] = 2.0",
    "under a condition": "w = v.reshape(-1)\n    if k > 0:\n        w *= 2.0",
    "one of two": "w = v if k > 0 else m * 2\n    w *= 2.0",
    "of a list": "vs = [v, m * 3]\n    w = vs[0] if k > 0 else vs[1]\n    w *= 2.0",
}
LOOPS = {
    "for": "for i in range(2):\n        v[i] = v[i] * 2",
    "in place": "for i in range(2):\n        v[i] += m[0]",
    "written only": "for i in range(2):\n        v[i] = 1.0",
    "while": "i = 0\n    while i < 2:\n        v[i] *= 2\n        i += 1",
    "nested": "for i in range(2):\n        for j in range(2):\n            v[i, j] *= 2",
    "perhaps": "for i in range(2):\n        if i < k:\n            v[i] *= 2",
    "called": "def twice():\n        for i in range(2):\n            v[i] *= 2\n    twice()",
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_loop_writes_what_is_not_known(written, loop):
    """An array that was perhaps written by another name is refused in a loop, too."""
    f = load(f"def f(m, k):\n    v = m * m\n    {written}\n    {loop}\n    return np.sum(v)")
    for mode in (grad, jacobian):
        with pytest.raises(AliasError, match="cannot tell whether"):
            mode(f)(M, 1)
