"""What a branch asks for: a flag, or that it is not set."""

from __future__ import annotations

import operator

from adcompile.ir.core import Block, Call, If, Value


def condition(branch: If) -> Value:
    """What has to be true, or false, for the first arm of `branch` to be taken."""
    made = branch.operands[0].owner
    if isinstance(made, Call) and made.fn is operator.not_:
        return made.operands[0]
    return branch.operands[0]


def in_arm(branch: If, arm: Block) -> bool:
    """What the condition of `branch` is in one of its arms."""
    return (arm is branch.then) is (condition(branch) is branch.operands[0])
