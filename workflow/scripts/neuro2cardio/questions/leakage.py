"""Questions that are in two splits: with the same text, or with similar texts by their word n-grams.

Those that are nearly the same are dropped. Those that share parts, as an edited copy does, are only listed: whether
they ask for the same is for a reader to say.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set
import re

import numpy as np
import pandas as pd
from scipy import sparse

from ..config.dataset import Leakage
from .identity import normalise
from .sources import SPLITS
from .validation import ValidQuestion

COLUMNS = ("split", "source_row", "question_id", "stands_in", "as_source_row", "as_question_id", "jaccard")
"""Columns of the list of leaks: the question that was dropped, and the one that it is similar to."""

SIMILAR = (*COLUMNS[:-1], "containment", "stem", "as_stem")
"""Columns of the list of questions that were kept although they resemble one of another split, most similar first."""

_LISTED_NGRAM = 5
"""Words in a row that make two texts similar. Of eight, five changed words leave too few runs in an exam question."""
_REPEATED_SHARE, _REPEATED_AT_LEAST = 0.01, 5
"""Runs of words in more than this share of the stems, and in more than so many, are boilerplate."""

CHUNK = 1000
"""Texts compared at once, which limits the memory."""


Similarity = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Of pairs of sets, from the sizes of their intersections and their own."""


def jaccard(common: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The share of the members of both sets together that are in both."""
    return np.asarray(common / (one + other - common))


def containment(common: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The share of the smaller set that is in the other (Broder 1997)."""
    return np.asarray(common / np.minimum(one, other))


def find(
    texts: Mapping[str, str],
    held: Mapping[str, str],
    *,
    ngram: int,
    threshold: float,
    similarity: Similarity = jaccard,
) -> dict[str, tuple[str, float]]:
    """Find texts that are also among the held ones: id -> (id of the most similar held text, their similarity).

    Texts are similar if the sets of their word n-grams have a similarity of ``threshold`` or more; a text with fewer
    than ``ngram`` words counts as one n-gram. The same id is always found, with similarity 1. Of equally similar texts,
    the first by id is named. Both mappings are from id to normalised text.
    """
    ids, held_ids = sorted(texts), sorted(held)
    if not ids or not held_ids:
        return {}
    vocabulary: dict[str, int] = {}
    held_matrix, held_sizes = _matrix([shingles(held[i], ngram) for i in held_ids], vocabulary, grow=True)
    matrix, sizes = _matrix([shingles(texts[i], ngram) for i in ids], vocabulary, grow=False)
    found: dict[str, tuple[str, float]] = {}
    for start in range(0, len(ids), CHUNK):
        common = (matrix[start : start + CHUNK] @ held_matrix.T).tocoo()
        similar = similarity(common.data, sizes[start + common.row], held_sizes[common.col])
        alike = np.flatnonzero(similar >= threshold)
        for i in alike[np.lexsort((-common.col[alike], similar[alike]))]:
            found[ids[start + common.row[i]]] = (held_ids[common.col[i]], float(similar[i]))
    return found | {i: (i, 1.0) for i in ids if i in held}


def shingles(text: str, ngram: int) -> set[str]:
    """The word n-grams of a text; the whole text if it has fewer words."""
    words = re.findall(r"\w+", text)
    return {" ".join(words[i : i + ngram]) for i in range(max(1, len(words) - ngram + 1))}


def without_boilerplate(texts: Mapping[str, str], ngram: int) -> dict[str, str]:
    """The words of normalised texts that are in no run which many of them have: "what is this finding called".

    Texts of which nothing is left are left out.
    """
    counts = Counter(shingle for text in texts.values() for shingle in shingles(text, ngram))
    many = max(_REPEATED_AT_LEAST, _REPEATED_SHARE * len(texts))
    repeated = {shingle for shingle, n in counts.items() if n > many}
    left = {key: _without(text, repeated, ngram) for key, text in texts.items()}
    return {key: text for key, text in left.items() if text}


def _without(text: str, repeated: Set[str], ngram: int) -> str:
    words = re.findall(r"\w+", text)
    starts = range(max(1, len(words) - ngram + 1))
    covered = {i + j for i in starts if " ".join(words[i : i + ngram]) in repeated for j in range(ngram)}
    return " ".join(word for i, word in enumerate(words) if i not in covered)


def _matrix(sets: list[set[str]], vocabulary: dict[str, int], *, grow: bool) -> tuple[sparse.csr_array, np.ndarray]:
    """Sets as rows of a sparse 0/1 matrix over the vocabulary, and their sizes, which include unknown members."""
    indices: list[int] = []
    ends = [0]
    for members in sets:
        if grow:
            for member in sorted(members):
                vocabulary.setdefault(member, len(vocabulary))
        indices += (vocabulary[m] for m in members if m in vocabulary)
        ends.append(len(indices))
    shape = (len(sets), len(vocabulary))
    matrix = sparse.csr_array((np.ones(len(indices), dtype=np.int32), indices, ends), shape=shape)
    return matrix, np.array([len(members) for members in sets])


def drop(questions: list[ValidQuestion], limits: Leakage) -> tuple[list[ValidQuestion], list[dict[str, object]]]:
    """Drop validation questions that are in test, and train questions that are in either of them."""
    by_split = {split: [q for q in questions if q.split == split] for split in SPLITS}
    kept, leaked = list(by_split["test"]), []
    for split in ("validation", "train"):
        found = find(
            {q.question_id: normalise(q.stem) for q in by_split[split]},
            {q.question_id: normalise(q.stem) for q in kept},
            ngram=limits.ngram,
            threshold=limits.jaccard,
        )
        clean = [q for q in by_split[split] if q.question_id not in found]
        leaked += _leak_lines([q for q in by_split[split] if q.question_id in found], kept, found)
        kept += clean
    return sorted(kept, key=lambda q: (SPLITS.index(q.split), q.question_id)), leaked


def similar(questions: Iterable[ValidQuestion], limits: Leakage) -> pd.DataFrame:
    """List train and validation questions that resemble one of a later split; see `SIMILAR`.

    Two questions are listed if they share at least ``limits.listed`` of the shorter stem's runs of five words, without
    the runs that many questions have. A stem of fewer words counts as one run.
    """
    by_id = {q.question_id: q for q in questions}
    texts = without_boilerplate({i: normalise(q.stem) for i, q in by_id.items()}, _LISTED_NGRAM)
    by_split = {split: {i: text for i, text in texts.items() if by_id[i].split == split} for split in SPLITS}
    held = dict(by_split["test"])
    lines: list[tuple[object, ...]] = []
    for split in ("validation", "train"):
        found = find(
            by_split[split],
            held,
            ngram=_LISTED_NGRAM,
            threshold=limits.listed,
            similarity=containment,
        )
        for own, (other, share) in found.items():
            pair = by_id[own], by_id[other]
            lines.append((*_pair(*pair), round(share, 4), *(q.stem for q in pair)))
        held |= by_split[split]
    listed = pd.DataFrame(lines, columns=list(SIMILAR))
    return listed.sort_values(["containment", "question_id"], ascending=[False, True], ignore_index=True)


def _pair(question: ValidQuestion, twin: ValidQuestion) -> tuple[str, ...]:
    own = (question.split, question.source_row, question.question_id)
    return (*own, twin.split, twin.source_row, twin.question_id)


def _leak_lines(
    dropped: Iterable[ValidQuestion], held: Iterable[ValidQuestion], found: Mapping[str, tuple[str, float]]
) -> list[dict[str, object]]:
    by_id = {q.question_id: q for q in held}
    lines: list[dict[str, object]] = []
    for question in dropped:
        other, similarity = found[question.question_id]
        lines.append(dict(zip(COLUMNS, (*_pair(question, by_id[other]), round(similarity, 4)), strict=True)))
    return lines
