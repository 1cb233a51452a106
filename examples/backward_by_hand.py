"""Backpropagation, worked by hand and by compiler: read this file from top to bottom.

    pip install adcompile[examples]
    python examples/backward_by_hand.py --plot layers.png

Each lesson states what the chain rule gives on paper, lets adcompile write the same as code, prints
that code, and compares the two.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from adcompile import NotDifferentiable, grad

# --- 1. A mean ------------------------------------------------------------------------------------
#
# On paper: the result is the mean of 3 * (a + 3)**2 over the n elements of a. An element counts for
# one n-th, and the square brings down a 2, so the derivative by each is 6 * (a + 3) / n. For
# a = (2, 3) that is (6 * 5 / 2, 6 * 6 / 2) = (15, 18).


@grad
def mean_of_squares(a):
    b = a + 3
    c = b * b * 3
    return c.mean()


def lesson_1() -> None:
    title("1. A mean: how much does each input matter?")
    a = np.array([2.0, 3.0])
    check("d result / d a", mean_of_squares(a), [15.0, 18.0])
    show(mean_of_squares)


# --- 2. A network of three neurons ----------------------------------------------------------------
#
#              w1 -> hidden 1 -> w3
#      input                         output
#              w2 -> hidden 2 -> w4
#
# Without activations the output is input * w1 * w3 + input * w2 * w4: there are two ways from the
# input to the output, along each the weights multiply, and the ways add up. So
# d output / d input = w1 * w3 + w2 * w4 = -0.2377 * 0.4739 + 0.3578 * -0.2122 = -0.1886.

W_IN = np.array([-0.2377, 0.3578])
W_OUT = np.array([0.4739, -0.2122])


def network_121(x, w_in, w_out):
    hidden = x * w_in
    return np.sum(hidden * w_out)


def lesson_2() -> None:
    title("2. A 1-2-1 network: derivatives multiply along a way, and ways add up")
    d_input = grad(network_121)
    check("d output / d input", d_input(1.0, W_IN, W_OUT), -0.1886, digits=4)
    show(d_input)

    # The derivative by a weight is what came in there times what the rest of the way makes of it.
    d_weights = grad(network_121, wrt=("w_in", "w_out"))
    d_w_in, d_w_out = d_weights(5.0, W_IN, W_OUT)
    check("d output / d w_in", d_w_in, 5.0 * W_OUT)
    check("d output / d w_out", d_w_out, 5.0 * W_IN)
    show(d_weights)


# --- 3. Biases ------------------------------------------------------------------------------------
#
# A bias shifts a neuron and scales nothing: d output / d input stays as it was. A hidden bias takes
# the rest of its neuron's way, the bias of the output no way at all: its derivative is 1.


def network_with_biases(x, w_in, b_in, w_out, b_out):
    hidden = x * w_in + b_in
    return np.sum(hidden * w_out) + b_out


def lesson_3() -> None:
    title("3. Biases shift, and leave the derivative by the input alone")
    gradient = grad(network_with_biases, wrt=("x", "b_in", "b_out"))
    d_x, d_b_in, d_b_out = gradient(1.0, W_IN, np.array([0.1, -0.4]), W_OUT, 0.7)
    check("d output / d input", d_x, -0.1886, digits=4)
    check("d output / d b_in", d_b_in, W_OUT)
    check("d output / d b_out", d_b_out, 1.0)
    show(gradient)


# --- 4. Two features ------------------------------------------------------------------------------
#
#      x1 -- w1 -> hidden 1 -> w6         x1 -- w3 -> hidden 2 -> w5
#      x2 -- w2 -> hidden 1 -> w6         x2 -- w4 -> hidden 2 -> w5
#
# Four ways lead to the output, and it is their sum. A derivative by anything is the sum of the ways
# that lead through it, without it: that is all there is to backpropagation. In matrix form each
# neuron handles all of its ways at once, and the backward pass walks them from the output.


def four_ways(x1, x2, w1, w2, w3, w4, w5, w6):
    return x1 * w1 * w6 + x1 * w3 * w5 + x2 * w2 * w6 + x2 * w4 * w5


def two_features(x, w_in, w_out):
    hidden = x @ w_in
    return hidden @ w_out


def lesson_4() -> None:
    title("4. Two features: four ways, on paper and as a product of matrices")
    x1, x2 = 2.0, 3.0
    w1, w2, w3, w4, w5, w6 = 0.5, -0.3, 0.8, 0.2, -0.6, 0.9
    x = np.array([x1, x2])
    w_in = np.array([[w1, w3], [w2, w4]])  # a row for each feature, a column for each neuron
    w_out = np.array([w6, w5])
    check("output", two_features(x, w_in, w_out), four_ways(x1, x2, w1, w2, w3, w4, w5, w6))

    gradient = grad(two_features, wrt=("x", "w_in", "w_out"))
    d_x, d_w_in, d_w_out = gradient(x, w_in, w_out)
    check("d output / d x", d_x, [w1 * w6 + w3 * w5, w2 * w6 + w4 * w5])
    check("d output / d w_in", d_w_in, [[x1 * w6, x1 * w5], [x2 * w6, x2 * w5]])
    check("d output / d w_out", d_w_out, [x1 * w1 + x2 * w2, x1 * w3 + x2 * w4])
    show(gradient)

    spelled_out = grad(four_ways, wrt=tuple(range(8)))
    d = spelled_out(x1, x2, w1, w2, w3, w4, w5, w6)
    check("the same without matrices", d[:2], d_x)
    show(spelled_out)


# --- 5. Whole numbers -----------------------------------------------------------------------------
#
# A derivative asks what a small change does, and an integer cannot change by a little.


def lesson_5() -> None:
    title("5. Integers have no derivative")
    try:
        mean_of_squares(np.array([2, 3]))
    except NotDifferentiable as error:
        print(error)
    else:
        raise AssertionError("an integer input was accepted")


# --- 6. Deep networks -----------------------------------------------------------------------------
#
# Along a way through many layers many weights multiply. If each shrinks the gradient a little, none
# is left at the first layers, which then learn nothing: it vanishes. If each stretches it, it
# explodes. In between lie the weights with which networks are started (Glorot & Bengio 2010).

DEPTH, WIDTH, BATCH = 30, 64, 16
SCALES = {"vanishing": 0.5, "healthy": 1.0, "exploding": 2.5}


def deep_network(biases, weights, x, y):
    h = x
    for W, b in zip(weights, biases):
        h = np.tanh(h @ W + b)
    return np.mean((h - y) ** 2)


layer_gradients = grad(deep_network)  # by the biases: a row for each layer


def gradient_sizes(scale: float) -> np.ndarray:
    """The norm of the gradient at each layer, first to last, before any training.

    The weights into a neuron have the norm `scale`: where tanh is close to a straight line, a layer
    multiplies the gradient that goes back through it by about that.
    """
    rng = np.random.default_rng(0)
    weights = rng.normal(0.0, scale / np.sqrt(WIDTH), (DEPTH, WIDTH, WIDTH))
    x, y = rng.normal(size=(2, BATCH, WIDTH))
    return np.linalg.norm(layer_gradients(np.zeros((DEPTH, WIDTH)), weights, x, y), axis=1)


def lesson_6(picture: str | None) -> None:
    title("6. Thirty layers: vanishing, healthy and exploding gradients")
    print("norm of the gradient by the biases of a layer")
    print(f"{'scale of the weights':24}{'first':>10}{'middle':>10}{'last':>10}")
    sizes = {name: gradient_sizes(scale) for name, scale in SCALES.items()}
    for name, by_layer in sizes.items():
        first, middle, last = by_layer[[0, DEPTH // 2, -1]]
        print(f"{SCALES[name]:<5}{name:19}{first:>10.1e}{middle:>10.1e}{last:>10.1e}")
    show(layer_gradients)
    if picture:
        plot(sizes, picture)


def plot(sizes: dict[str, np.ndarray], picture: str) -> None:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, by_layer in sizes.items():
        axes.plot(range(1, DEPTH + 1), by_layer, marker=".", label=f"{name} (scale {SCALES[name]})")
    axes.set(yscale="log", xlabel="layer", ylabel="norm of the gradient by its biases")
    axes.set_title("A tanh network of thirty layers at the start of training")
    axes.legend()
    figure.savefig(picture, dpi=150)


# --- What the lessons use -------------------------------------------------------------------------


def title(text: str) -> None:
    print(f"\n\n{text}\n{'=' * len(text)}\n")


def show(gradient) -> None:
    """Print the code that adcompile wrote for the last call."""
    print(f"\n{gradient.source.rstrip()}\n")


def check(what: str, got, expected, digits: int = 12) -> None:
    """Print what the generated code gives, which must be what the paper says."""
    np.testing.assert_allclose(got, expected, rtol=0, atol=0.5 * 10.0**-digits)
    print(f"{what} = {np.round(got, digits)}")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plot", metavar="FILE", help="save the picture of lesson 6")
    options = parser.parse_args(argv)
    lesson_1()
    lesson_2()
    lesson_3()
    lesson_4()
    lesson_5()
    lesson_6(options.plot)


if __name__ == "__main__":
    main()
