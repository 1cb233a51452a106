"""Look into a plate: recover how well each of its cells conducts heat, from a thermal film.

    pip install adcompile[examples]
    python examples/heat_inverse.py --show-code --plot plate.png

The simulation is written as one writes it: 500 time steps, each of which changes the temperatures
in place. Its gradient with respect to all conductivities at once is generated from that, and costs
a few simulations; L-BFGS-B does the rest.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize

from adcompile import value_and_grad

SIZE, STEPS, FRAMES = 40, 500, 20
NOISE = 0.01  # of the camera; the hottest spot starts at 1
ROUGHNESS = 5e-4  # what a contrast between two cells costs
LOWEST, HIGHEST = 0.005, 0.24  # above 1/4 the time steps are not stable

Array = np.ndarray


# --- the simulation: plain NumPy ------------------------------------------------------------------


def diffuse(u: Array, down: Array, right: Array) -> None:
    """A time step: what flows out of a cell flows into its neighbour. The edge is insulated."""
    flow_down = down * (u[:-1] - u[1:])
    flow_right = right * (u[:, :-1] - u[:, 1:])
    u[:-1] -= flow_down
    u[1:] += flow_down
    u[:, :-1] -= flow_right
    u[:, 1:] += flow_right


def between_cells(log_k: Array) -> tuple[Array, Array]:
    """The conductivity of each border between two cells, one above and one beside the other."""
    k = np.exp(log_k)
    return 0.5 * (k[:-1] + k[1:]), 0.5 * (k[:, :-1] + k[:, 1:])


def misfit(log_k: Array, u0: Array, film: Array, steps_per_frame: int) -> float:
    """How far the simulated film is from the one taken: mean square, in units of the noise."""
    down, right = between_cells(log_k)
    u = u0.copy()
    total = 0.0
    for frame in film:
        for _ in range(steps_per_frame):
            diffuse(u, down, right)
        total += np.sum((u - frame) ** 2)
    return total / (film.size * NOISE**2)


def roughness(log_k: Array) -> float:
    """The total variation: patches with sharp borders cost less than noise all over."""
    dy = log_k[1:, :-1] - log_k[:-1, :-1]
    dx = log_k[:-1, 1:] - log_k[:-1, :-1]
    return np.sum(np.sqrt(dx * dx + dy * dy + 1e-4))


def objective(log_k: Array, u0: Array, film: Array, steps_per_frame: int, weight: float) -> float:
    return misfit(log_k, u0, film, steps_per_frame) + weight * roughness(log_k)


# --- a plate, and a film of it --------------------------------------------------------------------


@dataclass(frozen=True)
class Experiment:
    """What was measured, and the truth that is to be found."""

    k: Array
    u0: Array
    film: Array
    steps_per_frame: int


def experiment(size: int = SIZE, steps: int = STEPS, seed: int = 0) -> Experiment:
    """A plate with a disc that insulates and a bar that conducts, heated in a pattern."""
    rng = np.random.default_rng(seed)
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    k = np.full((size, size), 0.08)
    k[(x - 0.32) ** 2 + (y - 0.36) ** 2 < 0.17**2] = 0.02
    k[(abs(x - 0.68) < 0.08) & (abs(y - 0.62) < 0.26)] = 0.2
    u0 = 0.5 + 0.5 * np.sin(5 * np.pi * x) * np.sin(5 * np.pi * y)

    u = u0.copy()
    down, right = between_cells(np.log(k))
    film = np.empty((FRAMES, size, size))
    for frame in film:
        for _ in range(steps // FRAMES):
            diffuse(u, down, right)
        frame[:] = u + NOISE * rng.normal(size=u.shape)
    return Experiment(k, u0, film, steps // FRAMES)


# --- the search -----------------------------------------------------------------------------------

objective_and_grad = value_and_grad(objective)


def recover(
    measured: Experiment, iterations: int, verbose: bool = True
) -> tuple[Array, list[float]]:
    """The conductivities that explain the film best, and the objective after each iteration."""
    values: list[float] = []
    args = (measured.u0, measured.film, measured.steps_per_frame, ROUGHNESS)

    def report(intermediate_result) -> None:
        values.append(float(intermediate_result.fun))
        if verbose and len(values) % 20 == 0:
            k = np.exp(intermediate_result.x.reshape(measured.k.shape))
            print(f"{len(values):9}{values[-1]:12.4f}{error_of(k, measured.k):12.1%}")

    def fun(flat: Array) -> tuple[float, Array]:
        value, d_log_k = objective_and_grad(flat.reshape(measured.k.shape), *args)
        return value, d_log_k.ravel()

    if verbose:
        print("iteration   objective       error")
    found = minimize(
        fun,
        np.full(measured.k.size, np.log(0.08)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(np.log(LOWEST), np.log(HIGHEST))] * measured.k.size,
        options={"maxiter": iterations, "maxcor": 20},
        callback=report,
    )
    return np.exp(found.x.reshape(measured.k.shape)), values


def error_of(k: Array, truth: Array) -> float:
    """By which factor the conductivity of a cell is wrong, on average, less one."""
    return float(np.exp(np.mean(abs(np.log(k / truth)))) - 1)


def plot(measured: Experiment, k: Array, path: str) -> None:
    """What the camera saw above, truth and result below."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    above, below = figure.subplots(2, 3)
    for axes, shown in zip(above, [0, len(measured.film) // 4, len(measured.film) - 1]):
        image = axes.imshow(measured.film[shown], cmap="inferno", vmin=0, vmax=1)
        axes.set_title(f"film, step {(shown + 1) * measured.steps_per_frame}")
        figure.colorbar(image, ax=axes, shrink=0.8, label="temperature")

    for axes, title, field in zip(below, ["true", "recovered"], [measured.k, k]):
        image = axes.imshow(field, cmap="viridis", vmin=0, vmax=HIGHEST)
        axes.set_title(f"{title} conductivity")
        figure.colorbar(image, ax=axes, shrink=0.8)
    image = below[2].imshow(np.log2(k / measured.k), cmap="RdBu", vmin=-2, vmax=2)
    below[2].set_title("recovered / true")
    bar = figure.colorbar(image, ax=below[2], shrink=0.8, ticks=[-2, -1, 0, 1, 2])
    bar.ax.set_yticklabels(["1/4", "1/2", "1", "2", "4"])
    for axes in figure.axes[:6]:
        axes.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=150)


def main(argv: Sequence[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=SIZE, metavar="N", help="N x N cells")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N", help="of time")
    parser.add_argument("--iterations", type=int, default=60, metavar="N", help="of L-BFGS-B")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--show-code", action="store_true", help="print the generated gradient")
    parser.add_argument("--plot", metavar="FILE", help="save a picture")
    options = parser.parse_args(argv)

    measured = experiment(options.size, options.steps, seed=options.seed)
    k, _ = recover(measured, options.iterations)
    if options.show_code:
        print(f"\n{objective_and_grad.source}")
    if options.plot:
        plot(measured, k, options.plot)
    error = error_of(k, measured.k)
    print(f"conductivities recovered to {error:.1%} on average")
    return error


if __name__ == "__main__":
    main()
