"""How adapters are fine-tuned."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .inference import Method
from .sections import Fraction, Section


class Recipe(Section):
    """How an adapter is fine-tuned."""

    loss: Literal["completion", "full"]
    """Which tokens are learned: the answer alone, or the whole text."""
    form: Method = "cloze"
    """How a train question is posed, in the words of the inference method of that name."""
    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[int, Field(gt=0)] = 32
    dropout: Fraction = 0.0
    targets: Literal["all-linear"] | list[str] = "all-linear"
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: Fraction = 0.05
    """Share of the steps over which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    epochs: Annotated[int, Field(ge=1)] = 3
    batch_size: Annotated[int, Field(ge=1)] = 8
    micro_batch_size: Annotated[int, Field(ge=1)] = 4
    """Questions in memory at once; the batch is accumulated from them."""
    checkpoint_steps: Annotated[int, Field(ge=1)] = 50
    """Optimiser steps between checkpoints, from which a killed job goes on."""

    @model_validator(mode="after")
    def _batches(self) -> Self:
        if self.batch_size % self.micro_batch_size:
            raise ValueError(f"batch_size {self.batch_size} is no multiple of micro_batch_size {self.micro_batch_size}")
        return self
