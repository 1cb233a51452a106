"""Learn which typing errors are likely: an edit distance with gradients finds the keyboard.

    pip install adcompile[examples]
    python examples/edit_distance.py --show-code --plot keyboard.png

The edit distance is the textbook's: a table, filled cell by cell, only that the minimum is a soft
one. Letters are points in the plane, and to take one for another costs their distance squared.
From words and how they were mistyped the points are learnt, with the gradient that is generated
from the table's two loops. By the way it tells how two words are aligned: the gradient with respect
to the cost of each pair of letters is the probability that they belong together.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from adcompile import grad, value_and_grad
from adcompile.optim import Adam

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
LETTERS = "".join(sorted("".join(ROWS)))
TEXT = (
    "quick brown fox jumps over lazy dog pack my box with five dozen liquor jugs how vexingly "
    "daft zebras jump sphinx of black quartz judge vow bright foggy nymphs waltz crazy world "
    "people water house school money night story point young power family change minute number"
)

GAP = 1.0  # what it costs to leave a letter out
SOFTNESS = 0.1  # how much dearer an alignment may be and still count
MARGIN = 1.5  # how far apart a word and a random error shall be at least

Array = np.ndarray


# --- the distance: plain Python and NumPy ---------------------------------------------------------


def softmin(a: float, b: float, c: float) -> float:
    """A smooth function close to the least of three numbers."""
    least = min(a, b, c)
    weights = (
        math.exp((least - a) / SOFTNESS)
        + math.exp((least - b) / SOFTNESS)
        + math.exp((least - c) / SOFTNESS)
    )
    return least - SOFTNESS * math.log(weights)


def edit_distance(cost: Array, gap: float) -> Array:
    """Of two words; `cost[i, j]` is that of taking letter i of one for letter j of the other."""
    n, m = cost.shape
    table = np.zeros((n + 1, m + 1))
    for i in range(n):
        table[i + 1, 0] = table[i, 0] + gap
    for j in range(m):
        table[0, j + 1] = table[0, j] + gap
    for i in range(n):
        for j in range(m):
            table[i + 1, j + 1] = softmin(
                table[i, j + 1] + gap, table[i + 1, j] + gap, table[i, j] + cost[i, j]
            )
    return table[n, m]


def costs(places: Array, one: Array, other: Array) -> Array:
    """The squared distance of each letter of a word from each of another."""
    apart = places[one][:, None] - places[other]
    return np.sum(apart * apart, axis=2)


def distance(places: Array, one: Array, other: Array) -> Array:
    return edit_distance(costs(places, one, other), GAP)


def loss(places: Array, one: Array, other: Array, alike: bool) -> float | Array:
    """A word and how it was mistyped shall be close, a word and a random error far apart."""
    d = distance(places, one, other)
    return d if alike else max(0.0, MARGIN - d)


# --- words, and errors in them --------------------------------------------------------------------


def letters(word: str) -> Array:
    return np.array([LETTERS.index(letter) for letter in word])


def keyboard() -> Array:
    """Where the keys are. Nothing but the errors that are made on it knows of it."""
    keys = {key: (x + 0.4 * y, -y) for y, row in enumerate(ROWS) for x, key in enumerate(row)}
    return np.array([keys[letter] for letter in LETTERS])


def neighbours() -> Array:
    """Which keys are neighbours."""
    keys = keyboard()
    apart = np.linalg.norm(keys[:, None] - keys, axis=2)
    return (apart > 0) & (apart < 1.25)


def mistyped(word: Array, rng: np.random.Generator, slips: bool) -> Array:
    """One letter replaced by a neighbour if it is a slip, else by any; some letters left out."""
    word = word.copy()
    at = rng.integers(len(word))
    wrong = np.flatnonzero(neighbours()[word[at]]) if slips else np.arange(len(LETTERS))
    word[at] = rng.choice(wrong[wrong != word[at]])
    if len(word) > 4 and rng.random() < 0.2:
        word = np.delete(word, rng.integers(len(word)))
    return word


# --- learning -------------------------------------------------------------------------------------

loss_and_grad = value_and_grad(loss)


def learn(steps: int, batch: int, seed: int) -> tuple[Array, list[float]]:
    """Places of the letters, and the mean loss of each step."""
    rng = np.random.default_rng(seed)
    words = [letters(word) for word in TEXT.split()]
    places = rng.normal(0.0, 0.1, (len(LETTERS), 2))
    optimizer = Adam(places, lr=0.05)
    losses = []
    for _ in range(steps):
        total, d_places = 0.0, np.zeros_like(places)
        for k in range(batch):
            word, alike = words[rng.integers(len(words))], k % 2 == 0
            value, d = loss_and_grad(places, word, mistyped(word, rng, alike), alike)
            total += value
            d_places += d / batch
        optimizer.step(d_places)
        losses.append(total / batch)
    return places, losses


def alignment(places: Array, one: str, other: str) -> Array:
    """How likely letter i of one word stands for letter j of the other."""
    return cost_gradient(costs(places, letters(one), letters(other)), GAP)


cost_gradient = grad(edit_distance)


def order_found(places: Array) -> float:
    """How often two neighbouring keys are closer than two that are not; by chance, half of it."""
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    i, j = np.triu_indices(len(places), 1)
    close = neighbours()[i, j]
    return float(np.mean(apart[i, j][close][:, None] < apart[i, j][~close]))


def plot(before: Array, after: Array, path: str) -> None:
    """The letters where learning put them, and an alignment before and after."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[1.9, 1])
    plot_places(after, figure.add_subplot(grid[:, 0]))
    one, other = "keyboard", "jeyoars"
    for row, (title, places) in enumerate({"before": before, "after learning": after}.items()):
        axes = figure.add_subplot(grid[row, 1])
        image = axes.imshow(alignment(places, one, other), cmap="Blues", vmin=0, vmax=1)
        axes.set_yticks(range(len(one)), one)
        axes.set_xticks(range(len(other)), other)
        axes.set_title(f"alignment {title}")
        figure.colorbar(image, ax=axes, label="probability")
    figure.savefig(path, dpi=150)


def plot_places(places: Array, axes) -> None:
    for i, j in np.argwhere(np.triu(neighbours())):
        axes.plot(*places[[i, j]].T, color="lightgrey", zorder=1)
    column = keyboard()[:, 0]
    axes.scatter(*places.T, c=column, cmap="Spectral", s=330, edgecolors="black", zorder=2)
    for letter, place in zip(LETTERS, places):
        axes.text(*place, letter, ha="center", va="center", fontsize=12)
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.set_title("Letters learnt from typing errors (colour: left to right on the keyboard)")


def main(argv: Sequence[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=500, metavar="N", help="of learning")
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="errors in each step")
    parser.add_argument("--seed", type=int, default=1, help="of places and errors")
    parser.add_argument("--show-code", action="store_true", help="print the generated gradient")
    parser.add_argument("--plot", metavar="FILE", help="save a picture")
    options = parser.parse_args(argv)

    before, _ = learn(0, options.batch, options.seed)
    places, losses = learn(options.steps, options.batch, options.seed)
    if options.show_code:
        print(loss_and_grad.source)
    if options.plot:
        plot(before, places, options.plot)
    tenth = max(1, len(losses) // 10)
    print(f"loss: {np.mean(losses[:tenth]):.3f} at first, {np.mean(losses[-tenth:]):.3f} at last")
    found = order_found(places)
    print(f"neighbours are closer than others: {order_found(before):.0%} before, {found:.0%} after")
    return found


if __name__ == "__main__":
    main()
