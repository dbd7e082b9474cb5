"""A question as token ids, with the exact span of its stem and its answer.

The stem comes first in every form, so that whatever follows it (options, their order, an instruction) leaves the tokens
before untouched: a causal model reads a stem once for all methods, and a term's log-probability is the same in each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import chain
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.inference import Method, Prompt
from ..config.models import ModelUsage
from ..core.errors import InputError
from . import chat_templates, registry
from .chat_templates import Frame
from .encoding import Encoder, Offsets

if TYPE_CHECKING:
    import pandas as pd
    from transformers import PreTrainedTokenizerFast

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


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
    offsets: Offsets
    stem_at: int
    cut: int
    answer: int
    """Index of the first answer token; ``len(ids)`` where there is no answer."""
    end: int
    """Index of the first token behind the answer, which ends it; ``len(ids)`` where there is none."""

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
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    shots: tuple[Question, ...] = ()
    """Worked examples before the question, as earlier turns of the conversation."""

    def pose(
        self,
        question: Question,
        form: Method,
        completion: str = "",
        permutation: int = 0,
        cut: int = 0,
        ended: bool = False,
    ) -> Tokens:
        """The prompt of a question, followed by ``completion`` where one is given.

        Messages carry no white space at their ends: half of all templates take it away. ``ended`` adds the text with
        which the template ends an answer.
        """
        # What is read at the prompt's end depends on an answer behind it, for which any letter will do.
        answer = completion.strip() or LETTERS[0]
        cut += len(question.stem[cut:]) - len(question.stem[cut:].lstrip())
        parts = [*self._head(form), (self._message(question, form, permutation, cut), False)]
        parts += [(self.frame.pieces[-1], True), (answer, False), (self.frame.end if ended else "", True)]
        before = "".join(text for text, _ in parts[:-2])
        tokens = self._tokens(parts, before, answer, len("".join(text for text, _ in parts[:-4])), cut)
        return tokens if completion else _unanswered(tokens, len(before.rstrip(" ")))

    def bare(self, stem: str, lowercase: bool) -> Tokens:
        """The stem alone, as the paper scores it; a stem longer than the window loses its start."""
        text = _lowercase(stem) if lowercase else stem
        tokens = self._bare(text, 0)
        if len(tokens.ids) <= self.window:
            return tokens
        return self._bare(text, tokens.offsets[len(tokens.ids) - self.window + len(self._bos)][0])

    def training(self, question: Question, form: Method, permutation: int = 0) -> Tokens:
        """The prompt with its gold answer and the answer's end, cut to the window."""
        cut = self.cut(question, [(form, permutation)], reserve=len(self.end_ids))
        return self.pose(question, form, self.gold(question, form, permutation), permutation, cut, ended=True)

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
    def frame(self) -> Frame:
        """What stands around questions and answers. Raises `InputError` where the chat template does not say."""
        turns = len(self.shots) + 1
        if not self.uses_template:
            return chat_templates.plain(self.prompt.system, self.prompt.answer_cue, self.tokenizer.eos_token, turns)
        controls = self._encoder.control
        return chat_templates.frame(self.tokenizer, self.prompt.system, self.template_kwargs, controls, turns)

    def show(self) -> None:
        """Print the frame, once, for the log of a job."""
        print(f"Each question is asked in this frame: {json.dumps(self.frame.shown, ensure_ascii=False)}", flush=True)

    @cached_property
    def end_ids(self) -> tuple[int, ...]:
        """The tokens that end an answer, the last of which stops a generated one; none where nothing is known."""
        return self._encoder([(self.frame.end, True)])[0]

    @cached_property
    def _encoder(self) -> Encoder:
        return Encoder(self.tokenizer)

    @cached_property
    def _bos_if_plain(self) -> tuple[int, ...]:
        return () if self.uses_template else self._bos

    def _head(self, form: Method) -> list[tuple[str, bool]]:
        """All that stands before the question, worked examples included, and whether its control tokens count."""
        messages = chain.from_iterable((self._message(q, form, 0, 0), self.gold(q, form).strip()) for q in self.shots)
        head = chain.from_iterable(
            ((piece, True), (m, False)) for piece, m in zip(self.frame.pieces, messages, strict=False)
        )
        return [*head, (self.frame.pieces[-2], True)]

    def _message(self, question: Question, form: Method, permutation: int, cut: int) -> str:
        return (question.stem[cut:] + self._after_stem(question, form, permutation)).strip()

    def _tokens(self, parts: list[tuple[str, bool]], before: str, answer: str, stem_at: int, cut: int) -> Tokens:
        """Tokens of the joined ``parts``, of which ``before`` stands before the ``answer``."""
        text = "".join(part for part, _ in parts)
        ids, offsets = self._encode(parts)
        # Spaces that end the text before are part of the answer: most tokenizers write them into its first token.
        start, end = len(before.rstrip(" ")), len(before) + len(answer)
        first = next((i for i, (a, b) in enumerate(offsets) if b > start and (a >= start or b > len(before))), len(ids))
        if first < len(ids) and offsets[first][0] < start:
            # A token of both: the model reads the prompt before it writes, so the answer's tokens are its own.
            ids, offsets = self._apart(parts, len(before))
            first = next((i for i, (a, b) in enumerate(offsets) if a >= start and b > a), len(ids))
        last = next((i for i, (a, b) in enumerate(offsets) if a >= end and b > a), len(ids))
        return Tokens(text, ids, offsets, stem_at, cut, min(first, last), last)

    def _after_stem(self, question: Question, form: Method, permutation: int) -> str:
        if form == "cloze":
            return f"\n\n{self.prompt.cloze}" if self.prompt.cloze else ""
        n = len(question.options)
        # In permutation p, option i stands at letter (i + p) mod n.
        lines = "\n".join(f"{LETTERS[j]}. {question.options[(j - permutation) % n]}" for j in range(n))
        return f"\n\n{lines}\n\n{getattr(self.prompt, form)}"

    def _encode(self, parts: Sequence[tuple[str, bool]]) -> tuple[tuple[int, ...], Offsets]:
        ids, offsets = self._encoder(parts)
        return self._bos_if_plain + ids, ((0, 0),) * len(self._bos_if_plain) + offsets

    def _apart(self, parts: list[tuple[str, bool]], at: int) -> tuple[tuple[int, ...], Offsets]:
        """Ids and offsets with the answer, the last part but one, encoded by itself."""
        before, behind = self._encode(parts[:-2]), self._encoder([("\n", True), *parts[-2:]])
        line = len(self._encoder([("\n", True)])[0])
        if behind[0][:line] != self._encoder([("\n", True)])[0]:
            behind, line = self._encoder(parts[-2:]), 0
        shift = at - (1 if line else 0)
        moved = tuple((a + shift, b + shift) for a, b in behind[1][line:])
        return before[0] + behind[0][line:], before[1] + moved

    def _bare(self, text: str, cut: int) -> Tokens:
        ids, offsets = self._encoder([(text[cut:], False)])
        ids, offsets = self._bos + ids, ((0, 0),) * len(self._bos) + offsets
        return Tokens(text[cut:], ids, offsets, 0, cut, len(ids), len(ids))

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


def for_model(folder: Path, usage: ModelUsage, prompt: Prompt, shots: Sequence[Question] = ()) -> Prompter:
    """The prompter of a model's folder, used as the configuration says; ``shots`` stand before each question."""
    tokenizer = registry.load_tokenizer(folder)
    return Prompter(
        tokenizer,
        prompt,
        registry.window(folder, usage.max_tokens),
        usage.chat_template,
        usage.chat_template_kwargs,
        tuple(shots),
    )


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


def _unanswered(tokens: Tokens, length: int) -> Tokens:
    """The prompt alone of an answered question, of which ``length`` characters stand before the answer."""
    n = tokens.answer
    return Tokens(tokens.text[:length], tokens.ids[:n], tokens.offsets[:n], tokens.stem_at, tokens.cut, n, n)


def _lowercase(text: str) -> str:
    """Lower case that keeps every character's place, which `str.lower` does not for a few letters."""
    return "".join(low if len(low := c.lower()) == 1 else c for c in text)
