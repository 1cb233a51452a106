"""Recognise handwritten digits: a 64-128-10 network, trained with generated gradients.

    pip install adcompile[examples]
    python examples/mlp.py --show-code --plot curves.png

Forward pass, backward pass and Adam's update are compiled into one function, which `--show-code`
prints. A run that was saved goes on where it stopped, with the numbers that it would have had:

    python examples/mlp.py --epochs 10 --save run.npz
    python examples/mlp.py --resume run.npz --epochs 50
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure
from scipy.special import logsumexp
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

from adcompile import train_step
from adcompile.optim import Adam

PIXELS, HIDDEN, DIGITS = 64, 128, 10
BATCH = 64
LEARNING_RATE = 2e-3

Array = np.ndarray
Params = dict[str, Array]


# --- the model: plain NumPy -----------------------------------------------------------------------


def network(params: Params, x: Array) -> Array:
    """Ten scores for each row of `x`."""
    h = np.maximum(x @ params["W1"] + params["b1"], 0)
    return h @ params["W2"] + params["b2"]


def loss(params: Params, x: Array, y: Array) -> Array:
    """Mean cross-entropy of the scores; each row of `y` is 1 at the right digit, else 0."""
    scores = network(params, x)
    return np.mean(logsumexp(scores, axis=1) - np.sum(y * scores, axis=1))


def accuracy(params: Params, x: Array, y: Array) -> float:
    return float(np.mean(network(params, x).argmax(axis=1) == y.argmax(axis=1)))


def initial_params(seed: int) -> Params:
    """Weights that keep the size of what goes through them (He et al. 2015), biases of zero."""
    rng = np.random.default_rng(seed)

    def weights(inputs: int, outputs: int) -> Array:
        return rng.normal(0.0, np.sqrt(2 / inputs), (inputs, outputs)).astype(np.float32)

    return {
        "W1": weights(PIXELS, HIDDEN),
        "b1": np.zeros(HIDDEN, np.float32),
        "W2": weights(HIDDEN, DIGITS),
        "b2": np.zeros(DIGITS, np.float32),
    }


# --- the data -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Data:
    """Pictures of 8 x 8 pixels as rows, and for each a row with a 1 at its digit."""

    x: Array
    y: Array
    test_x: Array
    test_y: Array


def load_data(seed: int) -> Data:
    """The 1,797 digits that ship with scikit-learn, a fifth of them kept for the test."""
    pixels, digits = load_digits(return_X_y=True)
    x = (pixels / 16).astype(np.float32)
    y = np.eye(DIGITS, dtype=np.float32)[digits]
    x, test_x, y, test_y = train_test_split(x, y, test_size=0.2, random_state=seed, stratify=digits)
    return Data(x, y, test_x, test_y)


def minibatches(data: Data, seed: int, epoch: int) -> Iterator[tuple[Array, Array]]:
    """All training pictures in the order of this epoch, which depends on nothing before it."""
    order = np.random.default_rng((seed, epoch)).permutation(len(data.x))
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        yield data.x[chosen], data.y[chosen]


# --- a run, and its file --------------------------------------------------------------------------


@dataclass
class Run:
    """All that a training run is: what is saved and resumed."""

    seed: int
    params: Params
    optimizer: Adam
    losses: list[float] = field(default_factory=list)  # mean over each epoch
    accuracies: list[float] = field(default_factory=list)  # on the test pictures, after each epoch


def new_run(seed: int) -> Run:
    params = initial_params(seed)
    return Run(seed, params, Adam(params, lr=LEARNING_RATE))


def save(run: Run, path: str) -> None:
    """Write `run` as an .npz file, whole or not at all."""
    arrays = {f"params.{name}": array for name, array in run.params.items()}
    state = {f"optimizer.{name}": value for name, value in run.optimizer.state_dict().items()}
    curves = {"losses": run.losses, "accuracies": run.accuracies}
    with open(path + ".part", "wb") as file:
        np.savez(file, seed=run.seed, **curves, **arrays, **state)
    os.replace(path + ".part", path)


def resume(path: str) -> Run:
    with np.load(path) as saved:
        run = new_run(int(saved["seed"]))
        for name, array in run.params.items():
            array[...] = saved[f"params.{name}"]
        run.optimizer.load_state_dict(
            {key.removeprefix("optimizer."): saved[key] for key in saved if "optimizer." in key}
        )
        run.losses = saved["losses"].tolist()
        run.accuracies = saved["accuracies"].tolist()
    return run


# --- training -------------------------------------------------------------------------------------


def train(run: Run, epochs: int, save_to: str | None = None, show_code: bool = False) -> None:
    """Go on until `epochs` epochs are done, saving after each."""
    data = load_data(run.seed)
    step = train_step(loss, run.optimizer)
    if show_code:
        print(step.lower(data.x, data.y).source)
    with tqdm(total=epochs, initial=len(run.losses), unit="epoch") as progress:
        for epoch in range(len(run.losses), epochs):
            losses = [float(step(x, y)) for x, y in minibatches(data, run.seed, epoch)]
            run.losses.append(float(np.mean(losses)))
            run.accuracies.append(accuracy(run.params, data.test_x, data.test_y))
            if save_to:
                save(run, save_to)
            progress.set_postfix(loss=f"{run.losses[-1]:.4f}", test=f"{run.accuracies[-1]:.1%}")
            progress.update()


def plot(run: Run, path: str) -> None:
    """Loss and test accuracy by epoch, one above the other."""
    figure = Figure(figsize=(6, 5), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    epochs = range(1, len(run.losses) + 1)
    above.plot(epochs, run.losses)
    above.set(ylabel="training loss", yscale="log")
    below.plot(epochs, run.accuracies)
    below.set(ylabel="test accuracy", xlabel="epoch")
    figure.savefig(path, dpi=150)


def main(argv: Sequence[str] | None = None) -> Run:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=50, metavar="N", help="how many in all")
    parser.add_argument("--seed", type=int, default=0, help="of a new run")
    parser.add_argument("--show-code", action="store_true", help="print the generated step")
    parser.add_argument("--plot", metavar="FILE", help="save the curves as a picture")
    parser.add_argument("--save", metavar="FILE", help="save the run here after each epoch")
    parser.add_argument("--resume", metavar="FILE", help="go on with the run saved here")
    options = parser.parse_args(argv)

    run = resume(options.resume) if options.resume else new_run(options.seed)
    train(run, options.epochs, options.save, options.show_code)
    if options.plot:
        plot(run, options.plot)
    print(f"test accuracy after {len(run.losses)} epochs: {run.accuracies[-1]:.1%}")
    return run


if __name__ == "__main__":
    main()
