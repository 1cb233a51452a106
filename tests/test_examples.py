"""The examples run, and do what they promise."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def backward_by_hand(monkeypatch) -> Any:
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("backward_by_hand")


@pytest.fixture
def mlp(monkeypatch) -> Any:
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module("mlp")


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


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG")
