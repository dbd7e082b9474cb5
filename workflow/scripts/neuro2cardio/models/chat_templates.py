"""Where a model's chat template writes questions and answers, read from the template itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
import re
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

DATE = date(2024, 7, 26)
"""What templates that write today's date are given, so that a prompt is the same on every day. Llama 3.1's default."""
_DATE_FORMATS = ("%d %b %Y", "%Y-%m-%d", "%d %B %Y", "%B %d, %Y")
_NOT_THINKING = {"enable_thinking": False, "thinking": False}
"""The answer is read at once, so templates that can write a thought first are told not to (Qwen3, SmolLM3, Granite)."""
_THOUGHTS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
)
_USER, _ANSWER = "Xq{}usertextqX", "Xa{}answertextaX"
_SENTINEL = re.compile(r"Xq\d+usertextqX|Xa\d+answertextaX")
_LIFELIKE = ' & <b>"it\'s 5%"</b>:\n\nA.  [x_1]\tß\nB. {y} \\n\n' * 40 + "so"
"""Marks, white space and length that texts have: templates may escape them, squeeze them or cut them off."""
_LITERAL = re.compile(r"(?=(['\"])([^'\"\n]*%[^'\"\n]*)\1)")
"""Texts between quotes that may be the format of a date."""
_CLOCK = (
    "{%- macro strftime_now(format) -%}{{- fixed_dates[format] if format in fixed_dates else "
    "raise_exception('strftime_now is given a format that the template puts together: ' ~ format) -}}{%- endmacro %}"
    "{{ '' }}"
)
"""A macro in the place of the function that asks the clock; values that are functions reach no template."""

Message = dict[str, Any]


@dataclass(frozen=True)
class Frame:
    """What stands around questions and answers.

    ``pieces`` has one text before each message and so an even number: before the first question, between it and its
    answer, before the next question, and so on. ``end`` ends the last answer.
    """

    pieces: tuple[str, ...]
    end: str

    @property
    def shown(self) -> str:
        """The frame as a person reads it."""
        places = ("{question}", "{answer}") * (len(self.pieces) // 2)
        return "".join(f"{piece}{place}" for piece, place in zip(self.pieces, places, strict=True)) + self.end


def plain(system: str, cue: str, eos: str | None, turns: int) -> Frame:
    """The frame of a model without a chat template; ``turns`` counts worked examples and the question."""
    head = f"{system}\n\n" if system else ""
    between = f"\n{cue} "
    return Frame((head, between, *("\n\n", between) * (turns - 1)), eos or "")


def frame(
    tokenizer: "PreTrainedTokenizerFast",
    system: str,
    kwargs: Mapping[str, Any],
    controls: Callable[[str], re.Match[str] | None],
    turns: int = 1,
) -> Frame:
    """Read the frame from the tokenizer's chat template: a conversation is rendered and taken apart.

    ``controls`` finds the first control token of a text. Raises `InputError` where the template cannot be rendered, or
    does not write each message once.
    """
    render = _Renderer(tokenizer, kwargs)
    pieces = _conversation(render, system, turns)
    if pieces is None:
        raise InputError(
            f"the chat template can't be used: {_reason(render, system, turns)} set chat_template: false, or "
            "correct the tokenizer's chat_template"
        )
    *pieces, after = pieces
    prompt = _parts(render, system, turns, answered=False)
    pieces[-1] = _closed(pieces[-1], prompt[-1] if prompt else "")
    end = controls(after)
    return Frame(tuple(pieces), after[: end.end()] if end else tokenizer.eos_token or "")


class _Renderer:
    """Renders conversations with what is configured, and a date that stands still."""

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", kwargs: Mapping[str, Any]) -> None:
        self._tokenizer = tokenizer
        today = _date(kwargs.get("date_string"))
        try:
            template = tokenizer.get_chat_template()
        except ValueError:
            names = sorted(tokenizer.chat_template) if isinstance(tokenizer.chat_template, dict) else []
            raise InputError(
                f"the tokenizer has {len(names)} chat templates ({', '.join(names)}) and none is called default; leave "
                "the one to use as chat_template.jinja in the model's folder, or set chat_template: false"
            ) from None
        if not isinstance(template, str):
            raise InputError(
                f"the tokenizer's chat_template is a {type(template).__name__}, not text; correct "
                "tokenizer_config.json in the model's folder, or set chat_template: false"
            )
        self._kwargs = {**_NOT_THINKING, "date_string": today.strftime("%d %b %Y"), **kwargs}
        if "strftime_now" in template:
            self._kwargs["fixed_dates"] = {form: today.strftime(form) for _, form in _LITERAL.findall(template)}
            template = _CLOCK + template
        self._template = template
        self.error: Exception | None = None
        self.changes_text = False

    def __call__(self, messages: list[Message], prompt: bool) -> str | None:
        """The rendered text; None where the template refuses, for the reason in ``error``."""
        try:
            text: Any = self._tokenizer.apply_chat_template(
                messages,
                chat_template=self._template,
                tokenize=False,
                add_generation_prompt=prompt,
                **self._kwargs,
            )
        except Exception as error:  # A template is a program: it can fail in any way.
            self.error = error
            return None
        return str(text)


def _conversation(render: _Renderer, system: str, turns: int) -> list[str] | None:
    """Texts around the messages of a finished conversation, or None.

    Where the template refuses an assistant's message, those around the prompt that it writes for generation.
    """
    found = _parts(render, system, turns, answered=True)
    if found is None and (found := _parts(render, system, turns, answered=False)) is not None:
        found = [*found, ""]
    return found


def _parts(render: _Renderer, system: str, turns: int, answered: bool) -> list[str] | None:
    for as_parts in (False, True):
        for role in (True, False) if system else (False,):
            text = render(_messages(system, role, turns, as_parts, answered), not answered)
            # Templates that leave a system message out in silence are taken like those that refuse one.
            if text is None or (system and system.strip() not in text):
                continue
            wanted = [s.format(i) for i in range(turns) for s in (_USER, _ANSWER)]
            if _SENTINEL.findall(text) != (wanted if answered else wanted[:-1]):
                continue
            lifelike = render(_messages(system, role, turns, as_parts, answered, _LIFELIKE), not answered)
            if lifelike == _SENTINEL.sub(lambda found: found[0] + _LIFELIKE, text):
                return _SENTINEL.split(text)
            render.changes_text = True
    return None


def _messages(system: str, role: bool, turns: int, as_parts: bool, answered: bool, tail: str = "") -> list[Message]:
    """A conversation of sentinels, each followed by ``tail``.

    Without a system ``role``, its words stand before the first question.
    """

    def content(text: str) -> Any:
        return [{"type": "text", "text": text}] if as_parts else text

    found: list[Message] = [{"role": "system", "content": content(system)}] if system and role else []
    for i in range(turns):
        before = f"{system}\n\n" if system and not role and i == 0 else ""
        found.append({"role": "user", "content": content(before + _USER.format(i) + tail)})
        found.append({"role": "assistant", "content": content(_ANSWER.format(i) + tail)})
    return found if answered else found[:-1]


def _closed(lead: str, prompt: str) -> str:
    """The text before an answer. A thought that it, or the prompt for generation, leaves open is closed.

    Where the template itself writes an empty thought before an answer, that one stands: in finished conversations, or
    in the prompt for generation alone (Hunyuan).
    """
    if any(0 < lead.count(opening) == lead.count(closing) for opening, closing in _THOUGHTS):
        return lead
    if prompt.startswith(lead) and _is_empty_thought(prompt[len(lead) :]):
        return prompt
    for text in (lead, prompt):
        for opening, closing in _THOUGHTS:
            if text.count(opening) > text.count(closing):
                return f"{text.rstrip()}\n\n{closing}\n\n"
    return lead


def _is_empty_thought(text: str) -> bool:
    return any("".join(text.split()) == f"{opening}{closing}" for opening, closing in _THOUGHTS)


def _reason(render: _Renderer, system: str, turns: int) -> str:
    if not system and _parts(render, "Be brief.", turns, answered=False):
        return "it demands a system message: set prompt.system,"
    if render.changes_text:
        return "it changes the text of messages, or writes other words around some texts than around others;"
    if render.error is not None:
        return f"it fails with {type(render.error).__name__}: {render.error};"
    return "it does not write each message of a conversation once;"


def _date(text: Any) -> date:
    """A date out of the words that a template is given for it; `DATE` where they are none."""
    for form in _DATE_FORMATS:
        try:
            return datetime.strptime(str(text), form).date()
        except ValueError:
            continue
    return DATE
