"""The wording of prompts, and how answers are read."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

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


class Wording(Section):
    """Another wording of a prompt, for the base model. What is not given is as in `prompt`."""

    system: str | None = None
    cloze: str | None = None
    letter: str | None = None
    generate: str | None = None
    answer_cue: str | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.given():
            raise ValueError("names none of system, cloze, letter, generate, answer_cue")
        return self

    def given(self) -> dict[str, str]:
        """The words that differ from `prompt`."""
        return self.model_dump(exclude_none=True)


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
    base_prompts: list[Wording] = []
    """Other wordings for the base model. Of these and `prompt`, the one with which a model answers the validation
    questions best, method by method, is another base row, `best-prompt`. Empty: no row."""
