"""Programs that write elements, slices and masks, by operators, functions and methods."""

import numpy as np

from tests.ad.cases import cases, some

CASES, case = cases()


# --- elements, slices, broadcasting ---------------------------------------------------------------


@case(some(5))
def element(x):
    y = np.zeros_like(x)
    for i in range(len(x)):
        y[i] = x[i] * x[i]
    return (y * y).sum()


@case(some(5))
def element_of_the_argument(x):
    for i in range(1, len(x)):
        x[i] += 0.5 * x[i - 1] * x[i - 1]
    x[-1] *= x[0]
    return x.sum()


@case(some(3, 2))
def cells(x):
    for i in range(3):
        for j in range(2):
            x[i, j] += x[i - 1, 1 - j] ** 2
            x[i][j] -= 0.5
    return (x * x).sum()


@case(some(5) + 2)
def every_operator(x):
    y = x.copy()
    y **= 2
    y /= x
    y += x * x
    y -= 0.5
    y *= x
    y //= 0.75
    z = x.copy()
    z %= 0.7
    z[1:] **= x[:-1]
    z[0] /= x[1]
    z[2] //= 0.3
    z[3] %= 0.2
    return (y * z).sum() + (z**3).sum()


@case(some(3, 3), some(3, 3))
def matrix_product(x, w):
    y = x.copy()
    y @= w
    y[1:] @= x
    return (y * y).sum()


@case(some(5))
def integers_and_flags(x):
    n = np.zeros(5, dtype=int)
    n[1:] |= 2
    n[2] ^= 1
    n += 3
    n <<= 1
    n >>= 1
    n &= 6
    n //= 2
    n %= 3
    n **= 2
    n[0] -= 4
    positive = np.zeros(5, dtype=bool)
    for i in range(5):
        positive[i] = x[i] > 0
        if positive[i]:
            n[i] += 1
    positive[0] &= False
    positive |= x < -0.9
    return (x * n * x).sum() + (x[positive] ** 3).sum()


@case(some(7))
def slices(x):
    y = x.copy()
    y[1:-1] += y[2:] - 2 * y[1:-1] + y[:-2]
    y[::2] *= x[-1]
    y[-3:] = x[:3]
    y[::-1][0] = 2 * x[1]
    y[5:2:-2] -= x[1:3]
    y[1:] = y[:-1]
    y[::-1] += y
    y[4:4] = 7.0
    return (y * np.arange(7.0)).sum()


@case(some(2, 3, 4), some(3))
def entries_of_all_kinds(x, v):
    y = x.copy()
    y[..., 0] = y[..., 1] * 2
    y[0, :, None, 2] += 3.0
    y[:, 1:, ::2] *= y[:1, 1:, 1::2]
    y[..., -1] = v
    y[1, ...] = v[:, None]
    y[None, 0, 1:] -= v[0]
    return (y * y * y).sum()


@case(some(2, 3), some(3), 0.5)
def broadcasting(x, v, a):
    y = np.zeros((4, 2, 3))
    y[:] = x
    y[1:3, 0] = v
    y[..., 1] = a * v[0]
    y += v
    y *= x[:, :1]
    y[0] = a
    y[2:] /= 2 + v[0]
    return (y**3).sum()


# --- integer arrays and masks --------------------------------------------------------------------


@case(some(5), some(3))
def fancy(x, v):
    y = x.copy()
    y[np.array([0, 2, 4])] = v
    y[[1, 3]] += v[:2]
    y[[-1]] *= v[2]
    return (y**3).sum()


@case(some(5), some(4))
def fancy_with_repeats(x, v):
    y = x.copy()
    y[np.array([0, 2, 0, 0])] = v
    y[[1, 1, 3, 1]] += v * v
    y[[4, 4, 4, 4]] *= v
    return (y**3).sum()


@case(some(3, 4), some(2))
def fancy_in_two_dimensions(x, v):
    y = x.copy()
    y[[0, 2], [1, 3]] = v
    y[np.array([1, 0]), 1:3] *= v[:, None]
    y[:, [0, 3]] -= v
    return (y**3).sum()


@case(some(6))
def masks(x):
    y = x.copy()
    y[y < 0] = 0.0
    y[y > 0.5] *= 2
    y[x > 0.9] -= x[x > 0.9] ** 2
    return (y * y).sum()


@case(some(3, 4))
def masks_of_rows(x):
    y = x.copy()
    y[x[:, 0] > 0] += x[1]
    y[x < -0.5] = x[0, 0]
    y[:, np.array([True, False, False, True])] *= 3
    return (y * y).sum()


# --- functions and methods -----------------------------------------------------------------------


@case(some(5))
def out(x):
    y = np.empty_like(x)
    np.multiply(x, x, out=y)
    np.exp(y, y)
    np.add(y, x, out=(y,))
    np.multiply(y, 2, out=y, where=x > 0)
    np.cumsum(y, out=y)
    z = np.zeros(())
    np.sum(y, out=z)
    np.clip(y, -1, 5, out=y)
    return z * y.sum()


@case(some(3, 3), some(3, 3))
def out_of_products(x, y):
    z = np.zeros((3, 3))
    np.dot(x, y, out=z)
    np.matmul(z, y, out=x)
    return (x * x).sum() + (z * z).sum()


@case(some(3, 4))
def functions_that_write(x):
    y = np.zeros((3, 4))
    np.copyto(y, x)
    np.copyto(y, x[0] ** 2, where=y < 0)
    np.put(y, [1, 5], x[0, :2] ** 2)
    np.put(y.T, [1, 5], x[0, 2:] ** 2)
    y.put([2], 4.0)
    np.put_along_axis(y, np.array([[0], [3], [1]]), x[:, :1] ** 3, axis=1)
    np.putmask(y, y < -0.2, y * 2)
    np.fill_diagonal(y, x[1, :3])
    y[1].fill(x[2, 2])
    return (y**3).sum()


@case(some(5), some(3))
def add_at(x, v):
    y = x.copy()
    np.add.at(y, [0, 2, 0], v * x[:3])
    np.subtract.at(y, np.array([1, 1, 4]), v)
    np.add.at(y[1:], 0, v[0] ** 2)
    return (y**3).sum()


@case(some(3, 4))
def sorting(x):
    y = x.copy()
    y.sort(axis=0)
    y[1].sort()
    y.T[2].sort()
    return (y * np.arange(12.0).reshape(3, 4)).sum()


# --- dtypes --------------------------------------------------------------------------------------


@case(some(5).astype(np.float32))
def single(x):
    y = x.copy()
    y[0] = 2.5
    y[1:] *= np.float64(1.5)
    y += x
    y[3] = x[1] * y[2]
    return (y * y).sum()


@case(some(5).astype(np.float32), some(5))
def converted(x, w):
    z = np.zeros(5)
    z[:] = x
    z[2] = x[3] * w[4]
    z += x
    return (z * w).sum()
