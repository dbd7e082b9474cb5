"""What one source says of one text, and the table that all sources become."""

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
"""One row a term. `forms` are all spellings matched, the term's own first. `scope` is `strict`, `broad`, or `none` for
a clinical text that is no term (of no specialty, or of too many): it is not reported, but no placebo either.
`reason` says by which rule a term is not `strict`."""

PART = "part"
"""Kind of a word that is no term, but a part of many: `renal`. Any term that it overlaps goes before it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one source says of one text.

    `rank` orders the entries of one source: the lowest, that is the one which names the text most directly and most
    generally, decides. `loose` marks texts that are wider than the concept they stand for. `secondary` entries
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
