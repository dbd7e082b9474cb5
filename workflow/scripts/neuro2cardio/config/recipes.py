"""How adapters are fine-tuned."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .inference import Method
from .sections import Fraction, NamedOnce, Section

_LARGEST_USUAL_LEARNING_RATE = 0.1
_DOSE = {"train_size", "epochs"}
_NO_EFFECT = {"micro_batch_size", "gradient_checkpointing", "checkpoint_steps", "confirm_learning_rate"}
"""Settings that change how long training takes and what memory it needs, and nothing that is learned."""


class Recipe(Section):
    """How an adapter is fine-tuned."""

    loss: Literal["completion", "full"]
    """Which tokens are learned: the answer alone, or the whole text."""
    form: Method = "letter"
    """How a train question is posed, in the words of the inference method of that name."""
    train_size: Annotated[int, Field(ge=1)] | None = None
    """So many questions of each train set, the first by id, so that a larger dose holds a smaller one. None: all."""
    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[int, Field(gt=0)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: Literal["all-linear"] | Annotated[list[Annotated[str, Field(min_length=1)]], NamedOnce] = "all-linear"
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    confirm_learning_rate: bool = False
    """A learning rate above 0.1 is refused unless this is true: it is nearly always a typing error."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: Fraction = 0.05
    """Share of the steps in which the learning rate warms up."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    epochs: Annotated[int, Field(ge=1)] = 3
    batch_size: Annotated[int, Field(ge=1)] = 16
    micro_batch_size: Annotated[int, Field(ge=1)] = 4
    """Questions in memory at once; the batch is accumulated from them."""
    gradient_checkpointing: bool = False
    """Compute activations a second time in place of keeping them: about a third more time, far less memory."""
    checkpoint_steps: Annotated[int, Field(ge=1)] = 50
    """Optimiser steps between checkpoints, from which a restarted job resumes."""

    @model_validator(mode="after")
    def _batches(self) -> Self:
        if self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of micro_batch_size {self.micro_batch_size}"
            )
        return self

    @model_validator(mode="after")
    def _meant(self) -> Self:
        if self.learning_rate > _LARGEST_USUAL_LEARNING_RATE and not self.confirm_learning_rate:
            raise ValueError(
                f"learning_rate {self.learning_rate:g} is above {_LARGEST_USUAL_LEARNING_RATE}; LoRA is usually "
                "trained with 1e-5 to 1e-3. Where it is meant, set confirm_learning_rate: true"
            )
        return self


def dose_series(recipes: Mapping[str, Recipe]) -> dict[str, list[str]]:
    """Recipes that differ in their dose (`train_size`, `epochs`) alone: two or more by the name of the first of them.

    Args:
        recipes: Those of the grid, in its order.
    """
    series: dict[str, list[str]] = {}
    for name, recipe in recipes.items():
        key = recipe.model_dump_json(exclude=_DOSE | _NO_EFFECT)
        series.setdefault(key, []).append(name)
    doses = {name: (recipe.train_size, recipe.epochs) for name, recipe in recipes.items()}
    return {names[0]: names for names in series.values() if len({doses[name] for name in names}) > 1}
