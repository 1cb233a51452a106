"""Programs that look at, or change, their own gradient, and the text of what becomes of them."""

from __future__ import annotations

import numpy as np

from adcompile import clip_gradient, gradient_of

x = np.arange(1.0, 4.0)
W = np.arange(9.0).reshape(3, 3) / 10


def printed(x, W):
    h = x
    for i in range(3):
        h = np.tanh(W @ h)
        with gradient_of(h) as g:
            print(i, g.shape, f"{np.linalg.norm(g):.6f}")
    return np.sum(h * h)


def clipped(x, W):
    h = x
    for _ in range(3):
        h = np.tanh(W @ h)
        with gradient_of(h) as g:
            g = np.clip(g, -0.3, 0.3)
    return np.sum(h * h)


def in_place(x):
    h = np.sin(x)
    with gradient_of(h) as g:
        g *= 0.5
        g[g > 0.3] = 0.3
    return np.sum(h * h)


def in_branches(x, n):
    s = x
    for i in range(n):
        if i % 2 == 0:
            s = s * x
        else:
            with gradient_of(s) as g:
                print("odd", i, g)
    return s


def helper(h):
    with gradient_of(h) as g:
        print("helper", g)
        g = g * 0.1
    return h * 3.0


def inlined(x):
    y = helper(x)
    z = helper(y)
    return np.sum(z * x)


def falling(h, n):
    with gradient_of(h) as g:
        print("at", n, np.round(g, 2))
        g = np.minimum(g, 0.9)
    if n == 0:
        return np.sum(h)
    return falling(np.sin(h), n - 1)


def recursive(x):
    return falling(x, 2)


def squared(x):
    s = x
    while s < 100.0:
        s = s * s
        with gradient_of(s) as g:
            print("s", g)
    return s


def shared(p, x):
    W = p["W"]
    h = x
    for t in range(2):
        with gradient_of(W) as g:
            print(t, f"{np.linalg.norm(g):.6f}")
        h = np.tanh(W @ h)
    return np.sum(h)


def heat(u):
    u = u.copy()
    for i in range(2):
        u[1:-1] += 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        with gradient_of(u) as g:
            print(i, g[0])
            g[...] = np.clip(g, -1.0, 1.0)
    return np.sum(u * u)


def normalised(x, limit):
    y = x * x
    with gradient_of(y) as g:
        n = np.linalg.norm(g)
        if n > limit:
            print("too large:", f"{n:.6f}", "at", y[0])
            g = g * (limit / n)
    return np.sum(y * y)


def early(x):
    y = x * x
    with gradient_of(y) as g:
        print("y", g)
    if y > 3.0:
        return y * 2.0
    z = y * y
    with gradient_of(z) as g:
        print("z", g)
        g = -g
    return z


def by_call(x, lo, hi):
    h = clip_gradient(np.sin(x), lo, hi)
    return np.mean(h * h * 100)


# Arguments, what the gradient prints, and its text.
TEXTS = {
    printed: (
        (x, W),
        "2 (3,) 2.358336\n1 (3,) 0.996024\n0 (3,) 0.295417\n",
        """
def printed_grad(x, W):
    saved = []
    h = x
    for i in range(3):
        h = np.tanh(W @ h)
        saved.append((i, h))  # for gradient_of(h), d_h

    # return np.sum(h * h)
    d_h = 2.0 * h
    for i, h in reversed(saved):
        # with gradient_of(h) as g:
        g = d_h
        print(i, g.shape, "{:.6f}".format(np.linalg.norm(g)))
        # h = np.tanh(W @ h)
        d_h = d_h * (1 - h * h) @ W
    return d_h
""",
    ),
    clipped: (
        (x, W),
        "",
        """
def clipped_grad(x, W):
    saved_h = []
    h = x
    for _ in range(3):
        h = np.tanh(W @ h)
        saved_h.append(h)  # for d_h

    # return np.sum(h * h)
    d_h = 2.0 * h
    for h in reversed(saved_h):
        # with gradient_of(h) as g:
        g = d_h
        g = np.clip(g, -0.3, 0.3)
        # h = np.tanh(W @ h)
        d_h = g * (1 - h * h) @ W
    return d_h
""",
    ),
    in_place: (
        (x,),
        "",
        """
def in_place_grad(x):
    h = np.sin(x)

    # return np.sum(h * h)
    d_h = 2.0 * h
    # with gradient_of(h) as g:
    g = d_h
    g *= 0.5
    g[g > 0.3] = 0.3
    # h = np.sin(x)
    d_x = g * np.cos(x)
    return d_x
""",
    ),
    in_branches: (
        (2.0, 4),
        "odd 3 1.0\nodd 1 2.0\n",
        """
def in_branches_grad(x, n):
    saved = []
    s = x
    for i in range(n):
        saved.append((i, s))  # for d_x, gradient_of(s)
        if i % 2 == 0:
            s = s * x

    d_s = 1.0
    d_x = 0.0
    for i, s in reversed(saved):
        if i % 2 == 0:
            # s = s * x
            d_s2 = d_s * x
            d_x += d_s * s
            d_s = d_s2
        else:
            # with gradient_of(s) as g:
            g = d_s
            print("odd", i, g)
    d_x += d_s
    return d_x
""",
    ),
    inlined: (
        (x,),
        "helper [3. 6. 9.]\nhelper [ 9.9 19.8 29.7]\n",
        """
def inlined_grad(x):
    y = x * 3.0
    z = y * 3.0

    # with gradient_of(h) as g:
    g = y
    print("helper", g)
    g = g * 0.1
    # return h * 3.0
    d_h = z + 3.0 * g
    # with gradient_of(h) as g:
    g = d_h
    print("helper", g)
    g = g * 0.1
    return g
""",
    ),
    recursive: (
        (x,),
        "at 0 [1. 1. 1.]\nat 1 [0.6  0.55 0.89]\nat 2 [ 0.32 -0.23 -0.88]\n",
        """
def falling_backward(d_falling, saved):
    flag, h, saved, n = saved
    if flag:
        d_h = np.full_like(h, d_falling)
    else:
        # return falling(np.sin(h), n - 1)
        d_h = falling_backward(d_falling, saved) * np.cos(h)
    # with gradient_of(h) as g:
    g = d_h
    print("at", n, np.round(g, 2))
    g = np.minimum(g, 0.9)
    return g


def falling_forward(h, n):
    flag = n == 0
    if flag:
        t = np.sum(h)
        saved = None
    else:
        t, saved = falling_forward(np.sin(h), n - 1)
    return t, (flag, h, saved, n)


def recursive_grad(x):
    _, saved = falling_forward(x, 2)

    # return falling(x, 2)
    d_x = falling_backward(np.float64(1.0), saved).copy()
    return d_x
""",
    ),
    squared: (
        (2.0,),
        "s 1.0\ns 32.0\ns 256.0\n",
        """
def squared_grad(x):
    saved_s = []
    s = x
    while s < 100.0:
        saved_s.append(s)  # for d_s
        s = s * s

    d_s = 1.0
    for s in reversed(saved_s):
        # with gradient_of(s) as g:
        g = d_s
        print("s", g)
        # s = s * s
        d_s = 2.0 * (d_s * s)
    return d_s
""",
    ),
    shared: (
        ({"W": W}, x),
        "1 1.537522\n0 1.853283\n",
        """
def shared_grad(p, x):
    saved = []
    h = x
    for t in range(2):
        h_in = h
        h = np.tanh(p["W"] @ h_in)
        saved.append((t, h_in, h))  # for d_W, d_h, gradient_of(W)

    d_h = np.full_like(h, 1.0)
    d_W = np.zeros_like(p["W"])
    for t, h_in, h in reversed(saved):
        # h = np.tanh(W @ h)
        d_z = d_h * (1 - h * h)
        d_W += np.outer(d_z, h_in)
        d_h = d_z @ p["W"]
        # with gradient_of(W) as g:
        g = d_W
        print(t, "{:.6f}".format(np.linalg.norm(g)))
    return {"W": d_W}
""",
    ),
    heat: (
        (np.arange(5.0) ** 2,),
        "1 0.0\n0 0.1\n",
        """
def heat_grad(u):
    u = u.copy()
    for _ in range(2):
        u[1:-1] += 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])

    # return np.sum(u * u)
    d_u = 2.0 * u
    for i in reversed(range(2)):
        # with gradient_of(u) as g:
        g = d_u
        print(i, g[0])
        g[...] = np.clip(g, -1.0, 1.0)
        # u[1:-1] += 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
        z = g[1:-1].copy()
        z2 = 0.1 * z
        g[:-2] += z2
        g[1:-1] -= 0.2 * z
        g[2:] += z2
        d_u = g
    return d_u
""",
    ),
    normalised: (
        (x, 10.0),
        "too large: 19.798990 at 1.0\n",
        """
def normalised_grad(x, limit):
    y = x * x

    # return np.sum(y * y)
    d_y = 2.0 * y
    # with gradient_of(y) as g:
    g = d_y
    n = np.linalg.norm(g)
    if n > limit:
        print("too large:", "{:.6f}".format(n), "at", y[0])
        g = g * (limit / n)
    # y = x * x
    d_x = 2.0 * (g * x)
    return d_x
""",
    ),
    early: (
        (1.0,),
        "z 1.0\ny -2.0\n",
        """
def early_grad(x):
    y = x * x
    flag = y > 3.0

    if flag:
        d_y = 2.0
    else:
        # with gradient_of(z) as g:
        g = 1.0
        print("z", g)
        g = -g
        # z = y * y
        d_y = 2.0 * (g * y)
    # with gradient_of(y) as g:
    g = d_y
    print("y", g)
    # y = x * x
    d_x = 2.0 * (d_y * x)
    return d_x
""",
    ),
    by_call: (
        (x, -0.1, 0.1),
        "",
        """
def by_call_grad(x, lo, hi):
    h = np.sin(x)

    # return np.mean(h * h * 100)
    d_h = 200.0 / h.size * h
    # h = clip_gradient(np.sin(x), lo, hi)
    d_x = np.clip(d_h, lo, hi) * np.cos(x)
    return d_x
""",
    ),
}
