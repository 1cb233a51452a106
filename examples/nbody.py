"""Fly to Mars: find the burns that bring a spacecraft there, among bodies that all attract it.

    pip install adcompile[examples]
    python examples/nbody.py --show-code --plot orbits.png

Positions and velocities are updated in place, row by row, in a leapfrog integration of 260 steps.
The gradient of the miss distance with respect to all burns goes back through that; L-BFGS does the
rest. Units are those of the solar system: astronomical units, years, and the mass of the Sun.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize

from adcompile import value_and_grad

G = 4 * np.pi**2
SUN, EARTH, MARS, JUPITER, CRAFT = range(5)
NAMES = ["Sun", "Earth", "Mars", "Jupiter", "spacecraft"]
MASS = np.array([1.0, 3.003e-6, 3.227e-7, 9.545e-4, 0.0])
RADIUS = np.array([0.0, 1.0, 1.524, 5.203])  # of the orbits
DEGREES = np.array([0.0, 0.0, 44.0, 100.0])  # where the planets are at launch
DAY = 1 / 365.25
KM, KM_PER_SECOND = 1.495979e8, 4.740571  # in an astronomical unit, and in one a year

Array = np.ndarray


# --- the flight: plain NumPy ----------------------------------------------------------------------


def attract(position: Array, mass: Array, acceleration: Array) -> None:
    """Newton's law: every pair of bodies pulls at both."""
    acceleration[:] = 0.0
    for i in range(len(mass)):
        for j in range(i):
            d = position[j] - position[i]
            pull = G * d / (d @ d) ** 1.5
            acceleration[i] += mass[j] * pull
            acceleration[j] -= mass[i] * pull


def leapfrog(position: Array, velocity: Array, acceleration: Array, mass: Array, dt: float) -> None:
    velocity += 0.5 * dt * acceleration
    position += dt * velocity
    attract(position, mass, acceleration)
    velocity += 0.5 * dt * acceleration


def fly(
    burns: Array, position: Array, velocity: Array, mass: Array, dt: float, steps: int
) -> Array:
    """Where all bodies are after each step; the burns are spread evenly over the flight."""
    position, velocity = position.copy(), velocity.copy()
    acceleration = np.zeros_like(position)
    attract(position, mass, acceleration)
    track = np.zeros((len(burns) * steps, *position.shape))
    for k, burn in enumerate(burns):
        velocity[CRAFT] += burn
        for step in range(steps):
            leapfrog(position, velocity, acceleration, mass, dt)
            track[k * steps + step] = position
    return track


def miss(track: Array) -> Array:
    """From the aim, which is 0.01 on the Sun's side of Mars, to where the craft got."""
    mars = track[-1, MARS] - track[-1, SUN]
    return track[-1, CRAFT] - track[-1, MARS] + 0.01 * mars / np.sqrt(mars @ mars)


def cost(
    burns: Array, position: Array, velocity: Array, mass: Array, dt: float, steps: int
) -> float:
    """Little fuel, and above all a hit."""
    missed = miss(fly(burns, position, velocity, mass, dt, steps))
    return np.sum(burns * burns) + 1e4 * (missed @ missed)


# --- the launch -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Launch:
    """Where all bodies are when the craft has left the Earth, and how they move."""

    position: Array
    velocity: Array


def launch(error: float = 0.02) -> Launch:
    """The craft starts 0.02 ahead of the Earth, too fast for a textbook transfer by `error`."""
    angle = np.radians(DEGREES)
    outward = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    along = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    speed = np.sqrt(G / np.maximum(RADIUS, 0.1)) * (RADIUS > 0)
    position = RADIUS[:, None] * outward
    velocity = speed[:, None] * along
    hohmann = np.sqrt(2 * RADIUS[MARS] / (1 + RADIUS[MARS])) * speed[EARTH]
    craft = position[EARTH] + 0.02 * along[EARTH]
    position = np.vstack([position, craft])
    velocity = np.vstack([velocity, (1 + error) * hohmann * along[EARTH]])
    velocity -= MASS @ velocity / MASS.sum()  # the centre of mass is at rest
    return Launch(position, velocity)


def energy(position: Array, velocity: Array) -> float:
    """Of all bodies that have a mass."""
    total = 0.5 * np.sum(MASS * np.sum(velocity**2, axis=1))
    for i in range(CRAFT):
        for j in range(i):
            total -= G * MASS[i] * MASS[j] / np.linalg.norm(position[i] - position[j])
    return float(total)


def energy_drift(start: Launch, steps: int) -> float:
    """The relative error of the energy after so many steps: how good the integration is."""
    position, velocity = start.position.copy(), start.velocity.copy()
    acceleration = np.zeros_like(position)
    attract(position, MASS, acceleration)
    for _ in range(steps):
        leapfrog(position, velocity, acceleration, MASS, DAY)
    return energy(position, velocity) / energy(start.position, start.velocity) - 1


# --- the search -----------------------------------------------------------------------------------

cost_and_grad = value_and_grad(cost)


def find_burns(start: Launch, number: int, steps: int) -> tuple[Array, list[float]]:
    """The best burns, evenly spread over the flight, and the cost on the way to them."""
    costs: list[float] = []

    def fun(flat: Array) -> tuple[float, Array]:
        burns = flat.reshape(number, 2)
        value, d_burns = cost_and_grad(burns, start.position, start.velocity, MASS, DAY, steps)
        costs.append(float(value))
        return value, d_burns.ravel()

    found = minimize(fun, np.zeros(2 * number), jac=True, method="L-BFGS-B")
    return found.x.reshape(number, 2), costs


def missed_by(track: Array) -> float:
    """In kilometres."""
    return float(np.linalg.norm(miss(track)) * KM)


def plot(before: Array, after: Array, burns: Array, path: str) -> None:
    """The orbits on the left, the distance between craft and Mars on the right."""
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    map_, distance = figure.subplots(1, 2, width_ratios=[1.1, 1])
    map_.plot(0, 0, "o", color="gold", markersize=14, markeredgecolor="darkorange")
    for body, colour in ((EARTH, "tab:blue"), (MARS, "tab:red")):
        x, y = after[:, body].T
        map_.plot(x, y, color=colour, linewidth=1, alpha=0.6)
        map_.plot(x[0], y[0], "o", color=colour, alpha=0.3)
        map_.plot(x[-1], y[-1], "o", color=colour)
        map_.annotate(NAMES[body], (x[-1], y[-1]), (8, 6), textcoords="offset points")
    map_.plot(*before[:, CRAFT].T, "--", color="grey", label="without burns")
    map_.plot(*after[:, CRAFT].T, color="black", label="with burns")
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    for where, burn in zip(after[:: len(after) // len(burns), CRAFT], burns):
        speed = np.linalg.norm(burn) * KM_PER_SECOND
        map_.plot(*where, "k.", markersize=9)
        map_.annotate(
            f"{1000 * speed:.0f} m/s", where, 0.78 * where, ha="center", va="center", bbox=box
        )
    map_.set(aspect="equal", xlabel="astronomical units", title="From the Earth to Mars")
    map_.legend(loc="lower left")

    days = np.arange(1, len(after) + 1)
    for track, style, colour in ((before, "--", "grey"), (after, "-", "black")):
        apart = np.linalg.norm(track[:, CRAFT] - track[:, MARS], axis=1) * KM / 1e6
        distance.plot(days, apart, style, color=colour)
    distance.set(yscale="log", xlabel="day of the flight", title="Distance to Mars")
    distance.set_ylabel("million kilometres")
    distance.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


def main(argv: Sequence[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, default=260, metavar="N", help="of flight")
    parser.add_argument("--burns", type=int, default=4, metavar="N", help="evenly spread")
    parser.add_argument("--show-code", action="store_true", help="print the generated gradient")
    parser.add_argument("--plot", metavar="FILE", help="save a picture")
    options = parser.parse_args(argv)

    start = launch()
    steps = options.days // options.burns
    drift = energy_drift(start, options.days)
    print(f"energy of the planets after {options.days} days: changed by {drift:.1e} of itself")

    burns, costs = find_burns(start, options.burns, steps)
    args = (start.position, start.velocity, MASS, DAY, steps)
    before, after = fly(np.zeros_like(burns), *args), fly(burns, *args)
    if options.show_code:
        print(f"\n{cost_and_grad.source}")
    if options.plot:
        plot(before, after, burns, options.plot)
    print(f"cost {costs[0]:.3g} -> {min(costs):.3g} in {len(costs)} gradients")
    print(f"burns in m/s: {np.round(np.linalg.norm(burns, axis=1) * KM_PER_SECOND * 1000, 1)}")
    print(
        f"aim missed by {missed_by(before):,.0f} km without burns, {missed_by(after):,.0f} km with"
    )
    return missed_by(after)


if __name__ == "__main__":
    main()
