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
from .labels import CANDIDATES, OTHERS, is_cut_short
from .sentences import Names, announces_another, denied, in_prose, leads, refuses, sentence_at, taken_back

_DEEPEST = 50
_STEP = {"{": 1, "[": 1, "}": -1, "]": -1}
_MOST_OBJECTS = 50
_LONGEST = 10_000
"""Characters of an answer that are read, from its end."""
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ufe0e\ufe0f]")
_STRUCK = re.compile(r"~~.*?~~|<(del|strike|s)>.*?</\1>|<!--.*?(?:-->|\Z)", re.DOTALL | re.IGNORECASE)
_ASIDE = re.compile(r"<(explanation|rationale|justification)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_TURN = re.compile(
    r"<\|(?:im_end|eot_id|eom_id|end_?of_?text|end|return|call|end_of_turn|eos|user|end▁of▁sentence|end_of_solution|"
    r"end_response|im_start\|>\s*user|start_header_id\|>\s*user)\|?>?|</s>|<eos>|<end_of_turn>|<start_of_turn>\s*user",
    re.IGNORECASE,
)
"""Where a model's turn ends. What it writes after that is somebody else's."""
_TOKEN = re.compile(
    r"<\|[^<>|\n]{1,40}\|>|</?(?:s|bos|tool_calls?|function_calls?|b|i|u|em|strong|p|br|span|div|code|h\d|li|ul|ol)\b[^<>\n]*>",
    re.I,
)
_EMPTY_BOX = re.compile(r"^(?P<bullet>[\s*+\d.-]*)\[\s\](?=\s*\w)", re.MULTILINE)
"""A task of Markdown that is not ticked; `[ ]` is a list of JSON, too."""
_UNDER_THOUGHTS = re.compile(
    r"^[\W_]*(?:thinking|thoughts?|reasoning|analysis|explanation|rationale|chain of thought|scratch ?pad|step by step)"
    r"[\W_]*$.*"
    r"^[\W_]*(?:(?:my |the )?(?:final )?(?:answer|speciali?ty|response|conclusion|result|verdict|output))[\W_]*$",
    re.MULTILINE | re.IGNORECASE | re.DOTALL,
)
"""A heading of thoughts, and all up to the last heading of an answer."""
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
    r"not|no|less|least|last|third|also|examples?|template|schema|properties|enum|distractor|subspeciali?ty|sub|reasoning|thinking|thoughts?|analysis|explanation|rationale|"
    r"incorrect|wrong|unlikely|possible|previous|initial|former"
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
_TRUE_OF_ANSWERS = frozenset(
    {"valid", "correct", "confident", "match", "matches", "fits", "applicable", "certain", "sure"}
)
_CONFIDENCE = frozenset({"confidence", "certainty", "probability", "likelihood", "score"})
_LEAST_CONFIDENCE = 0.1
_HELD = ("name", "value", "text", "title")


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
    own = tuple(name for name in candidates if name not in CANDIDATES)
    label, problem = _read(answer, Names(frozenset((*candidates, OTHERS)), own))
    if cut_off and label and is_cut_short(answer, own):
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
    text = _EMPTY_BOX.sub("\u2610 ", text)
    text = _ROLE.sub("", _FENCE.sub("\n", _TOKEN.sub("", text)))
    text = _UNDER_THOUGHTS.sub("", text)
    marks = list(_QUESTION.finditer(text))
    if marks and text[: marks[0].start()].strip():
        text = text[: marks[0].start()]
        return text.strip()[-_LONGEST:]
    return (text[: marks[1].start()] if len(marks) > 1 else text).strip()[-_LONGEST:]


def _read(text: str, names: Names) -> tuple[str, str]:
    if _depth(text) > _DEEPEST:
        return "", "nested too deep"
    objects, around = _objects(text)
    if objects:
        values = _json_values(objects)
        if values:
            label, problem = _one_of(values, names)
            after = _in_words(around[-1], names)[0] if label else ""
            return (label, problem) if after in ("", label) else ("", f"several labels: {label}, {after}")
        if not re.search(r"\w", "".join(around)):
            return "", "JSON without a specialty"
    text = "".join(around)
    boxes = [next(filter(None, match.groups()[1:]), "") for match in _BOXED.finditer(text)]
    if boxes:
        return _one_of(boxes, names)
    return _in_words(text, names)


def _in_words(text: str, names: Names) -> tuple[str, str]:
    named = _marked(text, names)
    if named is not None:
        content, rest = named
        if (label := names.offered(content)) and not taken_back(rest):
            return label, ""
        return ("", "refusal") if refuses(text) else in_prose(content, names, f"unknown label {content[:60]!r}", rest)
    text = _without_seconds(text)
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and (label := names.offered(lines[0])):
        return label, ""
    if refuses(text):
        return "", "refusal"
    for match in _SAID.finditer(text):
        label, sentence = names.offered(match[1]), sentence_at(text, match.start())
        if label and not denied(sentence) and leads(sentence.partition(match[1])[0]):
            return ("", "taken back") if taken_back(text[match.end() :]) else (label, "")
    return in_prose(text, names, "no label in the answer")


def _one_of(texts: Sequence[str], names: Names) -> tuple[str, str]:
    """The one label of several texts that each should be one."""
    read = [(label, "") if (label := names.offered(text)) else _in_words_of(text, names) for text in texts]
    found = sorted({label for label, _ in read if label})
    if len(found) > 1:
        return "", f"several labels: {', '.join(found[:4])}{', ...' if len(found) > 4 else ''}"
    problems = [problem for _, problem in read if problem]
    return (found[0], "") if found and not problems else ("", problems[0])


def _in_words_of(text: str, names: Names) -> tuple[str, str]:
    if refuses(text):
        return "", "refusal"
    marked = _marked(text, names)
    return in_prose(marked[0] if marked else text, names, f"unknown label {text[:60]!r}")


def _marked(text: str, names: Names) -> tuple[str, str] | None:
    """What the last ``Specialty:`` names and what follows it, or the last ``Answer:`` where there is none."""
    best: tuple[int, str, str] | None = None
    for match, content, rest in _marks(text):
        if _is_second(match) or not content or re.fullmatch(r"<[^<>]*>", content) or not _is_own(text, match):
            continue
        chosen = any(map(_FIRST.fullmatch, _qualifiers(match))) and names.whole(content) != ""
        rank = 2 * match["noun"].casefold().startswith("special") + 3 * chosen
        if best is None or rank >= best[0]:
            best = (rank, content, rest)
    return best[1:] if best else None


def _is_own(text: str, mark: re.Match[str]) -> bool:
    """Whether a mark is the answer's own, and not in a sentence or under a heading that speaks of another."""
    *lines, line = text[: mark.start("noun")].split("\n")
    heading = next((above.strip(" \t*_#>") for above in reversed(lines) if above.strip()), "")
    said = re.split(r"[.!?;](?=\s|$)|\|", line)[-1]
    return leads(said) and not announces_another(line) and not (heading.endswith(":") and announces_another(heading))


def _marks(text: str) -> Iterator[tuple[re.Match[str], str, str]]:
    """Every ``Specialty:`` with the line after it, which ends where the next one begins, and the rest of the text."""
    found = list(_MARK.finditer(text))
    for match, following in zip_longest(found, found[1:]):
        end = following.start() if following else len(text)
        content, rest = _first_line(text[match.end() : end])
        # JSON that was cut off: the text under a key ends where the next key begins.
        content, _, after = content.partition('", "')
        yield match, content, after + rest + text[end:]


def _without_seconds(text: str) -> str:
    """The text without the lines that name second choices, or examples."""
    for match, content, _ in reversed(list(_marks(text))):
        if _is_second(match) or not _is_own(text, match):
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


def _objects(text: str) -> tuple[list[Any], list[str]]:
    """The JSON objects and lists in a text, with their pairs in order, and the texts around them."""
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
    return found, [*around, text[place:]]


class _Pairs(list[tuple[str, Any]]):
    """A JSON object, in which a key may appear twice."""


def _json_values(objects: Sequence[Any]) -> list[str]:
    """The texts under the key that names the specialty best, of all objects."""
    ranked = [pair for value in objects for pair in _ranked(value)]
    best = min((rank for rank, _ in ranked), default=None)
    return [text for rank, value in ranked if rank == best for text in _texts(value)]


def _ranked(value: Any, outermost: bool = True) -> Iterator[tuple[int, Any]]:
    """Values with the rank of their key: a primary specialty, a specialty, another word for it; second ones not."""
    if isinstance(value, _Pairs):
        for key, content in () if _is_doubted(value) else value:
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


def _is_doubted(pairs: _Pairs) -> bool:
    """Whether an object says of itself that its answer is wrong or as good as impossible, or is the schema of one."""
    for key, content in pairs:
        words = set(_words(key))
        if content is False and words & _TRUE_OF_ANSWERS:
            return True
        low = isinstance(content, int | float) and not isinstance(content, bool) and content < _LEAST_CONFIDENCE
        if words & _CONFIDENCE and (low or content in ("none", "zero")):
            return True
    return any(key == "properties" for key, _ in pairs)


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
