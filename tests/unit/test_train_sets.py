from hypothesis import given, settings, strategies as st
import pandas as pd
import pytest

from neuro2cardio.core import tables
from neuro2cardio.core.errors import InputError
from neuro2cardio.questions import train_sets

GRID = ["Cardiology", "Neurology", "Obstetrics and gynecology"]
SLUGS = ["cardiology", "neurology", "obstetrics-and-gynecology"]


def table(*specialties: tuple[str, ...], split: str = "train") -> pd.DataFrame:
    rows = [
        {
            "question_id": f"{(7919 * n) % 10007:016x}",
            "split": split,
            "source": "made-up",
            "source_row": str(n),
            "stem": f"Question {n}?",
            "options": ["a", "b"],
            "answer": n % 2,
            "specialty": own[0],
            "specialties": list(own),
            "votes": [],
        }
        for n, own in enumerate(specialties)
    ]
    return pd.DataFrame(rows, columns=tables.QUESTIONS.names)


def single(*counts: int) -> pd.DataFrame:
    return table(*[(s,) for s, n in zip(GRID, counts, strict=True) for _ in range(n)])


def sizes(sets: dict[str, pd.DataFrame]) -> list[int]:
    return [len(frame) for frame in sets.values()]


@pytest.mark.parametrize(
    ("train_size", "expected"),
    [("matched", [10, 10, 10, 10]), ("natural", [30, 20, 10, 20]), (15, [15, 15, 10, 15]), (99, [30, 20, 10, 30])],
)
def test_sizes(train_size, expected):
    sets = train_sets.build(single(30, 20, 10), GRID, ["mixed"], train_size)
    assert list(sets) == [*SLUGS, "mixed"]
    assert sizes(sets) == expected


def test_mixed_takes_an_equal_share_of_each_specialty():
    mixed = train_sets.build(single(30, 20, 10), GRID, ["mixed"], 9)["mixed"]
    assert mixed["specialty"].value_counts().to_dict() == dict.fromkeys(GRID, 3)


def test_a_question_counts_in_each_of_its_specialties_but_once_in_mixed():
    both = table(*[("Cardiology", "Neurology")] * 4, *[("Neurology",)] * 2)
    sets = train_sets.build(both, GRID[:2], ["mixed"], "natural")
    assert sizes(sets) == [4, 6, 5]
    assert sets["mixed"]["question_id"].is_unique


def test_only_train_questions_are_trained_on():
    frame = pd.concat(
        [single(3, 3, 3), single(9, 9, 9).assign(split="test"), single(9, 9, 9).assign(split="validation")]
    )
    sets = train_sets.build(frame, GRID, ["mixed"], "natural")
    assert {split for s in sets.values() for split in s["split"]} == {"train"}
    with pytest.raises(InputError, match="Neurology has no train questions"):
        train_sets.build(single(3, 0, 3), GRID, [], "matched")


def test_a_set_that_did_not_change_is_the_same_file(tmp_path):
    """Another specialty may come or go: what Snakemake compares is bytes."""
    frame = single(12, 12, 12)
    shuffled = frame.sample(frac=1, random_state=1)
    for folder, rows, grid in (("all", frame, GRID), ("two", shuffled, GRID[:2])):
        for name, own in train_sets.build(rows, grid, [], 10).items():
            tables.write(own, tmp_path / folder / f"{name}.parquet", tables.QUESTIONS)
    for slug in SLUGS[:2]:
        first, second = ((tmp_path / folder / f"{slug}.parquet").read_bytes() for folder in ("all", "two"))
        assert first == second


@settings(deadline=None, max_examples=50)
@given(
    own=st.lists(st.lists(st.sampled_from(GRID), min_size=1, max_size=3, unique=True).map(tuple), min_size=1),
    train_size=st.one_of(st.sampled_from(["matched", "natural"]), st.integers(1, 50)),
)
def test_sets_hold_their_own_questions_once_in_order(own, train_size):
    frame = table(*own)
    grid = [s for s in GRID if any(s in names for names in own)]
    sets = train_sets.build(frame, grid, ["mixed"], train_size)
    for name, rows in sets.items():
        assert rows["question_id"].is_unique and rows["question_id"].is_monotonic_increasing
        if name != "mixed":
            specialty = GRID[SLUGS.index(name)]
            assert all(specialty in names for names in rows["specialties"])
    if train_size == "matched":
        assert len({len(rows) for rows in sets.values()}) == 1
