import json
from pathlib import Path
import random

from hypothesis import given, settings, strategies as st
import pytest

from neuro2cardio.config.dataset import Leakage
from neuro2cardio.questions import leakage, validation

TEXTS = st.dictionaries(
    st.sampled_from([f"q{i}" for i in range(12)]),
    st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12).map(" ".join),
    max_size=8,
)


@settings(deadline=None)
@given(texts=TEXTS, held=TEXTS, ngram=st.integers(1, 4), threshold=st.floats(0.05, 1))
def test_the_matrix_finds_what_comparing_all_pairs_finds(texts, held, ngram, threshold):
    expected = {}
    for one, text in texts.items():
        own = leakage.shingles(text, ngram)
        for other, twin in sorted(held.items()):
            its = leakage.shingles(twin, ngram)
            jaccard = len(own & its) / len(own | its)
            if jaccard >= threshold and jaccard > expected.get(one, ("", 0))[1]:
                expected[one] = (other, jaccard)
    expected |= {one: (one, 1.0) for one in texts if one in held}
    assert leakage.find(texts, held, ngram=ngram, threshold=threshold) == expected


def test_a_short_text_is_one_ngram():
    assert leakage.shingles("a b c", 8) == {"a b c"}
    assert leakage.shingles("a b c d", 3) == {"a b c", "b c d"}


def test_a_leak_beyond_the_first_chunk_is_found():
    texts = {f"{n:05d}": f"word{n} again word{n}" for n in range(2 * leakage.CHUNK + 5)}
    last = max(texts)
    assert leakage.find(texts, {"x": texts[last]}, ngram=2, threshold=1) == {last: ("x", 1.0)}


def question(stem: str, split: str, row: str) -> validation.ValidQuestion:
    common = {
        "source": "x",
        "options": ("a", "b"),
        "answer": 0,
        "specialty": "Neurology",
        "specialties": ("Neurology",),
    }
    same = {"votes": (), "content_id": row, "order": row}
    return validation.ValidQuestion(question_id=row, split=split, source_row=row, stem=stem, **common, **same)


@pytest.fixture(scope="module")
def stems(s_medqa_directory: Path) -> list[str]:
    rows = json.loads((s_medqa_directory / "S-MedQA_validation.json").read_text(encoding="utf-8"))
    return [row["Question"] for row in rows]


def edited(stem: str, words: list[str], draw: random.Random) -> str:
    """The same with five words exchanged."""
    held = stem.split()
    for i in draw.sample(range(len(held)), min(5, len(held))):
        held[i] = draw.choice(words)
    return " ".join(held)


def half(stem: str, other: str) -> str:
    """The first half of one and the second of another."""
    return " ".join(stem.split()[: len(stem.split()) // 2] + other.split()[len(other.split()) // 2 :])


def test_edited_copies_of_real_questions_are_dropped_or_listed_and_others_are_not(stems: list[str]):
    draw = random.Random(0)
    words = sorted({word for stem in stems for word in stem.split()})
    test = [question(stem, "test", f"t{i}") for i, stem in enumerate(stems)]
    copies = [edited(stem, words, draw) for stem in stems] + [half(stem, draw.choice(stems)) for stem in stems]
    asked = [*test, *(question(copy, "train", f"c{i}") for i, copy in enumerate(copies))]
    kept, leaked = leakage.drop(asked, Leakage())
    listed = leakage.similar(kept, Leakage())
    noticed = {line["question_id"] for line in leaked} | set(listed["question_id"])
    print(f"of {len(copies)} copies {len(leaked)} dropped, {len(listed)} listed")
    assert len(noticed) >= 0.99 * len(copies)
    # Half of the real questions against the other half: they were written for one exam, and do not copy each other.
    apart = [question(stem, ("test", "train")[i % 2], f"a{i}") for i, stem in enumerate(stems)]
    assert len(leakage.similar(leakage.drop(apart, Leakage())[0], Leakage())) < 0.02 * len(stems)


def test_what_is_similar_is_kept_and_listed_beside_its_twin():
    stem = "a man of sixty has had chest pain on the left for two hours and sweats; what is done first"
    asked = [question(stem, "test", "1"), question(f"{stem.replace('sixty', 'fifty')} and why", "train", "2")]
    asked.append(question("which nerve is hurt by a fracture of the humerus in its middle third", "train", "3"))
    kept, leaked = leakage.drop(asked, Leakage(jaccard=0.9))
    assert (len(kept), leaked) == (3, [])
    (row,) = leakage.similar(kept, Leakage()).to_dict("records")
    assert (row["question_id"], row["as_question_id"], row["stands_in"], row["as_stem"]) == ("2", "1", "test", stem)
    assert 0.3 <= row["containment"] < 1
    assert leakage.similar(kept, Leakage(listed=1)).empty
