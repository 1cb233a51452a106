"""Print the speed of generated derivatives as tables of ratios: python tests/bench/run.py

Every ratio is the time of one candidate over that of another, which is for gradients the one
written by hand in NumPy (`by_hand.py`): the median over many short rounds, in which the candidates
take turns, on one thread, without garbage collection. All results are compared before they are
timed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # read when NumPy is imported
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

import argparse  # noqa: E402
import statistics  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from typing import Any  # noqa: E402

from bench import by_hand, compile_time, modes, overhead, peers  # noqa: E402
from bench.goals import Goal, check_agreement  # noqa: E402
from bench.programs import Case, cases, recurrence_case, writing_cases  # noqa: E402
from bench.timing import no_gc, ratio, side_by_side  # noqa: E402

import adcompile  # noqa: E402

MEDIAN_GOAL, WORST_GOAL = 1.10, 1.25  # adcompile over by hand
AUTOGRAD_GOAL = 8.0  # autograd over adcompile on the small network
OVERHEAD_GOAL = 1e-6
IMPORT_GOAL = 0.25  # seconds
MLP_COMPILE_GOAL, LONG_COMPILE_GOAL = 50e-3, 2.0  # seconds; the long program has 1,000 statements
DOUBLING_GOAL = 2.5
WRITING_GOAL = 1.15  # in place, over by hand: the median
ELEMENT_GOAL = 1.5  # time per element, at a million elements over a thousand
ELEMENTS = (10**3, 10**4, 10**5, 10**6)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=101, help="rounds for each program")
    parser.add_argument("--only", default="", help="programs whose name contains this")
    parser.add_argument("--no-peers", action="store_true", help="leave out other frameworks")
    options = parser.parse_args(argv)

    chosen = [case for case in cases() if options.only in case.name]
    others = {} if options.no_peers else peers.installed()
    goals = speed_table(chosen, others, options.rounds) if chosen else []
    writing = [case for case in writing_cases() if options.only in case.name]
    goals += writing_table(writing, options.rounds) if writing else []
    goals += modes.tables(options.only, others, options.rounds)
    if not options.only:
        goals += element_table()
        goals += overhead_table(options.rounds)
        goals += import_table(repeats=min(11, options.rounds))
        goals += compile_table(repeats=min(5, options.rounds))
    print()
    for met, text in goals:
        print(f"{'met   ' if met else 'MISSED'}  {text}")
    return 0 if all(met for met, _ in goals) else 1


def speed_table(
    chosen: list[Case], others: dict[str, Callable[[Case], Any]], rounds: int
) -> list[Goal]:
    print(f"{'time as a multiple of by hand':40}{'by hand':>12}{'adcompile':>11}", end="")
    print("".join(f"{name:>10}" for name in others))
    ratios: dict[str, float] = {}
    goals: list[Goal] = []
    for case in chosen:
        candidates = contenders(case, others)
        check_agreement(candidates)
        times = side_by_side(candidates, rounds)
        row = {name: ratio(ts, times["by hand"]) for name, ts in times.items()}
        ratios[case.name] = row["adcompile"]
        hand = statistics.median(times["by hand"])
        print(f"{case.name:40}{hand * 1e6:>9.1f} µs{row['adcompile']:>11.2f}", end="")
        print("".join(f"{row[name]:>10.2f}" for name in others), flush=True)
        if case.name.startswith("mlp 32") and "autograd" in row:
            faster = ratio(times["autograd"], times["adcompile"])
            text = f"autograd takes {faster:.1f} times as long on {case.name} (at least 8)"
            goals.append((faster >= AUTOGRAD_GOAL, text))
    middle, worst = statistics.median(ratios.values()), max(ratios, key=ratios.__getitem__)
    return [
        (middle <= MEDIAN_GOAL, f"median ratio {middle:.2f} (at most {MEDIAN_GOAL})"),
        (
            ratios[worst] <= WORST_GOAL,
            f"worst ratio {ratios[worst]:.2f}, {worst} (at most {WORST_GOAL})",
        ),
        *goals,
    ]


def writing_table(chosen: list[Case], rounds: int) -> list[Goal]:
    """Programs that write into arrays; those by hand write in place, too."""
    print("\nwriting in place")
    ratios: list[float] = []
    for case in chosen:
        candidates = contenders(case, {})
        check_agreement(candidates)
        times = side_by_side(candidates, rounds)
        ratios.append(ratio(times["adcompile"], times["by hand"]))
        hand = statistics.median(times["by hand"])
        print(f"{case.name:40}{hand * 1e6:>9.1f} µs{ratios[-1]:>11.2f}", flush=True)
    middle = statistics.median(ratios)
    return [
        (middle <= WRITING_GOAL, f"in place, median ratio {middle:.2f} (at most {WRITING_GOAL})")
    ]


def element_table() -> list[Goal]:
    """A loop over elements takes a time that is linear in their number."""
    print("\ntime per element of a recurrence")
    times: list[float] = []
    with no_gc():
        for n in ELEMENTS:
            case = recurrence_case(n)
            gradient = adcompile.grad(case.program, wrt=case.wrt)
            gradient(*case.args)
            start = time.perf_counter()
            gradient(*case.args)
            times.append((time.perf_counter() - start) / n)
            print(f"{n:<40}{times[-1] * 1e9:>9.0f} ns", flush=True)
    growth = times[-1] / times[0]
    text = f"per element {growth:.2f} times as long for a million as for a thousand"
    return [(growth <= ELEMENT_GOAL, f"{text} (at most {ELEMENT_GOAL})")]


def contenders(case: Case, others: dict[str, Callable[[Case], Any]]) -> dict[str, Any]:
    transform = adcompile.value_and_grad if case.with_value else adcompile.grad
    gradient = transform(case.program, wrt=case.wrt[0] if len(case.wrt) == 1 else case.wrt)
    hand = getattr(by_hand, case.program.__name__)
    return {
        "by hand": lambda: hand(*case.args),
        "adcompile": lambda: gradient(*case.args),
        **{name: make(case) for name, make in others.items()},
    }


def overhead_table(rounds: int) -> list[Goal]:
    print("\nfinding the specialisation and calling it, over calling it")
    goals: list[Goal] = []
    for name, extra in overhead.overheads(rounds).items():
        print(f"{name:40}{extra * 1e6:>9.2f} µs")
        goals.append((extra < OVERHEAD_GOAL, f"overhead for {name} {extra * 1e6:.2f} µs (under 1)"))
    return goals


def import_table(repeats: int) -> list[Goal]:
    print("\nimporting adcompile in a fresh process, NumPy included")
    times = compile_time.import_seconds(repeats)
    middle = statistics.median(times)
    print(f"{'import adcompile':40}{middle * 1e3:>9.0f} ms")
    return [(middle < IMPORT_GOAL, f"import adcompile takes {middle:.2f} s (under {IMPORT_GOAL})")]


def compile_table(repeats: int) -> list[Goal]:
    print("\ncompiling a gradient")
    mlp = compile_time.mlp_seconds(repeats)
    print(f"{'mlp':40}{mlp * 1e3:>9.1f} ms")
    times: dict[int, float] = {}
    doublings: list[float] = []
    for n in compile_time.LENGTHS:
        times[n] = compile_time.straight_line_seconds(n, repeats)
        doublings += [times[n] / times[n // 2]] if n // 2 in times else []
        doubled = f"{doublings[-1]:>10.2f} times half" if doublings else ""
        print(f"{f'{n} statements':40}{times[n] * 1e3:>9.1f} ms{doubled}", flush=True)
    return [
        (mlp < MLP_COMPILE_GOAL, f"the network compiles in {mlp * 1e3:.0f} ms (under 50)"),
        (times[1000] < LONG_COMPILE_GOAL, f"1000 statements in {times[1000]:.2f} s (under 2)"),
        (
            max(doublings) <= DOUBLING_GOAL,
            f"twice as long takes {max(doublings):.2f} times as long (at most {DOUBLING_GOAL})",
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
