"""Optimizers make the updates of `torch.optim`, in the dtype of the parameters and in any tree.

Where torch is installed the trajectories are compared with torch itself; everywhere they are
compared with `data/optim_reference.json`, which `python tests/test_optim.py` records.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import itertools
import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from adcompile import optim
from adcompile.optim import SGD, Adagrad, Adam, AdamW, RMSProp, clip_by_global_norm
from adcompile.trees import leaves, map_leaves

REFERENCE = Path(__file__).parent / "data" / "optim_reference.json"
STEPS = 100
CHECKPOINTS = (1, 2, 3, 10, STEPS)


def combinations(kind: str, **choices: tuple[Any, ...]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (kind, dict(zip(choices, values, strict=True)))
        for values in itertools.product(*choices.values())
    ]


CASES = [
    *combinations("SGD", lr=(0.1,), momentum=(0, 0.9), dampening=(0, 0.3), weight_decay=(0, 0.05)),
    *combinations("SGD", lr=(0.1,), momentum=(0.9,), weight_decay=(0, 0.05), nesterov=(True,)),
    *combinations("Adam", betas=((0.9, 0.999), (0.3, 0.8)), weight_decay=(0, 0.05)),
    *combinations("Adam", lr=(0.05,), eps=(1e-8, 1e-3)),
    *combinations("AdamW", betas=((0.9, 0.999), (0.3, 0.8)), weight_decay=(0, 0.05)),
    ("AdamW", {}),
    *combinations(
        "RMSProp",
        lr=(0.02,),
        alpha=(0.99, 0.4),
        weight_decay=(0, 0.05),
        momentum=(0, 0.9),
        centered=(False, True),
    ),
    ("RMSProp", {"eps": 1e-3}),
    *combinations(
        "Adagrad",
        lr=(0.1,),
        lr_decay=(0, 0.02),
        weight_decay=(0, 0.05),
        initial_accumulator_value=(0, 0.5),
    ),
    ("Adagrad", {"eps": 1e-3}),
]


def case_id(case: tuple[str, dict[str, Any]]) -> str:
    return f"{case[0]}({', '.join(f'{name}={value}' for name, value in case[1].items())})"


def start() -> dict[str, np.ndarray]:
    return {"W": np.array([[0.3, -1.2, 0.8], [1.5, 0.1, -0.4]]), "b": np.array([0.7, -0.2])}


def gradient(step: int, p: Any) -> Any:
    """Not stationary, of both signs and several magnitudes; the same for NumPy and torch."""
    return 0.3 * p + math.sin(1.7 * step + 0.3) + 0.2 * p * p * math.cos(0.4 * step)


def trajectory(kind: str, settings: dict[str, Any]) -> list[list[float]]:
    """All parameters after each step."""
    params = start()
    optimizer = getattr(optim, kind)(params, **settings)
    found = []
    for step in range(STEPS):
        optimizer.step(map_leaves(lambda p, step=step: gradient(step, p), params))
        found.append([float(x) for p in leaves(params) for x in p.ravel()])
    return found


def torch_trajectory(torch: Any, kind: str, settings: dict[str, Any]) -> list[list[float]]:
    params = [torch.tensor(p) for p in start().values()]
    cls = getattr(torch.optim, {"RMSProp": "RMSprop"}.get(kind, kind))
    optimizer = cls(params, **settings)
    found = []
    for step in range(STEPS):
        for p in params:
            p.grad = gradient(step, p)
        optimizer.step()
        found.append([x for p in params for x in p.ravel().tolist()])
    return found


if importlib.util.find_spec("torch"):  # it is installed for one Python; see pyproject.toml

    @pytest.mark.parametrize("case", CASES, ids=case_id)
    def test_updates_of_torch(case: tuple[str, dict[str, Any]]) -> None:
        import torch

        np.testing.assert_allclose(
            trajectory(*case), torch_trajectory(torch, *case), rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_updates_of_the_recorded_reference(case: tuple[str, dict[str, Any]]) -> None:
    expected = json.loads(REFERENCE.read_text(encoding="utf-8"))[case_id(case)]
    found = trajectory(*case)
    np.testing.assert_allclose(
        [found[step - 1] for step in CHECKPOINTS], expected, rtol=1e-12, atol=1e-12
    )


def test_first_step_of_sgd_is_undamped() -> None:
    p = np.array([1.0])
    optimizer = SGD(p, lr=1.0, momentum=0.5, dampening=0.25)
    optimizer.step(np.array([1.0]))
    assert p == 0.0
    optimizer.step(np.array([1.0]))
    assert p == -(0.5 * 1.0 + 0.75 * 1.0)


# Every way through an update, for the tests that are not about numbers.
MAKERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "SGD": lambda p: SGD(p, lr=0.1, weight_decay=0.1),
    "SGD, damped": lambda p: SGD(p, lr=0.1, momentum=0.9, dampening=0.1),
    "SGD, nesterov": lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: Adam(p, weight_decay=0.1),
    "AdamW": lambda p: AdamW(p, lr=optim.cosine(0.1, total=10, warmup=2)),
    "RMSProp": RMSProp,
    "RMSProp, all": lambda p: RMSProp(p, weight_decay=0.1, momentum=0.9, centered=True),
    "Adagrad": lambda p: Adagrad(p, lr_decay=0.1, initial_accumulator_value=0.1),
}
each_optimizer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@each_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 1, 3)])
def test_update_is_pure_and_keeps_shape_and_dtype(make: Any, dtype: Any, shape: Any) -> None:
    optimizer = make(np.full(shape, 0.5, dtype))
    operands = [optimizer.leaves[0], np.full(shape, 0.25, dtype), *optimizer.state[0]]
    before = [None if x is None else x.copy() for x in operands]
    new = optimizer.update(*operands, **optimizer.scalars(), **optimizer.options)
    assert len(new) == 1 + len(optimizer.state_names)
    for old, value in zip([operands[0], *operands[2:]], new, strict=True):
        assert (value is None) == (old is None)
        if value is not None:
            assert value.dtype == dtype
            assert value.shape == shape
            assert not any(np.shares_memory(value, x) for x in operands if x is not None)
    for x, y in zip(operands, before, strict=True):
        np.testing.assert_array_equal(x, y)


@each_optimizer
def test_hyperparameters_from_numpy_stay_weak(make: Any) -> None:
    p = np.ones(3, np.float32)
    optimizer = make(p)
    optimizer.lr = lambda step: np.float64(0.1)
    assert {type(x) for x in optimizer.scalars().values()} == {float}
    assert {type(x) for x in optimizer.options.values()} <= {float, bool}
    assert type(Adam(p, lr=np.float64(0.1)).lr) is float


@each_optimizer
def test_updates_in_place_without_touching_the_gradient(make: Any) -> None:
    base = np.arange(12.0).reshape(3, 4)
    p = base[::2, 1:3]  # a view that is not contiguous
    d_p = np.ones_like(p)
    expected = p.copy()
    optimizer, other = make(p), make(expected)
    for _ in range(3):
        optimizer.step(d_p)
        other.step(d_p)
    np.testing.assert_array_equal(p, expected)
    np.testing.assert_array_equal(d_p, 1.0)
    np.testing.assert_array_equal(base[1], [4, 5, 6, 7])
    assert (base[::2, 1:3] != np.arange(12.0).reshape(3, 4)[::2, 1:3]).all()


class Layer(NamedTuple):
    W: Any
    b: Any


@dataclasses.dataclass(frozen=True)
class Model:
    layers: list[Any]
    head: Any


@pytest.mark.parametrize(
    "make_tree",
    [
        lambda a: a(0),
        lambda a: (a(0), [a(1)]),
        lambda a: {"W1": a(0), "b1": a(1)},
        lambda a: Model([Layer(a(0), None), Layer(a(1), a(2))], {"out": (a(3), ())}),
    ],
    ids=["leaf", "sequences", "dict", "dataclass"],
)
@each_optimizer
def test_trees(make: Any, make_tree: Any) -> None:
    """A tree is updated as its leaves are, each by itself."""
    params = make_tree(lambda i: np.linspace(-1, i, 3 + i))
    singles = [p.copy() for p in leaves(params)]
    optimizer, others = make(params), [make(p) for p in singles]
    for step in range(3):
        grads = map_leaves(lambda p, step=step: gradient(step, p), params)
        optimizer.step(grads)
        for other, d_p in zip(others, leaves(grads), strict=True):
            other.step(d_p)
    for p, single in zip(leaves(params), singles, strict=True):
        np.testing.assert_array_equal(p, single)


def test_gradients_may_list_dict_keys_in_another_order() -> None:
    params = {"a": np.zeros(2), "b": np.zeros(3)}
    SGD(params, lr=1.0).step({"b": np.full(3, 2.0), "a": np.ones(2)})
    np.testing.assert_array_equal(params["a"], [-1, -1])
    np.testing.assert_array_equal(params["b"], [-2, -2, -2])


@pytest.mark.parametrize("d_p", [0.5, np.float64(0.5), np.array(0.5)], ids=repr)
def test_gradient_of_a_0d_array_may_be_a_number(d_p: Any) -> None:
    p = np.array(1.0)
    SGD(p, lr=1.0).step(d_p)
    assert p == 0.5


# State


def run(optimizer: optim.Optimizer, steps: range) -> None:
    for step in steps:
        optimizer.step(map_leaves(lambda p, step=step: gradient(step, p), optimizer.params))


def via_npz(state: dict[str, Any], tmp_path: Path) -> Any:
    np.savez(tmp_path / "state.npz", **state)
    return np.load(tmp_path / "state.npz", allow_pickle=False)


@pytest.mark.parametrize(
    "store",
    [lambda s, _: s, lambda s, _: pickle.loads(pickle.dumps(s)), via_npz],
    ids=["dict", "pickle", "npz"],
)
@each_optimizer
def test_state_resumes_bit_for_bit(make: Any, store: Any, tmp_path: Path) -> None:
    straight, first = start(), start()
    run(make(straight), range(7))
    optimizer = make(first)
    run(optimizer, range(4))
    state = optimizer.state_dict()
    resumed = map_leaves(np.copy, first)
    run(optimizer, range(4, 7))  # a state holds copies: this must not reach it
    again = make(resumed)
    again.load_state_dict(store(state, tmp_path))
    assert again.steps == 4
    run(again, range(4, 7))
    for a, b, c in zip(leaves(straight), leaves(first), leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def test_state_dict_is_flat_and_readable() -> None:
    state = Adam({"W1": np.ones(2), "layers": [Layer(np.ones(3), None)]}).state_dict()
    layer = ['m["layers"][0].W', 'v["layers"][0].W']
    assert list(state) == ["kind", "steps", 'm["W1"]', 'v["W1"]', *layer]
    assert (state["kind"], state["steps"]) == ("Adam", 0)
    assert list(SGD(np.ones(2), lr=1.0).state_dict()) == ["kind", "steps"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (AdamW({"W": np.ones(2)}), "expected the state of Adam, got that of AdamW"),
        (Adam({"V": np.ones(2)}), r'unexpected m\["V"\], missing m\["W"\]'),
        (Adam({"W": np.ones(3)}), r'm\["W"\]: expected float64 of shape \(2,\), got .*\(3,\)'),
        (Adam({"W": np.ones(2, np.float32)}), r'm\["W"\]: expected float64 .* got float32'),
    ],
    ids=["kind", "keys", "shape", "dtype"],
)
def test_state_that_does_not_fit_changes_nothing(other: optim.Optimizer, message: str) -> None:
    params = {"W": np.ones(2)}
    optimizer = Adam(params)
    run(optimizer, range(2))
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(other.state_dict())
    after = optimizer.state_dict()
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[key], after[key]) for key in before)


@each_optimizer
def test_optimizer_pickles(make: Any) -> None:
    optimizer = make(start())
    run(optimizer, range(3))
    again = pickle.loads(pickle.dumps(optimizer))
    assert repr(again) == repr(optimizer)
    run(optimizer, range(3, 5))
    run(again, range(3, 5))
    for a, b in zip(leaves(optimizer.params), leaves(again.params), strict=True):
        assert a is not b
        np.testing.assert_array_equal(a, b)


# Schedules and clipping


def test_schedules() -> None:
    assert [optim.constant(0.5)(t) for t in (0, 9)] == [0.5, 0.5]
    assert [optim.step_decay(1.0, every=2, factor=0.5)(t) for t in range(5)] == [
        1,
        1,
        0.5,
        0.5,
        0.25,
    ]
    rates = [optim.cosine(1.0, total=6, warmup=2, floor=0.2)(t) for t in range(9)]
    falling = [0.2 + 0.4 * (1 + math.cos(math.pi * i / 4)) for i in range(4)]
    np.testing.assert_allclose(rates, [0.5, 1.0, *falling, 0.2, 0.2, 0.2], rtol=1e-15)
    assert optim.cosine(2.0, total=4)(0) == 2.0
    assert optim.cosine(2.0, total=4)(2) == pytest.approx(1.0)
    assert optim.cosine(2.0, total=4)(4) == 0.0
    for make in (lambda: optim.cosine(1.0, total=2, warmup=2), lambda: optim.step_decay(1, 0, 0.1)):
        with pytest.raises(ValueError, match=r"warmup < total|at least 1 step"):
            make()


def test_schedule_is_asked_once_for_each_step() -> None:
    asked: list[int] = []

    def schedule(step: int) -> float:
        asked.append(step)
        return 1.0 if step == 0 else 0.25

    params = (np.array([2.0]), np.array([4.0]))
    optimizer = SGD(params, lr=schedule)
    optimizer.step(params)  # the gradient may even be the parameters themselves
    optimizer.lr = 0.5
    params[0][...] = 2.0
    optimizer.step((np.ones(1), np.ones(1)))
    assert asked == [0]
    assert (params[0], params[1]) == (1.5, -0.5)


def test_clip_by_global_norm() -> None:
    grads = {"a": np.array([3.0, 0.0], np.float32), "b": (np.array(4.0), None)}
    clipped, norm = clip_by_global_norm(grads, 1.0)
    assert norm == 5.0
    np.testing.assert_allclose(clipped["a"], [0.6, 0.0], rtol=1e-7)
    np.testing.assert_allclose(clipped["b"][0], 0.8, rtol=1e-15)
    assert clipped["a"].dtype == np.float32
    assert grads["a"][0] == 3.0
    assert clip_by_global_norm(clipped, 2.0)[0] is clipped
    assert clip_by_global_norm(np.full(4, 1e30, np.float32), 1.0)[1] == pytest.approx(2e30)
    assert math.isnan(clip_by_global_norm([np.array([math.nan])], 1.0)[1])
    assert clip_by_global_norm([], 1.0) == ([], 0.0)
    with pytest.raises(ValueError, match="max_norm must be positive"):
        clip_by_global_norm(grads, 0.0)


# Errors


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        (0.5, r"a number, .* write np\.array\(0\.5\)"),
        (3, r"a number, .* write np\.array\(3\.0\)"),
        (np.float32(0.5), r"a number, .* write np\.array\(np\.float32\(0\.5\)\)"),
        (np.arange(3), "has dtype int64; expected a float array"),
        (np.ones(3, complex), "has dtype complex128; expected a float array"),
        (np.broadcast_to(1.0, 3), "is read-only"),
        ("relu", "is of type str; expected a float array"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_parameters_that_cannot_be_updated(leaf: Any, message: str) -> None:
    with pytest.raises(TypeError, match=rf'^params\["layers"\]\[1\]\.b .*{message}'):
        SGD({"layers": [Layer(np.ones(1), None), Layer(np.ones(1), leaf)]}, lr=0.1)


def test_parameters_that_are_shared_or_missing() -> None:
    p = np.ones(3)
    with pytest.raises(ValueError, match=r"params\[0\] and params\[1\] are the same array"):
        Adam((p, p))
    with pytest.raises(ValueError, match="holds no arrays"):
        Adam({"layers": []})


def test_parameters_that_were_replaced() -> None:
    params = {"W": np.ones(2)}
    optimizer = Adam(params)
    params["W"] = np.zeros(2)
    with pytest.raises(ValueError, match=r'params\["W"\] is another array'):
        optimizer.step({"W": np.ones(2)})


@pytest.mark.parametrize(
    ("grads", "error", "message"),
    [
        ((np.ones(2), 0), ValueError, "grads: expected a dict with keys 'a', 'b', got a tuple"),
        ({"a": np.ones(2)}, ValueError, "grads: expected a dict with keys 'a', 'b', got a dict"),
        ({"a": np.ones(2), "b": None}, ValueError, r'grads\["b"\]: expected a leaf, got None'),
        ({"a": np.ones((2, 1)), "b": 0.0}, ValueError, r'grads\["a"\]: expected shape \(2,\) like'),
        (
            {"a": np.ones(2, "f4"), "b": 0.0},
            TypeError,
            r'grads\["a"\]: expected dtype float64 like',
        ),
        ({"a": 1.0, "b": 0.0}, TypeError, r'grads\["a"\]: expected float64 of shape .* got float'),
        (
            {"a": np.ones(2), "b": 1},
            TypeError,
            r'grads\["b"\]: expected float64 of shape .* got int',
        ),
    ],
)
def test_gradients_that_do_not_fit(grads: Any, error: Any, message: str) -> None:
    params = {"a": np.ones(2), "b": np.array(1.0)}
    optimizer = Adam(params)
    with pytest.raises(error, match=message):
        optimizer.step(grads)
    assert optimizer.steps == 0
    assert (params["a"] == 1).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: SGD(p, lr=-1.0), "lr must be"),
        (lambda p: SGD(p, lr=math.nan), "lr must be"),
        (lambda p: SGD(p, lr=0.1, nesterov=True), "nesterov needs"),
        (lambda p: SGD(p, lr=0.1, momentum=0.9, dampening=0.1, nesterov=True), "nesterov needs"),
        (lambda p: SGD(p, lr=0.1, momentum=-0.9), "momentum must be"),
        (lambda p: Adam(p, betas=(0.9, 1.0)), r"betas\[1\] must be .* less than 1"),
        (lambda p: AdamW(p, eps=-1.0), "eps must be"),
        (lambda p: RMSProp(p, weight_decay=-1.0), "weight_decay must be"),
        (lambda p: Adagrad(p, lr_decay=-1.0), "lr_decay must be"),
        (lambda p: Adagrad(p, lr=lambda step: -1.0).step(p), "lr must be"),
    ],
)
def test_settings_out_of_range(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(np.ones(2))


def record() -> None:
    """Write the reference from the torch that is installed."""
    torch = importlib.import_module("torch")
    reference = {}
    for case in CASES:
        found = torch_trajectory(torch, *case)
        reference[case_id(case)] = [found[step - 1] for step in CHECKPOINTS]
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in reference.items()]
    REFERENCE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    record()
