"""The wording of prompts, and how answers are read."""

from typing import Annotated, Literal

from pydantic import Field

from .sections import NamedOnce, Section

Method = Literal["letter", "cloze", "generate"]


class Prompt(Section):
    """The text around a question. The stem always comes first, so that all methods share its computation."""

    system: str = ""
    """The system message; empty: none."""
    cloze: str = ""
    """Follows the stem where the options are not shown."""
    letter: str = "Answer with the letter of the correct option."
    generate: str = "Put the letter of the correct option in square brackets, like this: [B]."
    answer_cue: str = "Answer:"
    """Ends a plain prompt (a model without a chat template)."""


class Inference(Section):
    """How the base model and every adapter answer the test set."""

    methods: Annotated[list[Method], NamedOnce] = ["letter", "cloze"]
    """`letter`: log-probability of each option's letter. `cloze`: of its text, per token. `generate`: parse a text."""
    permutations: Literal[1, 4] = 4
    """Orders of the options: 1, or 4 cyclic ones, averaged in content order. `cloze` shows no options, needs one."""
    batch_tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens computed at once. None: 1,024 on a CPU, whose caches then hold them, and 16,384 on a GPU."""
    adapters_per_job: Literal[1, "seeds"] = 1
    """1: a job for each adapter. `seeds`: one for all seeds of a train set, which loads the base model once."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 8
    base_shots: Annotated[int, Field(ge=0, le=20)] = 0
    """Worked examples, drawn from the train split, before each question of a second base row, `few-shot`. 0: no row."""
