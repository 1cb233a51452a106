"""How fast should a network learn? Ask for the derivative of the loss that it ends with.

    pip install adcompile[examples]
    python examples/learning_rate.py --show-code --plot rates.png

A network is trained on few digits for 50 steps. How well it then does on others depends on how it
was trained: the learning rate, the momentum, the weight decay. The derivative by all three goes
backward through all 50 steps, each of which has a gradient and an update in it, and costs a few
times what the training does. Gradient descent on it finds good settings in a few runs.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from scipy.special import logsumexp
from sklearn.datasets import load_digits

from adcompile import train_step, value_and_grad
from adcompile.optim import SGD

PIXELS, HIDDEN, DIGITS = 64, 32, 10
TRAINING, VALIDATION = 120, 500  # pictures
STEPS = 50  # of training, with all training pictures in each
LONGEST = 1.0  # step on the logarithms of the settings

Array = np.ndarray
Params = dict[str, Array]


# --- the network, and its training ----------------------------------------------------------------


def loss(params: Params, x: Array, y: Array) -> Array:
    """Mean cross-entropy; each row of `y` is 1 at the right digit, else 0."""
    h = np.tanh(x @ params["W1"] + params["b1"])
    scores = h @ params["W2"] + params["b2"]
    return np.mean(logsumexp(scores, axis=1) - np.sum(y * scores, axis=1))


@dataclass(frozen=True)
class Settings:
    """What training depends on, as numbers of any size.

    `lr` and `decay` are logarithms of the learning rate and of the weight decay; `momentum` is the
    logarithm of m / (1 - m).
    """

    lr: float = math.log(0.02)
    momentum: float = 0.0
    decay: float = math.log(1e-2)

    def rates(self) -> tuple[float, float, float]:
        return math.exp(self.lr), 1 / (1 + math.exp(-self.momentum)), math.exp(self.decay)

    def moved(self, direction: Settings, by: float) -> Settings:
        return Settings(
            self.lr + by * float(direction.lr),
            self.momentum + by * float(direction.momentum),
            self.decay + by * float(direction.decay),
        )


@dataclass(frozen=True)
class Data:
    """Pictures of 8 x 8 pixels as rows, and for each a row with a 1 at its digit."""

    x: Array
    y: Array
    other_x: Array
    other_y: Array


def validation_loss(settings: Settings, params: Params, data: Data) -> Array:
    """The loss on pictures that the network was not trained on, after training it."""
    lr, momentum, decay = settings.rates()
    step = train_step(loss, SGD(params, lr, momentum, weight_decay=decay))
    for _ in range(STEPS):
        step(data.x, data.y)
    return loss(params, data.other_x, data.other_y)


loss_and_slopes = value_and_grad(validation_loss)


def start(seed: int) -> tuple[Params, Data]:
    """The network before training, and its data."""
    rng = np.random.default_rng(seed)
    pixels, digits = load_digits(return_X_y=True)
    order = rng.permutation(len(pixels))[: TRAINING + VALIDATION]
    x, y = pixels[order] / 16, np.eye(DIGITS)[digits[order]]
    params = {
        "W1": rng.normal(0.0, np.sqrt(1 / PIXELS), (PIXELS, HIDDEN)),
        "b1": np.zeros(HIDDEN),
        "W2": rng.normal(0.0, np.sqrt(1 / HIDDEN), (HIDDEN, DIGITS)),
        "b2": np.zeros(DIGITS),
    }
    return params, Data(x[:TRAINING], y[:TRAINING], x[TRAINING:], y[TRAINING:])


# --- better settings ------------------------------------------------------------------------------


def compare(settings: Settings, params: Params, data: Data, step: float = 1e-5) -> float:
    """Print the derivative beside finite differences; returns the largest difference."""
    _, slopes = loss_and_slopes(settings, params, data)
    print(f"{'':>10}{'derivative':>14}{'differences':>14}")
    worst = 0.0
    for k, (name, slope) in enumerate(vars(slopes).items()):
        one = Settings(*[float(j == k) for j in range(3)])
        ends = [
            validation_loss(
                settings.moved(one, by), {key: p.copy() for key, p in params.items()}, data
            )
            for by in (-step, step)
        ]
        measured = float(ends[1] - ends[0]) / (2 * step)
        print(f"{name:>10}{slope:14.8f}{measured:14.8f}")
        worst = max(worst, abs(slope - measured))
    return worst


def improve(settings: Settings, params: Params, data: Data, steps: int) -> list[Run]:
    """Gradient descent on the settings; the runs that were made."""
    runs: list[Run] = []
    for k in range(steps + 1):
        value, slopes = loss_and_slopes(settings, params, data)
        runs.append(Run(settings, float(value), slopes))
        lr, momentum, decay = settings.rates()
        print(f"{k:3}  loss {value:.4f}  lr {lr:.4f}  momentum {momentum:.3f}  decay {decay:.5f}")
        steepness = math.hypot(slopes.lr, slopes.momentum, slopes.decay)
        settings = settings.moved(slopes, -min(LONGEST, 0.5 / steepness))
    return runs


@dataclass(frozen=True)
class Run:
    settings: Settings
    value: float
    slopes: Settings


def plot(runs: list[Run], params: Params, data: Data, path: str) -> None:
    """The loss by learning rate, for the first and the last momentum and decay, and its slopes."""
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    for run, label in ((runs[0], "at first"), (runs[-1], "in the end")):
        grid = np.linspace(math.log(5e-3), math.log(1.0), 24)
        rest = run.settings.momentum, run.settings.decay
        values = [loss_and_slopes(Settings(lr, *rest), params, data)[0] for lr in grid.tolist()]
        axes.plot(np.exp(grid), values, label=f"momentum and decay as {label}")
    for run in runs:
        near = run.settings.lr + np.array([-0.25, 0.25])
        line = run.value + run.slopes.lr * (near - run.settings.lr)
        axes.plot(np.exp(near), line, "k", linewidth=1)
        axes.plot(math.exp(run.settings.lr), run.value, "ko", markersize=3)
    axes.set(xlabel="learning rate", ylabel=f"validation loss after {STEPS} steps", xscale="log")
    axes.set_ylim(0, 2.5)
    axes.legend()
    figure.savefig(path, dpi=150)


def main(argv: Sequence[str] | None = None) -> list[Run]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=15, metavar="N", help="on the settings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show-code", action="store_true", help="print the generated gradient")
    parser.add_argument("--plot", metavar="FILE", help="save the losses as a picture")
    options = parser.parse_args(argv)

    params, data = start(options.seed)
    if options.show_code:
        print(loss_and_slopes.lower(Settings(), params, data).source)
    compare(Settings(), params, data)
    runs = improve(Settings(), params, data, options.steps)
    if options.plot:
        plot(runs, params, data, options.plot)
    return runs


if __name__ == "__main__":
    main()
