"""Thoughts that a model writes before its answer, in the marks of any known family, and how they are cut off."""

import re

_NAMES = (
    r"(?:\w{1,12}[_ -]){0,2}(?:ant)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflect(?:ion)?|"
    r"scratch[_ ]?pad|analysis|critique|cot|"
    r"inner[_ ]?(?:monologue|thoughts?)|internal[_ ]?(?:thoughts?|reasoning|monologue)|chain[_ ]?of[_ ]?thoughts?|"
    r"deliberat(?:e|ion)|plan(?:ning)?|contemplat(?:e|ion)|consider(?:ation)?s?|mus(?:e|ing)s?|ponder(?:ing)?|"
    r"ruminat(?:e|ion)|brainstorm(?:ing)?|monologue|notes?|drafts?|hypothes[ie]s|internal|workings?|"
    r"step[_ -]by[_ -]step|self[_ -]?(?:check|critique|talk)|verification|review)(?:[_ -]\w{1,12}){0,2}"
)
_LEFT, _RIGHT = r"(?:<\|?|\[|◁|⟨|⟪|\{\{)\s*", r"\s*(?:\|?>|\]|▷|⟩|⟫|\}\})"
_OF = r"[ _▁-]*(?:of[ _▁-]*)?"
_OPENING = re.compile(
    "|".join(
        (
            # <think>, <thinking>, [THINK], ◁think▷, <|thinking|>, <reasoning effort="high">
            rf"{_LEFT}(?:\w+:)?{_NAMES}{_RIGHT}",
            rf"<\s*(?:\w+:)?{_NAMES}\s[^<>\n]*>",
            # <|begin_of_thought|>, <|START_THINKING|>, <think_start>
            rf"{_LEFT}(?:begin|start){_OF}{_NAMES}{_RIGHT}",
            rf"{_LEFT}{_NAMES}[ _▁-]*(?:begin|start){_RIGHT}",
            r"<\|channel\|?>\s*(?:analysis|commentary|thoughts?|thinking)\b",
            r"<\|inner_prefix\|>",
            r"<unused94>",
            r"<details\b[^>]*>",
            rf"```[ \t]*{_NAMES}\b",
            r"\A\W*(?:assistant)?analysis(?=[A-Z])",
            r"\A\s*Thinking\.\.\.",
            r"\bHere is my thought process:",
        )
    ),
    re.IGNORECASE,
)
_CLOSING = re.compile(
    "|".join(
        (
            rf"{_LEFT}\\?/\s*(?:\w+:)?{_NAMES}{_RIGHT}",
            rf"{_LEFT}end{_OF}{_NAMES}{_RIGHT}",
            rf"{_LEFT}{_NAMES}[ _▁-]*end{_RIGHT}",
            # An answer that is announced ends the thoughts before it.
            rf"{_LEFT}(?:begin|start){_OF}(?:solution|response|answer|final){_RIGHT}",
            r"<\|channel\|?>\s*final\b[^<\n]*(?:<\|constrain\|>[^<\n]*)?(?:<\|message\|>)?",
            r"<channel\|>",
            r"<\|inner_suffix\|>",
            r"<unused95>",
            r"</details>",
            r"assistant\s*final(?![a-z ])",
            r"assistantfinal",
            r"\.\.\.\s*done thinking\.?",
            r"\bHere is my response:",
            # A block of code that holds thoughts, whole.
            rf"```\s*{_NAMES}\b.*?```",
        )
    ),
    re.IGNORECASE | re.DOTALL,
)
_GLUED_ANALYSIS = re.compile(r"\A\W*(?:assistant)?analysis(?=[A-Z])")


def cut(text: str) -> tuple[str, int]:
    """What follows the last closing mark of any family, and how many characters stood before it.

    Thoughts that were opened and never closed leave nothing to read: whatever comes before or in them is no answer yet.
    """
    closings = list(_CLOSING.finditer(text))
    start = closings[-1].end() if closings else 0
    opened = _opening_after(text, start)
    return ("", len(text)) if opened else (text[start:], start)


def _opening_after(text: str, start: int) -> bool:
    for match in _OPENING.finditer(text, start):
        glued = match.group().strip(" \n\t").casefold().endswith("analysis") and "<" not in match.group()
        if not glued or _GLUED_ANALYSIS.match(text):
            return True
    return False
