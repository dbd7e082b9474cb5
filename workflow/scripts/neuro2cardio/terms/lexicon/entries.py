"""An entry of one source for one text, and the table that all entries are merged into."""

from dataclasses import dataclass

import pyarrow as pa

LEXICON = pa.schema(
    {
        "term": pa.string(),
        "forms": pa.list_(pa.string()),
        "case_sensitive": pa.bool_(),
        "concept_ids": pa.list_(pa.string()),
        "specialties": pa.list_(pa.string()),
        "kind": pa.string(),
        "scope": pa.string(),
        "reason": pa.string(),
        "sources": pa.list_(pa.string()),
    }
)
"""One row per term. `forms` are all spellings that are matched, the term's own first. `scope` is `strict`, `broad`,
or `none` for a clinical text that is not a term (it has no specialty, or too many): neither reported nor a placebo.
`reason` names the rule by which a term is not `strict`."""

PART = "part"
"""Kind of a word that is not a term but part of many: `renal`. Terms that overlap it have precedence."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The entry of one source for one text.

    `rank` orders the entries of one source: the lowest, that is the one which names the text most directly and most
    generally, decides. `loose` marks texts with a wider meaning than their concept. `secondary` entries
    speak only of texts that no other entry has.
    """

    text: str
    specialties: tuple[str, ...]
    kind: str
    concept: str
    source: str
    rank: int = 0
    loose: bool = False
    secondary: bool = False
