"""How an annotator's words are read: as one label, or as none with the problem. A wrong vote is worse than none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
import html
from itertools import accumulate, zip_longest
import json
import re
from typing import Any
import unicodedata

from . import thoughts
from .labels import CANDIDATES, OTHERS, find, is_cut_short, mentioned

_DEEPEST = 50
_STEP = {"{": 1, "[": 1, "}": -1, "]": -1}
_MOST_OBJECTS = 50
_LONGEST = 10_000
"""Characters of an answer that are read, from its end."""
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ufe0e\ufe0f]")
_STRUCK = re.compile(r"~~.*?~~|<(del|strike|s)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_ASIDE = re.compile(r"<(explanation|rationale|justification)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_TURN = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|end_?of_?text|end|return|call|end_of_turn|eos|user|end▁of▁sentence|end_of_solution|"
    r"end_response|im_start\|>\s*user|start_header_id\|>\s*user)\|?>?|</s>|<eos>|<end_of_turn>|<start_of_turn>\s*user",
    re.IGNORECASE,
)
"""Where a model's turn ends. What it writes after that is somebody else's."""
_TOKEN = re.compile(
    r"<\|[^<>|\n]{1,40}\|>|</?(?:s|bos|b|i|u|em|strong|p|br|span|div|code|h\d|li|ul|ol)\b[^<>\n]*>", re.I
)
_ROLE = re.compile(r"\A\s*(?:assistant|model)\s*(?::|\n)", re.IGNORECASE)
_FENCE = re.compile(r"```[ \t]*\w*[ \t]*\n|```(?:json)?|~~~", re.IGNORECASE)
_QUESTION = re.compile(r"^[\W_]*Question\b[\s\d#*_]*[:.]", re.MULTILINE | re.IGNORECASE)
_BOXED = re.compile(
    r"<(answer|final|final_?answer|output|response|result|speciali?ty|label|solution|conclusion)>(.*?)(?:</\1>|\Z)"
    r"|\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}",
    re.DOTALL | re.IGNORECASE,
)
_MARK = re.compile(
    r"(?P<before>(?:[A-Za-z]{1,20}[ \t_*-]{1,3}){0,3})(?<![A-Za-z])"
    r"(?P<noun>speciali?ty|specialism|category|answer|field|department|discipline|label)(?![A-Za-z])"
    r"(?P<after>[ \t]*\([^)\n]{0,40}\))?(?:[ \t]+is)?[\s*_\"'`]*[:=][ \t]*",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"\b(?:speciali?ty|field|answer|department|discipline)\b[^.:\n]{0,30}? is ([^.,;\n]+)", re.IGNORECASE
)
_SECOND = re.compile(
    r"secondary|second|alternat(?:iv)?e|others?|additional|related|next|differential|runner|excluded|rejected|discarded|"
    r"not|no|less|least|third|also|incorrect|wrong|unlikely|possible|previous|initial|former"
)
"""Words before ``specialty`` by which it is not the one that is chosen."""
_FIRST = re.compile(r"primary|main|final|best|chosen|selected|correct|principal")
_NOUNS = ("specialty", "speciality", "specialties", "specialities", "specialism")
_OTHER_NOUNS = (
    "department",
    "discipline",
    "field",
    "category",
    "label",
    "classification",
    "answer",
    "prediction",
    "choice",
    "fit",
    "match",
)
_HELD = ("name", "value", "text", "title")
_REFUSAL = re.compile(
    r"\bi(?:'m| am)(?: very| so| really)? sorry|\bapologi[sz]e|"
    r"\bi (?:can(?:not|'t| not)|am unable|am not able|won't|will not|do not|don't|must decline)\b|"
    r"\bi'm (?:unable|not able)|"
    r"\bas an? (?:ai|(?:large )?language model|assistant)\b|\bcan(?:not|'t) be (?:determined|classified|answered)|"
    r"\bplease (?:see|consult|contact|seek|visit|ask|speak|talk)\b|\b(?:should|must) (?:see|consult)\b|"
    r"\bconsult (?:a|an|your|with)\b|\bmedical advice\b|\b(?:decline|refuse|refrain)\b|\bunable to\b|"
    r"\bregrettably\b|\bunfortunately\b|\bbeyond (?:what|my|the scope)\b|\bnot (?:able|permitted|allowed)\b|"
    r"\b(?:cannot|can't|won't|will not) (?:comply|answer|help|assist|say|tell)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|neither|nor|non|none|without|cannot|hardly|unlikely|doubt\w*|wrong|incorrect|false|exclud\w+|"
    r"reject\w*|rul\w+ out|rather than|instead of|except|other than|apart from|far from|anything but|unlike|unsure|"
    r"uncertain|whether|if|wonder\w*|dismiss\w*|eliminat\w+|irrelevant|unrelated|outside|out of|less|"
    r"mistake\w*|avoid\w*|away|besides?|beyond|refrain\w*|unable|barring|save for|but for|minus|contra\w*|oppos\w+|"
    r"nothing|nowhere|scarcely|barely|seldom|rarely|misleading|tempting|lacks?|fails?|nobody)\b|n't\b|\bnon-|"
    r"[❌✗✘≠¬🚫✖]|!=",
    re.IGNORECASE,
)
_AFFIRMATION = re.compile(
    r"\b(?:is|are|be|belong\w*|falls?|fits?|choose|chose|pick|select\w*|say|suggest\w*|points?|indicates?|indicated|assign\w*|"
    r"classif\w+|categori\w+|best|likely|probabl[ey]|clear\w*|answer|relat\w+|concern\w*|pertain\w*|case|question|"
    r"matter|lies|under|telephone|phone|call|refer\w*|domain|area|primar\w+|main\w*|final\w*|therefore|thus|hence|so|"
    r"definitely|certainly|obviously|go with|vote|label)\b|"
    r"'s\b|[:=→⇒✓✔✅]",
    re.IGNORECASE,
)
"""What a sentence says that gives its name as the answer. Without it, a name is only spoken of."""
_RETRACTION = re.compile(
    r"(?:^|[.!?:;\n])[\s\"'*_]*(?:(?:no|nope|hmm|sorry)\s*(?:[,.!;:—–-]|$|wait\b)|wait\b|wrong\b|incorrect\b|actually\b|"
    r"correction\b|scratch that|on second thoughts?|that(?: i|')s (?:wrong|incorrect|not)|not\b|but no\b)",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?;\n]+[.!?;\n]*")


@dataclass(frozen=True)
class Reading:
    """What an answer says: one label, or an empty label and the problem with it.

    Attributes:
        label: A candidate or `OTHERS`; empty where none can be read.
        problem: Why there is no label; empty where there is one.
        thoughts: Characters of thoughts that were cut off before reading.
    """

    label: str
    problem: str = ""
    thoughts: int = 0


def read_answer(text: str, candidates: Sequence[str] = CANDIDATES, cut_off: bool = False) -> Reading:
    """Read an annotator's answer, however it is dressed.

    Thoughts are cut off first. Then, in this order: JSON with a specialty; what stands in ``<answer>`` or a box; what
    stands after ``Specialty:`` (or ``Answer:``), the last of them; a text that is nothing but a name; "the field is"
    and a name; the one name that sentences mention. Second choices are passed over. Two names, a name that is denied,
    doubted or taken back, and one beside a refusal are a problem, not a vote.

    Args:
        text: What the annotator wrote.
        candidates: What may be answered, besides `OTHERS`; other labels are unknown.
        cut_off: The server stopped at its token limit.
    """
    text, thought = thoughts.cut(_plain(text))
    answer = _own_turn(text)
    if not answer:
        problem = "cut off before an answer" if cut_off else "only thoughts" if thought else "empty"
        return Reading("", problem, thought)
    label, problem = _read(answer, frozenset((*candidates, OTHERS)))
    if cut_off and label and is_cut_short(answer):
        label, problem = "", f"may be the start of a longer name: {label}"
    if cut_off and problem:
        problem = f"cut off: {problem}"
    return Reading(label, problem, thought)


def _plain(text: str) -> str:
    """One way of writing each character: entities, full-width forms, curly quotes and unseen characters resolved."""
    text = unicodedata.normalize("NFKC", html.unescape(text))
    return _UNSEEN.sub("", text).translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'})


def _own_turn(text: str) -> str:
    """The answer of this turn: without special tokens and fences, up to where a model plays the next question."""
    turns = [turn for turn in _TURN.split(text) if turn and _TOKEN.sub("", turn).strip()]
    text = _STRUCK.sub(" ", _ASIDE.sub(" ", turns[0] if turns else ""))
    text = _ROLE.sub("", _FENCE.sub("\n", _TOKEN.sub("", text)))
    marks = list(_QUESTION.finditer(text))
    if marks and text[: marks[0].start()].strip():
        text = text[: marks[0].start()]
        return text.strip()[-_LONGEST:]
    return (text[: marks[1].start()] if len(marks) > 1 else text).strip()[-_LONGEST:]


def _read(text: str, allowed: frozenset[str]) -> tuple[str, str]:
    if _depth(text) > _DEEPEST:
        return "", "nested too deep"
    objects, around = _objects(text)
    if objects:
        values = _json_values(objects)
        if values:
            return _one_of(values, allowed)
        if not re.search(r"\w", around):
            return "", "JSON without a specialty"
    boxes = [next(filter(None, match.groups()[1:]), "") for match in _BOXED.finditer(around)]
    if boxes:
        return _one_of(boxes, allowed)
    return _in_words(around, allowed)


def _in_words(text: str, allowed: frozenset[str]) -> tuple[str, str]:
    refused = _REFUSAL.search(text) is not None
    named = _marked(text)
    if named is not None:
        content, rest = named
        label = _whole(content)
        if label in allowed and not _RETRACTION.search(rest):
            return label, ""
        return ("", "refusal") if refused else _in_prose(content, allowed, f"unknown label {content[:60]!r}", rest)
    text = _without_seconds(text)
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and _whole(lines[0]) in allowed:
        return _whole(lines[0]), ""
    if refused:
        return "", "refusal"
    for match in _SAID.finditer(text):
        if _whole(match[1]) in allowed and not _denied(_sentence_at(text, match.start())):
            if _RETRACTION.search(text[match.end() :]):
                return "", "taken back"
            return _whole(match[1]), ""
    return _in_prose(text, allowed, "no label in the answer")


def _in_prose(text: str, allowed: frozenset[str], otherwise: str, rest: str = "") -> tuple[str, str]:
    """The one name that sentences mention, where none of them denies, asks or takes it back."""
    sentences = [(match.end(), match.group(), mentioned(match.group())) for match in _SENTENCE.finditer(text)]
    found = sorted(set().union(*(names for _, _, names in sentences)) & allowed)
    if len(found) > 1:
        return "", f"several labels: {', '.join(found[:4])}{', ...' if len(found) > 4 else ''}"
    if not found:
        return "", otherwise
    naming = [(end, sentence) for end, sentence, names in sentences if found[0] in names]
    if any(_denied(sentence) for _, sentence in naming):
        return "", "denied or doubted"
    if not any(_affirms(sentence) for _, sentence in naming):
        return "", "named, and not as the answer"
    if _RETRACTION.search(text[naming[0][0] :]) or _RETRACTION.search(rest):
        return "", "taken back"
    return found[0], ""


def _one_of(texts: Sequence[str], allowed: frozenset[str]) -> tuple[str, str]:
    """The one label of several texts that each should be one."""
    read = [(_whole(text), "") if _whole(text) in allowed else _in_words_of(text, allowed) for text in texts]
    found = sorted({label for label, _ in read if label})
    if len(found) > 1:
        return "", f"several labels: {', '.join(found[:4])}{', ...' if len(found) > 4 else ''}"
    problems = [problem for _, problem in read if problem]
    return (found[0], "") if found and not problems else ("", problems[0])


def _in_words_of(text: str, allowed: frozenset[str]) -> tuple[str, str]:
    unknown = f"unknown label {text[:60]!r}"
    if _REFUSAL.search(text):
        return "", "refusal"
    marked = _marked(text)
    return _in_prose(marked[0] if marked else text, allowed, unknown)


def _whole(text: str) -> str:
    """The label that a text is, and nothing else; empty where it asks, denies, or says more."""
    label = find(re.sub(r"\\\w+\{|\}", " ", text)) or ""
    denied = "?" in text or (label != OTHERS and _NEGATION.search(text) is not None)
    return "" if denied else label


def _denied(sentence: str) -> bool:
    return "?" in sentence or _NEGATION.search(sentence) is not None


def _affirms(sentence: str) -> bool:
    """Whether a sentence gives the name in it as the answer: it says so, or is nothing but names."""
    return (
        _AFFIRMATION.search(sentence) is not None
        or _whole(sentence) != ""
        or re.fullmatch(r"\W*\w+(?:\W+(?:or|and)\W+\w+)?\W*", sentence) is not None
    )


def _sentence_at(text: str, place: int) -> str:
    return next((m.group() for m in _SENTENCE.finditer(text) if m.start() <= place < m.end()), text)


def _marked(text: str) -> tuple[str, str] | None:
    """What the last ``Specialty:`` names and what follows it, or the last ``Answer:`` where there is none."""
    best: tuple[int, str, str] | None = None
    for match, content, rest in _marks(text):
        if _is_second(match) or not content or re.fullmatch(r"<[^<>]*>", content):
            continue
        chosen = any(map(_FIRST.fullmatch, _qualifiers(match))) and _whole(content) != ""
        rank = 2 * match["noun"].casefold().startswith("special") + 3 * chosen
        if best is None or rank >= best[0]:
            best = (rank, content, rest)
    return best[1:] if best else None


def _marks(text: str) -> Iterator[tuple[re.Match[str], str, str]]:
    """Every ``Specialty:`` with the line after it, which ends where the next one begins, and the rest of the text."""
    found = list(_MARK.finditer(text))
    for match, following in zip_longest(found, found[1:]):
        end = following.start() if following else len(text)
        content, rest = _first_line(text[match.end() : end])
        yield match, content, rest + text[end:]


def _without_seconds(text: str) -> str:
    """The text without the lines that name second choices."""
    for match, content, _ in reversed(list(_marks(text))):
        if _is_second(match):
            place = text.find(content, match.end())
            text = text[: match.start()] + text[place + len(content) :]
    return text


def _qualifiers(match: re.Match[str]) -> list[str]:
    return _words(f"{match['before']} {match['after'] or ''}")


def _is_second(mark: re.Match[str]) -> bool:
    return any(map(_SECOND.fullmatch, _qualifiers(mark)))


def _first_line(text: str) -> tuple[str, str]:
    """The first line with words, and the rest."""
    place = 0
    for line in text.splitlines(keepends=True):
        place += len(line)
        if re.search(r"\w", line):
            return line.strip(), text[place:]
    return "", ""


def _depth(text: str) -> int:
    """How deep braces and brackets are nested."""
    return max(accumulate(_STEP.get(character, 0) for character in text), default=0)


def _objects(text: str) -> tuple[list[Any], str]:
    """The JSON objects and lists in a text, with their pairs in order, and the text around them."""
    decoder = json.JSONDecoder(object_pairs_hook=_Pairs)
    found, around, place = [], [], 0
    for _ in range(_MOST_OBJECTS):
        opening = re.compile(r"[{\[]").search(text, place)
        if opening is None:
            break
        around.append(text[place : opening.start()])
        try:
            value, place = decoder.raw_decode(text, opening.start())
            found.append(value)
        except ValueError:
            around.append(text[opening.start()])
            place = opening.start() + 1
    return found, "".join([*around, text[place:]])


class _Pairs(list[tuple[str, Any]]):
    """A JSON object, in which a key may stand twice."""


def _json_values(objects: Sequence[Any]) -> list[str]:
    """The texts under the key that names the specialty best, of all objects."""
    ranked = [pair for value in objects for pair in _ranked(value)]
    best = min((rank for rank, _ in ranked), default=None)
    return [text for rank, value in ranked if rank == best for text in _texts(value)]


def _ranked(value: Any, outermost: bool = True) -> Iterator[tuple[int, Any]]:
    """Values with the rank of their key: a primary specialty, a specialty, another word for it; second ones not."""
    if isinstance(value, _Pairs):
        for key, content in value:
            rank = _rank(key)
            if rank is not None:
                yield rank, content
            elif not _is_second_key(key):
                yield from _ranked(content, outermost=False)
    elif isinstance(value, list):
        if outermost and value and all(isinstance(item, str) for item in value):
            yield len(_OTHER_NOUNS) + 2, value
        for item in value:
            yield from _ranked(item, outermost=False)


def _words(key: str) -> list[str]:
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).casefold())


def _is_second_key(key: str) -> bool:
    return any(map(_SECOND.fullmatch, _words(key)))


def _rank(key: str) -> int | None:
    words = _words(key)
    if _is_second_key(key):
        return None
    if any(map(_FIRST.fullmatch, words)) and (len(words) == 1 or set(words) & {*_NOUNS, *_OTHER_NOUNS}):
        return 0
    if set(words) & set(_NOUNS):
        return 1
    return next((i for i, noun in enumerate(_OTHER_NOUNS, start=2) if noun in words), None)


def _texts(value: Any) -> list[str]:
    if isinstance(value, _Pairs):
        inner = list(_ranked(value))
        best = min((rank for rank, _ in inner), default=None)
        held = [content for rank, content in inner if rank == best] if inner else []
        held = held or [content for key, content in value if key.casefold() in _HELD]
        return [text for content in held for text in _texts(content)] or [json.dumps(dict(value))]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)] or ["[]"]
    return [value if isinstance(value, str) else json.dumps(value)]
