"""Whether sentences give a name as the answer, or deny it, doubt it, take it back, or only speak of it."""

from dataclasses import dataclass
import re

from .labels import OTHERS, around, find, mentioned

_REFUSAL = re.compile(
    r"\bi(?:'m| am)(?: very| so| really)? sorry|\bapologi[sz]e|"
    r"\bi (?:can(?:not|'t| not)|am unable|am not able|won't|will not|do not|don't|must decline)\b|"
    r"\bi'm (?:unable|not able)|"
    r"\bas an? (?:ai|(?:large )?language model|assistant)\b|\bcan(?:not|'t) be (?:determined|classified|answered)|"
    r"\bplease (?:see|consult|contact|seek|visit|ask|speak|talk)\b|\b(?:should|must) (?:see|consult)\b|"
    r"\bconsult (?:a|an|your|with)\b|\bmedical advice\b|\b(?:decline|refuse|refrain)\b|\bunable to\b|"
    r"\bregrettably\b|\bunfortunately\b|\bbeyond (?:what|my|the scope)\b|\bnot (?:able|permitted|allowed)\b|"
    r"\b(?:cannot|can't|won't|will not) (?:comply|answer|help|assist|say|tell)\b|\bguidelines\b|\bnot a doctor\b|"
    r"\berror\s*:|\boverloaded\b|\bno (?:vote|answer|comment)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:not|no|never|neither|nor|non|none|without|cannot|hardly|unlikely|doubt\w*|wrong|incorrect|false|exclud\w+|"
    r"reject\w*|rul\w+ out|rather than|instead of|except|other than|apart from|far from|anything but|unlike|unsure|"
    r"uncertain|whether|if|wonder\w*|dismiss\w*|eliminat\w+|irrelevant|unrelated|outside|out of|less|"
    r"mistake\w*|avoid\w*|away|besides?|beyond|refrain\w*|unable|barring|save for|but for|minus|contra\w*|oppos\w+|"
    r"nicht|kein\w*|pas|jamais|ningun\w*|nunca|nessun\w*|не|nothing|nowhere|scarcely|barely|seldom|rarely|misleading|tempting|lacks?|fails?|nobody)\b|n't\b|\bnon-|"
    r"[❌✗✘≠¬🚫✖]|!=",
    re.IGNORECASE,
)
_LEADING_WORDS = """
a an the this that these it its s d ll i we my our you one or and as at by for from in into of on to under with
within is are be been being was would will should could can belong belongs belonging fall falls falling fit fits go
goes choose chose chosen pick picked select selected say answer answers answered assign assigned assignment classify
classified classification categorize categorized categorise categorised category label labeled labelled name named
suggest suggests point points indicate indicates relate related relates concern concerns concerning pertain pertains
pertaining lie lies deal deals cover covers covered address addressed addresses best likely probable probably clear
clearly most more mostly main mainly primary primarily final finally first top single correct right appropriate
suitable relevant closest definitely certainly obviously undoubtedly therefore thus hence so then well okay ok sure
yes here question questions case vignette scenario specialty speciality specialties specialism specialist field
fields department discipline domain area branch choice option prediction verdict conclusion result match medical
clinical medicine health telephone phone call think believe vote me term terms hospital ward unit team doctor
physician confidence certainty probability score high very certain percent predicted proposed recommended suited
qualified able expert matches makes make given listed provided offered options multiple
"""
_LEADING = frozenset(_LEADING_WORDS.split())
"""What a sentence may say around the name that it gives as the answer. Other words only speak of the name."""
_REASON = re.compile(
    r"[,;:—–-]?\s+(?:because|since|given|due to|owing to|considering|based on|where|for (?:it|the|this|they)|"
    r"as (?:the|it|this|there|he|she|they|a|an|its|his|her)|which (?:is|deals|covers|treats|studies)|about|involving|"
    r"regarding)\b.*",
    re.IGNORECASE | re.DOTALL,
)
"""Why a sentence gives its name as the answer: free words, in which other things may be denied."""
_GROUNDS = re.compile(
    r"\A\W*(?:based on|given|since|because(?: of)?|as|considering|due to|with|from|among|of)\b[^,]*,", re.IGNORECASE
)
"""The same, before the answer."""
_ASIDE = re.compile(r"\s*\((?P<in>[^()]*)\)\s*[.!]*\s*\Z|\s*(?::|\s[-–—])\s+(?P<after>[^:()]+)\Z")
"""What a name is explained with: `Cardiology (heart and vessels)`, `Cardiology: the patient has an arrhythmia`."""
_FEWEST_WORDS = 3
_SO = re.compile(r".*[,;]\s*(?=(?:and )?(?:so|therefore|thus|hence|which makes)\b)", re.IGNORECASE | re.DOTALL)
"""What a conclusion is drawn from, in the same sentence."""
_OTHERS_WORDS = re.compile(
    r"\b(?:examples?|e\.g|for instance|format|template|placeholder|wrong|incorrect|reject\w*|exclud\w*|distract\w*|"
    r"eliminat\w*|ruled|not|unlikely|previous|like this|as follows|instructions?|prompt|if|considered|guess\w*|"
    r"initial\w*|alternatives?|possib\w*|second\w*|runner|said|says|claim\w*|argue\w*|thinks|students?|colleagues?|users?|"
    r"someone|somebody|many|some)\b",
    re.IGNORECASE,
)
"""Words by which what is named beside them is no answer of one's own."""
_SIGNS = re.compile(
    r"[^\w\s.,:;()\[\]<>{}\\&*'\"/|•·–—\-+$=#`!→⇒➡✓✔✅☑👍«»„“”「」『』【】🫀🧠%~]|(?<!\w)[!~]+\s*\w|[=!]="
)
"""Signs that stand in no name and around none. They can deny or doubt one: `≠`, an empty box, a thumb down."""
_EMPTY_BOX = re.compile(r"\[\s*\]|\(\s+\)|[☐□◻⬜]")
_SCORE = re.compile(r"(?P<percent>\d+(?:\.\d+)?)\s*%|(?P<share>\b[01]?\.\d+)|(?P<part>\d+)\s*/\s*(?P<of>\d+)")
_LEAST_SCORE = 0.1
"""A name with a lower confidence is not given as the answer."""
_RETRACTION = re.compile(
    r"(?:^|[.!?:;\n])[\s\"'*_(]*(?:(?:no|nope|hmm|sorry|oops)\s*(?:[,.!;:—–-]|$|wait\b)|wait\b|wrong\b|incorrect\b|"
    r"actually\b|correction\b|scratch that|on second thoughts?|that(?: i|')s (?:wrong|incorrect|not|false)|not\b|but\b|"
    r"however\b|although\b|edit(?:ed)?\s*:|update\s*:|or\b|rather\b|instead\b|"
    r"(?:this|that|it) (?:is|was) (?:wrong|false|incorrect|a mistake|"
    r"not (?:right|correct|true|so|it|the)))|"
    r"\b(?:reconsider\w*|(?:take|taking|took) (?:it|that|this) back|on reflection|my (?:mistake|error|bad)|disregard|"
    r"ignore (?:that|this|the|my)|kidding|joking|disagree|retract\w*|revis(?:e|ed|ing) (?:my|the)|chang\w+ my mind|"
    r"i was (?:wrong|mistaken)|might be (?:something|another)|may be (?:something|another))\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?:[^.!?;\n]|\.(?=\d))+[.!?;\n]*")


@dataclass(frozen=True)
class Names:
    """What may be named: candidates, and those among them that are the user's own specialties."""

    allowed: frozenset[str]
    own: tuple[str, ...] = ()

    def whole(self, text: str) -> str:
        """The label that a text is, and nothing else; empty where it asks, denies, doubts, or says more."""
        label = find(re.sub(r"\\\w+\{|\}", " ", text), self.own) or ""
        denies = label != OTHERS and _NEGATION.search(text.replace("_", " ")) is not None
        return "" if "?" in text or denies or _uncertain(text) else label

    def offered(self, text: str) -> str:
        """The same, where the label may be answered."""
        return label if (label := self.whole(text)) in self.allowed else ""


def in_prose(text: str, names: Names, otherwise: str, rest: str = "") -> tuple[str, str]:
    """The one name that sentences give as the answer, and none of them denies, doubts or takes back.

    Args:
        text: The sentences.
        names: What may be named.
        otherwise: The problem where no name is mentioned.
        rest: What follows the sentences, and may take the name back.

    Returns:
        The label and an empty problem, or an empty label and the problem.
    """
    sentences = [
        (match.end(), match.group(), mentioned(match.group(), names.own)) for match in _SENTENCE.finditer(text)
    ]
    found = sorted(set().union(*(found for _, _, found in sentences)) & names.allowed)
    if len(found) > 1:
        return "", f"several labels: {', '.join(found[:4])}{', ...' if len(found) > 4 else ''}"
    if not found:
        return "", otherwise
    if any(_SIGNS.search(line) for line in text.splitlines() if found[0] in mentioned(line, names.own)):
        return "", "denied or doubted"
    naming = [(end, sentence) for end, sentence, mentions in sentences if found[0] in mentions]
    if any(denied(_REASON.sub("", sentence)) for _, sentence in naming):
        return "", "denied or doubted"
    if not any(_gives(sentence, names.own) for _, sentence in naming):
        return "", "named, and not as the answer"
    before = text[: naming[0][0] - len(naming[0][1])]
    if names.whole(naming[0][1]) and (_NEGATION.search(before) or _OTHERS_WORDS.search(before)):
        # A name that stands alone behind other sentences: they say what it is, and they deny.
        return "", "named, and not as the answer"
    if taken_back(text[naming[0][0] :]) or taken_back(rest):
        return "", "taken back"
    return found[0], ""


def refuses(text: str) -> bool:
    """Whether somebody declines to answer, or sends a person to a doctor."""
    return _REFUSAL.search(text) is not None


def taken_back(text: str) -> bool:
    """Whether a text takes back what was said before it."""
    return _RETRACTION.search(text) is not None


def announces_another(text: str) -> bool:
    """Whether a line that ends in a colon says that what follows is an example, or is wrong."""
    return _OTHERS_WORDS.search(text) is not None


def denied(sentence: str) -> bool:
    """Whether a sentence asks, denies or doubts."""
    return "?" in sentence or _NEGATION.search(sentence) is not None


def _gives(sentence: str, own: tuple[str, ...]) -> bool:
    """Whether a sentence gives the name in it as the answer: around it stand words of answers alone, or reasons."""
    if _uncertain(sentence):
        return False
    grounds = _GROUNDS.match(sentence)
    stated = sentence[grounds.end() :] if grounds and not _NEGATION.search(grounds.group()) else sentence
    premise = _SO.match(stated)
    if (
        premise
        and not denied(premise.group())
        and not announces_another(premise.group())
        and not mentioned(premise.group(), own)
    ):
        stated = stated[premise.end() :]
    stated = _without_aside(stated, own)
    return all(word in _LEADING for part in around(_REASON.sub("", stated), own) for word in part.split())


def _without_aside(text: str, own: tuple[str, ...]) -> str:
    """The text without what explains its name at the end, if that denies nothing, and is more than a word or two."""
    aside = _ASIDE.search(text)
    if aside is None:
        return text
    said = aside["in"] or aside["after"] or ""
    explains = len(said.split()) >= _FEWEST_WORDS and not denied(said) and not announces_another(said)
    return text[: aside.start()] if explains and mentioned(text[: aside.start()], own) else text


def leads(text: str) -> bool:
    """Whether the words before a mark are those of an answer."""
    return all(word in _LEADING for word in re.findall(r"[^\W\d_]+", text.casefold()))


def _uncertain(text: str) -> bool:
    """Whether a text has signs or numbers by which a name in it is not meant: an empty box, a confidence near zero."""
    if _SIGNS.search(text) or _EMPTY_BOX.search(text):
        return True
    score = _SCORE.search(text)
    if score is None:
        return False
    if score["percent"]:
        return float(score["percent"]) < 100 * _LEAST_SCORE
    if score["share"]:
        return float(score["share"]) < _LEAST_SCORE
    return int(score["part"]) < _LEAST_SCORE * int(score["of"])


def sentence_at(text: str, place: int) -> str:
    """The sentence in which a place of a text lies."""
    return next((m.group() for m in _SENTENCE.finditer(text) if m.start() <= place < m.end()), text)
