"""The examples run, and do what they promise."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adcompile import check_grads
from tests.ad import higher

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name: str) -> Any:
    """A fixture: the example as a module."""

    @pytest.fixture(name=name)
    def module(monkeypatch) -> Any:
        monkeypatch.syspath_prepend(EXAMPLES)
        return importlib.import_module(name)

    return module


backward_by_hand = example("backward_by_hand")
edit_distance = example("edit_distance")
heat_inverse = example("heat_inverse")
learning_rate = example("learning_rate")
mlp = example("mlp")
nbody = example("nbody")


def test_lessons(backward_by_hand, capsys, tmp_path):
    picture = tmp_path / "layers.png"
    backward_by_hand.main(["--plot", str(picture)])
    printed = capsys.readouterr().out
    assert "d result / d a = [15. 18.]" in printed
    assert printed.count("d output / d input = -0.1886") == 2
    assert "[2., 3.]" in printed  # what to write instead of integers
    for name in ("mean_of_squares", "network_121", "two_features", "four_ways", "deep_network"):
        assert f"def {name}_grad(" in printed
    assert is_png(picture)


def test_gradients_vanish_and_explode(backward_by_hand):
    first_to_last = {
        name: sizes[0] / sizes[-1]
        for name, scale in backward_by_hand.SCALES.items()
        for sizes in [backward_by_hand.gradient_sizes(scale)]
    }
    assert first_to_last["vanishing"] < 1e-6
    assert 0.05 < first_to_last["healthy"] < 20
    assert first_to_last["exploding"] > 1e2


def test_digits(mlp, capsys, tmp_path):
    picture = tmp_path / "curves.png"
    run = mlp.main(["--plot", str(picture), "--show-code"])
    assert run.accuracies[-1] >= 0.97
    assert is_png(picture)
    printed = capsys.readouterr().out
    assert "def loss" in printed and "d_W1" in printed


def test_resumed_run_equals_uninterrupted_run(mlp, tmp_path):
    whole, part, rest = (str(tmp_path / f"{name}.npz") for name in ("whole", "part", "rest"))
    mlp.main(["--epochs", "3", "--seed", "7", "--save", whole])
    mlp.main(["--epochs", "2", "--seed", "7", "--save", part])
    mlp.main(["--epochs", "3", "--resume", part, "--save", rest])
    with np.load(whole) as expected, np.load(rest) as got:
        assert sorted(expected) == sorted(got)
        for key in expected:
            np.testing.assert_array_equal(expected[key], got[key], err_msg=key)
            assert expected[key].dtype == got[key].dtype, key


def test_seeds_differ(mlp):
    one, other = (mlp.main(["--epochs", "1", "--seed", seed]) for seed in ("1", "2"))
    assert one.losses != other.losses


def test_gradient_of_the_heat_film(heat_inverse):
    plate = heat_inverse.experiment(size=6, steps=40)
    log_k = np.log(plate.k) + 0.1 * np.random.default_rng(0).normal(size=plate.k.shape)
    args = (log_k, plate.u0, plate.film, plate.steps_per_frame, 0.1)
    kept = [np.copy(a) for a in args]
    check_grads(heat_inverse.objective, args)
    for got, expected in zip(args, kept):
        np.testing.assert_array_equal(got, expected)


def test_a_plate_is_seen_through(heat_inverse, capsys, tmp_path):
    picture = tmp_path / "plate.png"
    options = ["--size", "16", "--steps", "100", "--iterations", "25", "--plot", str(picture)]
    assert heat_inverse.main([*options, "--show-code"]) < 0.2  # at first 0.22 on average
    assert is_png(picture)
    printed = capsys.readouterr().out
    assert "def objective_value_and_grad(" in printed and "d_log_k" in printed
    plate = heat_inverse.experiment(size=16, steps=100)
    _, values = heat_inverse.recover(plate, 15, verbose=False)
    assert len(values) == 15 and values[-1] < 0.5 * values[0]


def test_gradient_of_a_flight(nbody):
    start = nbody.launch()
    burns = 0.05 * np.random.default_rng(0).normal(size=(2, 2))
    args = (burns, start.position, start.velocity, nbody.MASS, nbody.DAY, 5)
    check_grads(nbody.cost, args, wrt=0)

    def size(burns, position, velocity, mass, dt):
        track = nbody.fly(burns, position, velocity, mass, dt, 3)
        return np.sum(track * track)

    check_grads(size, args[:-1], wrt=(0, 1, 2, 3, 4))


def test_the_craft_gets_to_mars(nbody, capsys, tmp_path):
    picture = tmp_path / "orbits.png"
    missed = nbody.main(["--days", "260", "--burns", "2", "--plot", str(picture), "--show-code"])
    assert missed < 10_000
    assert is_png(picture)
    printed = capsys.readouterr().out
    assert "def cost_value_and_grad(" in printed and "d_burns" in printed
    assert abs(nbody.energy_drift(nbody.launch(), 100)) < 1e-8


def test_gradient_of_the_edit_distance(edit_distance):
    rng = np.random.default_rng(0)
    places = rng.normal(size=(26, 2))
    one, other = map(edit_distance.letters, ("tables", "cable"))
    check_grads(edit_distance.edit_distance, (rng.random((4, 5)), 0.5), wrt=("cost", "gap"))
    for alike in (True, False):
        check_grads(edit_distance.loss, (places, one, other, alike))


def test_an_alignment_is_made_of_probabilities(edit_distance):
    places = 3 * np.random.default_rng(0).normal(size=(26, 2))
    together = edit_distance.alignment(places, "keyboard", "keyoard")
    assert (together > -1e-12).all()
    assert (together.sum(axis=0) < 1 + 1e-12).all() and (together.sum(axis=1) < 1 + 1e-12).all()
    kept = np.delete(together, 3, axis=0)  # without the b
    np.testing.assert_allclose(kept, np.eye(7), atol=1e-2)


def test_the_keyboard_is_found(edit_distance, capsys, tmp_path):
    picture = tmp_path / "keyboard.png"
    found = edit_distance.main(["--steps", "100", "--plot", str(picture), "--show-code"])
    assert found > 0.8
    assert is_png(picture)
    printed = capsys.readouterr().out
    assert "def loss_value_and_grad(" in printed and "d_table" in printed
    _, losses = edit_distance.learn(60, 16, seed=3)
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_settings_of_training_are_improved(learning_rate, capsys, tmp_path):
    picture = tmp_path / "rates.png"
    runs = learning_rate.main(["--steps", "8", "--plot", str(picture), "--show-code"])
    assert runs[-1].value < 0.3 * runs[0].value
    assert is_png(picture)
    printed = capsys.readouterr().out
    assert "def validation_loss_value_and_grad(" in printed
    assert printed.count("for _ in range(STEPS):") == printed.count("in reversed(saved):") == 1


def test_slopes_through_training(learning_rate):
    params, data = learning_rate.start(seed=1)
    kept = {name: p.copy() for name, p in params.items()}
    settings = learning_rate.Settings(lr=-2.0, momentum=1.0, decay=-3.0)
    assert learning_rate.compare(settings, params, data) < 1e-7
    for name, p in params.items():
        np.testing.assert_array_equal(p, kept[name])


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")


# --- higher derivatives of what the examples differentiate ----------------------------------------


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=shape)


def higher_derivatives(f: Any, *args: Any) -> None:
    higher.check(f, args)
    higher.check_third(f, args)


def test_lessons_higher(backward_by_hand):
    layers = normal(4, 3), normal(4, 3, 3), normal(2, 3), normal(2, 3)
    higher_derivatives(backward_by_hand.deep_network, *layers)


def test_mlp_higher(mlp):
    params = {"W1": normal(5, 4), "b1": normal(4), "W2": normal(4, 3), "b2": normal(3)}
    higher_derivatives(mlp.loss, params, normal(6, 5), np.eye(3)[[0, 1, 2, 0, 1, 2]])


def test_heat_inverse_higher(heat_inverse):
    field, film = 0.1 * normal(4, 5), normal(2, 4, 5)
    higher_derivatives(heat_inverse.objective, field, normal(4, 5), film, 3, 0.01)


def test_nbody_higher(nbody):
    start = nbody.launch()
    body = start.position, start.velocity, nbody.MASS
    burns = 0.01 * normal(2, *start.position.shape[1:])

    def cost(burns: Any, mass: Any) -> Any:
        return nbody.cost(burns, body[0], body[1], mass, nbody.DAY, 3)

    higher_derivatives(cost, burns, body[2])


def test_edit_distance_higher(edit_distance):
    places = normal(*edit_distance.keyboard().shape)
    one, other = edit_distance.letters("graph"), edit_distance.letters("grape")
    higher_derivatives(lambda places: edit_distance.distance(places, one, other), places)
