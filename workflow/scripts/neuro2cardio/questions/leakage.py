"""Questions that are in two splits: with the same text, or with similar texts by their word n-grams."""

from collections.abc import Iterable, Mapping
import re

import numpy as np
from scipy import sparse

from ..config.dataset import Leakage
from .identity import normalise
from .sources import SPLITS
from .validation import ValidQuestion

COLUMNS = ("split", "source_row", "question_id", "stands_in", "as_source_row", "as_question_id", "jaccard")
"""Columns of the list of leaks: the question that was dropped, and the one that it is similar to."""

CHUNK = 1000
"""Texts compared at once, which limits the memory."""


def find(
    texts: Mapping[str, str], held: Mapping[str, str], *, ngram: int, threshold: float
) -> dict[str, tuple[str, float]]:
    """Find texts that are also among the held ones: id -> (id of the most similar held text, Jaccard similarity).

    Texts are similar if the sets of their word n-grams have a Jaccard similarity of ``threshold`` or more; a text with
    fewer than ``ngram`` words counts as one n-gram. The same id is always found, with similarity 1. Of equally
    similar texts, the first by id is named. Both mappings are from id to normalised text.
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
        similarity = common.data / (sizes[start + common.row] + held_sizes[common.col] - common.data)
        alike = np.flatnonzero(similarity >= threshold)
        for i in alike[np.lexsort((-common.col[alike], similarity[alike]))]:
            found[ids[start + common.row[i]]] = (held_ids[common.col[i]], float(similarity[i]))
    return found | {i: (i, 1.0) for i in ids if i in held}


def shingles(text: str, ngram: int) -> set[str]:
    """The word n-grams of a text; the whole text if it has fewer words."""
    words = re.findall(r"\w+", text)
    return {" ".join(words[i : i + ngram]) for i in range(max(1, len(words) - ngram + 1))}


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


def _leak_lines(
    dropped: Iterable[ValidQuestion], held: Iterable[ValidQuestion], found: Mapping[str, tuple[str, float]]
) -> list[dict[str, object]]:
    by_id = {q.question_id: q for q in held}
    lines: list[dict[str, object]] = []
    for question in dropped:
        other, jaccard = found[question.question_id]
        own = (question.split, question.source_row, question.question_id)
        twin = (by_id[other].split, by_id[other].source_row, other)
        lines.append(dict(zip(COLUMNS, (*own, *twin, round(jaccard, 4)), strict=True)))
    return lines
