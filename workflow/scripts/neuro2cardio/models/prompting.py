"""A question as token ids, with the exact span of its stem and its answer.

The stem comes first in every form, so that whatever follows it (options, their order, an instruction) leaves the tokens
before untouched: a causal model reads a stem once for all methods, and a term's log-probability is the same in each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.inference import Method, Prompt
from ..config.models import Usage
from ..core.errors import InputError
from . import registry

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerFast

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SENTINEL = "\u2042stem\u2042"


@dataclass(frozen=True)
class Question:
    """What a prompt needs of a row of the question table."""

    question_id: str
    stem: str
    options: tuple[str, ...]
    answer: int


@dataclass(frozen=True)
class Tokens:
    """A text as token ids. Offsets are characters of ``text``; ``text[stem_at:]`` starts with ``stem[cut:]``."""

    text: str
    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    stem_at: int
    cut: int
    answer: int
    """Index of the first answer token; ``len(ids)`` where there is no answer."""

    def span(self, start: int, end: int) -> range | None:
        """Token indices of ``stem[start:end]``.

        None where the characters were cut off, or where a token reaches beyond them: its probability would be that of
        other text. White space that a token carries in front of a word does not count.
        """
        if start < self.cut:
            return None
        first, last = start - self.cut + self.stem_at, end - self.cut + self.stem_at
        inside = [i for i, (a, b) in enumerate(self.offsets) if a < last and b > first and a < b]
        if not inside:
            return None
        covered = self.text[self.offsets[inside[0]][0] : self.offsets[inside[-1]][1]]
        if covered.strip() != self.text[first:last].strip():
            return None
        return range(inside[0], inside[-1] + 1)


@dataclass(frozen=True, eq=False)
class Prompter:
    """Puts questions into words and tokens for one model."""

    tokenizer: "PreTrainedTokenizerFast"
    prompt: Prompt
    window: int
    chat_template: bool = True

    def pose(
        self, question: Question, form: Method, completion: str = "", permutation: int = 0, cut: int = 0
    ) -> Tokens:
        """The prompt of a question, followed by ``completion`` where one is given.

        Raises `InputError` where the tokenizer merges the completion's first character with what precedes it.
        """
        head, tail, lead = self._frame
        prompt = head + question.stem[cut:] + self._after_stem(question, form, permutation) + tail
        text = prompt + (lead + completion if completion else "")
        ids, offsets = self._encode(text)
        answer = next((i for i, (_, end) in enumerate(offsets) if end > len(prompt)), len(ids))
        if answer < len(ids) and offsets[answer][0] < len(prompt):
            raise InputError(
                f"the tokenizer merges the first character of the answer {completion!r} with what precedes it "
                f"({text[offsets[answer][0] : offsets[answer][1]]!r}); change prompt.answer_cue or chat_template"
            )
        return Tokens(text, ids, offsets, len(head), cut, answer)

    def bare(self, stem: str, lowercase: bool) -> Tokens:
        """The stem alone, as the paper scores it; a stem longer than the window loses its start."""
        text = _lowercase(stem) if lowercase else stem
        tokens = self._bare(text, 0)
        if len(tokens.ids) <= self.window:
            return tokens
        return self._bare(text, tokens.offsets[len(tokens.ids) - self.window + len(self._bos)][0])

    def training(self, question: Question, form: Method, permutation: int = 0) -> Tokens:
        """The prompt with its gold answer, cut to the window."""
        cut = self.cut(question, [(form, permutation)], reserve=1)
        return self.pose(question, form, self.gold(question, form, permutation), permutation, cut)

    def gold(self, question: Question, form: Method, permutation: int = 0) -> str:
        """What the model should answer: the option's text, its letter, or its letter in brackets."""
        if form == "cloze":
            return question.options[question.answer]
        letter = LETTERS[(question.answer + permutation) % len(question.options)]
        return letter if form == "letter" else f"[{letter}]"

    def cut(self, question: Question, posed: Sequence[tuple[Method, int]], reserve: int = 0) -> int:
        """How many characters the stem loses at its start so that each of its forms fits the window.

        Raises `InputError` where options and prompt alone are longer than the window.
        """
        cut = 0
        while True:
            longest = max(self._lengths(question, posed, cut)) + reserve
            over = longest - self.window
            if over <= 0:
                return cut
            cut = self._cut_more(question, posed[0][0], cut, over)

    def letter_ids(self, n_options: int) -> tuple[int, ...]:
        """The one token of each letter, where an answer stands. Raises `InputError` where a letter is not one."""
        return _letter_ids(self, n_options)

    @cached_property
    def uses_template(self) -> bool:
        """Whether questions are put into the tokenizer's chat template."""
        return self.chat_template and bool(self.tokenizer.chat_template)

    @cached_property
    def _bos(self) -> tuple[int, ...]:
        """The token that the tokenizer puts before every text, if it does."""
        ids = self.tokenizer("", add_special_tokens=True)["input_ids"]
        return (ids[0],) if ids and ids[0] in (self.tokenizer.bos_token_id, self.tokenizer.cls_token_id) else ()

    @cached_property
    def _frame(self) -> tuple[str, str, str]:
        """Text before the stem, text between the last words of the question and the answer, and the answer's lead."""
        if not self.uses_template:
            system = f"{self.prompt.system}\n\n" if self.prompt.system else ""
            return system, f"\n{self.prompt.answer_cue}", " "
        rendered = self._render()
        if rendered.count(_SENTINEL) != 1:
            raise InputError("the chat template does not write the user's message once; set chat_template: false")
        head, tail = rendered.split(_SENTINEL)
        return head, tail, ""

    @cached_property
    def _bos_if_plain(self) -> tuple[int, ...]:
        return () if self.uses_template else self._bos

    def _render(self) -> str:
        from jinja2.exceptions import TemplateError

        user = {"role": "user", "content": _SENTINEL}
        if not self.prompt.system:
            return self._template([user])
        try:
            return self._template([{"role": "system", "content": self.prompt.system}, user])
        except TemplateError:
            # Templates without a system role (Mistral, Gemma) raise; their makers put its words before the user's.
            return self._template([{"role": "user", "content": f"{self.prompt.system}\n\n{_SENTINEL}"}])

    def _template(self, messages: list[dict[str, str]]) -> str:
        text: Any = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return str(text)

    def _after_stem(self, question: Question, form: Method, permutation: int) -> str:
        if form == "cloze":
            return f"\n\n{self.prompt.cloze}" if self.prompt.cloze else ""
        n = len(question.options)
        # In permutation p, option i stands at letter (i + p) mod n.
        lines = "\n".join(f"{LETTERS[j]}. {question.options[(j - permutation) % n]}" for j in range(n))
        return f"\n\n{lines}\n\n{getattr(self.prompt, form)}"

    def _encode(
        self, text: str, bos: tuple[int, ...] | None = None
    ) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
        coded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        before = self._bos_if_plain if bos is None else bos
        offsets = tuple((int(a), int(b)) for a, b in coded["offset_mapping"])
        return before + tuple(coded["input_ids"]), ((0, 0),) * len(before) + offsets

    def _bare(self, text: str, cut: int) -> Tokens:
        ids, offsets = self._encode(text[cut:], self._bos)
        return Tokens(text[cut:], ids, offsets, 0, cut, len(ids))

    def _lengths(self, question: Question, posed: Sequence[tuple[Method, int]], cut: int) -> list[int]:
        longest = max(question.options, key=len)
        return [
            len(self.pose(question, form, longest if form == "cloze" else self.gold(question, form), p, cut).ids)
            for form, p in posed
        ]

    def _cut_more(self, question: Question, form: Method, cut: int, over: int) -> int:
        """Move the cut by at least ``over`` tokens, to the start of a word."""
        tokens = self.pose(question, form, cut=cut)
        inside = [a for a, b in tokens.offsets if a >= tokens.stem_at and b > a]
        stem_end = tokens.stem_at + len(question.stem) - cut
        target = inside[over] if over < len(inside) else stem_end
        blank = tokens.text.find(" ", target, stem_end)
        if blank < 0:
            raise InputError(
                f"question {question.question_id}: its options alone are longer than the model's window of "
                f"{self.window} tokens; raise max_tokens or leave the question out"
            )
        return cut + blank + 1 - tokens.stem_at


def for_model(folder: Path, usage: Usage, prompt: Prompt) -> Prompter:
    """The prompter of a model's folder, used as the configuration says."""
    tokenizer = registry.load_tokenizer(folder)
    return Prompter(tokenizer, prompt, registry.window(folder, usage.max_tokens), usage.chat_template)


def questions_of(frame: "pd.DataFrame") -> list[Question]:
    """Rows of the question table as questions, in order."""
    columns = (frame["question_id"], frame["stem"], frame["options"], frame["answer"])
    return [Question(i, stem, tuple(options), int(answer)) for i, stem, options, answer in zip(*columns, strict=True)]


@cache
def _letter_ids(prompter: Prompter, n_options: int) -> tuple[int, ...]:
    question = Question("letters", "Which?", tuple(LETTERS[:n_options]), 0)
    found = []
    for letter in question.options:
        tokens = prompter.pose(question, "letter", letter)
        answer = tokens.ids[tokens.answer :]
        if len(answer) != 1:
            raise InputError(
                f"the tokenizer writes the letter {letter!r} in {len(answer)} tokens; use the method cloze"
            )
        found.append(answer[0])
    if len(set(found)) < n_options:
        raise InputError(f"the tokenizer gives several letters one token ({found}); use the method cloze")
    return tuple(found)


def _lowercase(text: str) -> str:
    """Lower case that keeps every character's place, which `str.lower` does not for a few letters."""
    return "".join(low if len(low := c.lower()) == 1 else c for c in text)
