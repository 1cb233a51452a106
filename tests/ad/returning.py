"""Programs that return, or stop and set a flag, from within a loop."""

import numpy as np


def two_returns(x):
    s = 0.0
    for i in range(len(x)):
        s = s + x[i] ** 2
        if s > 3.0:
            return s * x[i]
        if x[i] < -1.0:
            return s - x[i]
    return s


def nested(x):
    s = 0.0
    for i in range(len(x)):
        for j in range(i + 1):
            s = s + np.sin(x[i] * x[j])
            if s > 1.0:
                return s * x[j] + i
    return s + x[0]


def twice_nested(x):
    s = 0.0
    for i in range(2):
        k = 0
        while k < 3:
            k += 1
            for v in x:
                s = s + 0.1 * v * k
                if s > 0.6:
                    return s * v + i
            s = s * 0.9
    return s


def in_place(x):
    y = x.copy()
    for i in range(len(y)):
        y[i] = y[i] * 1.3
        if np.sum(y) > 2.0:
            return np.sum(y * y)
    return np.sum(y)


def written_on_the_way_out(x):
    y = x.copy()
    for i in range(len(y)):
        y[i] = y[i] * 1.3
        if np.sum(y) > 2.0:
            y[0] = y[0] * 2.0
            return np.sum(y * y)
    return np.sum(y)


def asserts(x):
    s = 0.0
    for v in x:
        s = s + v * v
        if s > 2.0:
            assert v > -100
            return s * v
    return s


def flagged(x):
    found = False
    r = 0.0
    s = 0.0
    for v in x:
        s = s + v * v
        if s > 2.0:
            found = True
            r = s * v
            break
    if found:
        return r
    return s * 3.0


def flag_as_a_number(x):
    found = False
    r = 0.0
    s = 0.0
    for v in x:
        s = s + v * v
        if s > 2.0:
            found = True
            r = s * v
            break
    if found:
        return r + found * s
    return s * 3.0 + r


def flag_that_does_not_stop(x):
    found = False
    r = x[0]
    for v in x:
        if found:
            r = r * v
            break
        if v > 0.5:
            found = True
            r = v * v
    if found:
        return r
    return x[1] * r


def loop_with_else(x):
    for v in x:
        if v > 1.0:
            break
        if v < -1.0:
            return v * 3
    else:
        return np.sum(x)
    return v * v


def out_of_try(x):
    for v in x:
        try:
            if v > 1.0:
                return v * v
        except ValueError:
            pass
    return np.sum(x)


def out_of_with(x):
    for v in x:
        with np.errstate(all="ignore"):
            if v > 1.0:
                return v * v
    return np.sum(x)


def deep(x):
    s = 0.0
    for i in range(len(x)):
        if x[i] > 0:
            s = s + x[i]
            if s > 1.5:
                t = s * s
                return t * x[i]
            s = s * 1.1
        else:
            if x[i] < -1.2:
                return s * x[i]
            s = s - 0.1 * x[i]
    return s


def sizes(x):
    for i in range(1, len(x)):
        if x[i] > 1.0:
            return np.sum(x[:i] * x[1 : i + 1])
    return np.sum(x)


def masks(x):
    for i in range(len(x)):
        y = x[x > 0.3 * i]
        if len(y) < 3:
            return np.sum(y * y)
    return np.sum(x)


def lists(x):
    seen = []
    for v in x:
        seen.append(v * v)
        if v > 1.0:
            return seen[-1] * seen[0]
    return seen[1]


def trees(x):
    state = {"a": x[0], "b": 1.0}
    for v in x:
        state = {"a": state["a"] * v, "b": state["b"] + v}
        if v > 1.0:
            return state["a"] + state["b"]
    return state["b"]


def helper(x):
    def root(a, guess):
        for _ in range(60):
            new = 0.5 * (guess + a / guess)
            if abs(new - guess) < 1e-13:
                return new
            guess = new
        raise RuntimeError("no convergence")

    s = 0.0
    for v in x:
        s = s + root(1.0 + v * v, 1.0)
    return s


def reassigned(x):
    s = 0.0
    for v in x:
        s = s + v
        if s > 1.0:
            s = s * v
            return s
        s = s * 0.9
    return s + 1.0


def swapped(x):
    a, b = x[0], x[1]
    for v in x:
        a, b = b, a * v
        if b > 0.4:
            return a
        if a < -2.0:
            return b
    return a * b


def written_after_the_loop(x):
    y = x.copy()
    for i in range(len(x)):
        y[i] = y[i] ** 2
        if y[i] > 1.5:
            found = np.sum(y)
            flag = True
            break
        flag = False
    y[0] = 7.0 * y[0]
    if flag:
        return found + y[0] * y[1]
    return np.sum(y)


def once_at_most(x):
    """The outer loop always stops, after what it has begun with was read."""
    s = x[0] * 0.5
    for v in x:
        i = 0
        while True:
            i += 1
            if i > 4:
                return s * v
            s = s - v * 0.3
            if s < -0.4:
                return (x[1] - s) * 0.5
    return s


def set_before_the_loop(x):
    """The flag says the same where no iteration has run."""
    found = True
    r = x[0]
    for v in x[x > 2.0]:
        if v > 2.15:
            found = True
            r = v * v
            break
        found = False
    if found:
        return r
    return x[1]


def carried_beyond(x):
    """What is read after the loop where it has not stopped goes round in it as well."""
    s = 1.0
    for v in x:
        s = s * (1.0 + 0.1 * v)
        if v > 1.0:
            return s * v
    return s * s


PROGRAMS = [v for v in list(globals().values()) if getattr(v, "__module__", "") == __name__]


# --- of a number ---------------------------------------------------------------------------------


def root(a):
    x = 1.0
    for _ in range(100):
        new = 0.5 * (x + a / x)
        if abs(new - x) < 1e-12:
            return new
        x = new
    return x


def root_or_nothing(a):
    x = 1.0
    for _ in range(100):
        new = 0.5 * (x + a / x)
        if abs(new - x) < 1e-12:
            return new
        x = new
    raise ValueError("no convergence")


def endless_root(a):
    x = 1.0
    while True:
        new = 0.5 * (x + a / x)
        if abs(new - x) < 1e-12:
            return new
        x = new
