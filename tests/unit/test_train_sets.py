from hypothesis import given, settings, strategies as st
import pandas as pd
import pytest

from neuro2cardio.core import tables
from neuro2cardio.core.errors import InputError
from neuro2cardio.questions import general, train_sets

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


CONTROLS = ["mixed", "shuffled-answers", "general", "random-1", "random-2", "without-neurology"]


@pytest.mark.parametrize(("train_size", "size"), [("matched", 10), (15, 15), ("natural", 20)])
def test_every_control_has_the_size_of_the_specialties(train_size, size):
    sets = train_sets.build(single(30, 20, 10), GRID, CONTROLS, train_size)
    assert {name: len(sets[name]) for name in CONTROLS} == dict.fromkeys(CONTROLS, size)


def test_shuffled_answers_are_the_questions_of_mixed_and_say_nothing():
    sets = train_sets.build(single(300, 300, 300), GRID, CONTROLS, 600)
    assert sets["shuffled-answers"]["question_id"].tolist() == sets["mixed"]["question_id"].tolist()
    agree = (sets["shuffled-answers"]["answer"] == sets["mixed"]["answer"]).mean()
    # Of two options, either is drawn half of the time.
    assert 0.42 < agree < 0.58


def test_random_sets_share_no_question_while_there_are_enough():
    sets = train_sets.build(single(30, 20, 10), GRID, CONTROLS, "matched")
    first, second = (set(sets[name]["question_id"]) for name in ("random-1", "random-2"))
    assert not first & second


def test_without_a_specialty_there_is_none_of_its_questions():
    both = table(*[("Cardiology", "Neurology")] * 5, *[("Cardiology",)] * 9, *[("Neurology",)] * 9)
    held = train_sets.build(both, GRID[:2], ["without-neurology"], 9)["without-neurology"]
    assert all("Neurology" not in own for own in held["specialties"])


def test_general_questions_hold_their_answer_once_and_no_medicine():
    made = general.questions(900)
    assert made["question_id"].is_unique
    assert made["options"].map(lambda options: len(set(options)) == 4).all()
    assert set(made["answer"]) == {0, 1, 2, 3}
    for stem, options, answer in zip(made["stem"], made["options"], made["answer"], strict=True):
        assert options[answer] not in stem.casefold().split(" what is ")[0].split()
    assert general.questions(50)["question_id"].tolist() == general.questions(900)["question_id"].tolist()[:50]


def test_the_nouns_are_enough_and_of_twelve_categories():
    nouns = pd.read_csv(general.NOUNS, sep="\t", quoting=3)
    assert len(nouns) >= 400 and nouns["category"].nunique() == 12
    assert nouns["noun"].is_unique and nouns["definition"].is_unique


def test_too_small_a_table_of_general_questions_is_named():
    def few(n: int) -> pd.DataFrame:
        return general.questions(min(n, 5))

    with pytest.raises(InputError, match=r"dataset.general: 5 questions are fewer than the 10"):
        train_sets.build(single(30, 20, 10), GRID, ["general"], "matched", few)


def test_questions_that_train_sets_share_are_counted():
    both = table(*[("Cardiology", "Neurology")] * 2, *[("Cardiology",)] * 2, *[("Neurology",)] * 6)
    shared = train_sets.overlap(train_sets.build(both, GRID[:2], [], "natural"))
    assert shared.to_numpy().tolist() == [["cardiology", "neurology", 2, 0.5], ["neurology", "cardiology", 2, 0.25]]
