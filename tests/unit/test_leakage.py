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


def edited(stem: str, stems: list[str], draw: random.Random) -> str:
    """The same with five words exchanged."""
    held = stem.split()
    for i in draw.sample(range(len(held)), min(5, len(held))):
        held[i] = draw.choice(draw.choice(stems).split())
    return " ".join(held)


def half(stem: str, stems: list[str], draw: random.Random) -> str:
    """The first half of it and the second of another."""
    other = draw.choice(stems).split()
    return " ".join(stem.split()[: len(stem.split()) // 2] + other[len(other) // 2 :])


def noticed(asked: list[validation.ValidQuestion]) -> tuple[int, int]:
    """How many questions are dropped and listed."""
    kept, leaked = leakage.drop(asked, Leakage())
    return len(leaked), len(leakage.similar(kept, Leakage()))


@pytest.mark.parametrize("copy", [edited, half])
def test_copies_of_real_questions_are_dropped_or_listed(stems: list[str], copy):
    draw = random.Random(0)
    test = [question(stem, "test", f"t{i}") for i, stem in enumerate(stems)]
    copies = [question(copy(stem, stems, draw), "train", f"c{i}") for i, stem in enumerate(stems)]
    dropped, listed = noticed([*test, *copies])
    print(f"\n{copy.__name__}: of {len(copies)} copies {dropped} dropped, {listed} listed")
    assert dropped + listed >= 0.99 * len(copies)


def test_real_questions_that_do_not_copy_each_other_are_not_listed(stems: list[str]):
    _, listed = noticed([question(stem, ("test", "train")[i % 2], f"a{i}") for i, stem in enumerate(stems)])
    print(f"\nas they are: {listed} listed of {len(stems) // 2}")
    assert listed < 0.01 * len(stems)


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
