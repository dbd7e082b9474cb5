"""The words of prompts, and how answers are read."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .sections import Section

Method = Literal["letter", "cloze", "generate"]


class Prompt(Section):
    """The words around a question. The stem always comes first, so that all methods share its computation."""

    system: str = ""
    """Given to models whose chat template knows the role; empty: none."""
    cloze: str = ""
    """Follows the stem where the options are not shown."""
    letter: str = "Answer with the letter of the correct option."
    generate: str = "Put the letter of the correct option in square brackets, like this: [B]."
    answer_cue: str = "Answer:"
    """Ends a plain prompt (a model without a chat template)."""


class Inference(Section):
    """How every adapter, and the base model once, answers the whole test set."""

    methods: list[Method] = ["letter"]
    """`letter`: log-probability of each option's letter. `cloze`: of its text, per token. `generate`: parse a text."""
    permutations: Literal[1, 4] = 4
    """Orders of the options: 1, or 4 cyclic ones, averaged in content order. `cloze` shows no options, needs one."""
    batch_questions: Annotated[int, Field(ge=1)] = 8
    max_new_tokens: Annotated[int, Field(ge=1)] = 8

    @model_validator(mode="after")
    def _no_doubles(self) -> Self:
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise ValueError(f"methods must name each of its methods once: {self.methods}")
        return self
