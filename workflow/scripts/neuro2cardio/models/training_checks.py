"""Whether fine-tuning learned anything at all, read from its loss curve."""

import numpy as np
import pandas as pd

from ..config.recipes import Recipe
from ..core.errors import InputError

ENDING = 0.1
"""Share of the steps that count as the start, and as the end, of a run."""


def require_learning(curve: pd.DataFrame, recipe: Recipe) -> None:
    """Stop a job whose adapter is worth nothing.

    Args:
        curve: One row an optimiser step with `loss` (nats a token) and `grad_norm`.
        recipe: How it was trained.

    Raises:
        InputError: A loss or gradient is not finite, or the gradient is exactly zero from before half of the steps to
            the last and the loss is no lower than at the start: the weights jumped to where nothing can be learned.
    """
    remedy = f"lower the recipe's learning_rate (it is {recipe.learning_rate:g})"
    wrong = ~np.isfinite(curve[["loss", "grad_norm"]].to_numpy(dtype=float)).all(axis=1)
    if wrong.any():
        step = int(curve["step"].to_numpy()[wrong][0])
        raise InputError(
            f"the loss is not finite: nothing was learned from step {step}; {remedy}, or use load: float32"
        )
    stuck, steps = steps_without_gradient(curve), len(curve)
    loss = curve["loss"].to_numpy(dtype=float)
    if stuck >= max(steps / 2, 1) and steps > 1 and loss[-1] >= loss[0]:
        raise InputError(
            f"the gradient is zero from step {steps - stuck + 1} of {steps} to the end and the loss went from "
            f"{loss[0]:.2f} to {loss[-1]:.2f}: nothing was learned; {remedy}"
        )


def steps_without_gradient(curve: pd.DataFrame) -> int:
    """How many steps at the end of a run had a gradient of exactly zero."""
    moving = np.flatnonzero(curve["grad_norm"].to_numpy(dtype=float) != 0)
    return len(curve) - 1 - int(moving[-1]) if len(moving) else len(curve)


def ends(curve: pd.DataFrame) -> tuple[float, float]:
    """Mean loss (nats a token) of the first and of the last tenth of the steps."""
    loss = curve["loss"].to_numpy(dtype=float)
    n = max(1, round(ENDING * len(loss)))
    return float(loss[:n].mean()), float(loss[-n:].mean())
