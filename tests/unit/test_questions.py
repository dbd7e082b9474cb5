from collections import Counter
from dataclasses import replace
import random
import re

from hypothesis import given, settings as hypothesis_settings, strategies as st
import pandas as pd
import pytest

from neuro2cardio.config.dataset import Dataset
from neuro2cardio.core import specialties, tables
from neuro2cardio.core.errors import InputError
from neuro2cardio.questions import identity, moves, question_table, sources, train_sets
from neuro2cardio.questions.sources import UNSPLIT, RawQuestion

GRID = ["Cardiology", "Neurology"]


def raw(n: int = 0, **keys) -> RawQuestion:
    """A sound question that differs from all others, but for what `keys` say."""
    words = random.Random(n).choices([f"word{i}" for i in range(500)], k=20)
    values = {"row": f"row:{n}", "split": "train", "stem": f"{' '.join(words)}?", "options": ("a", "b", "c", "d")}
    return RawQuestion(**{**values, "answer": "a", "specialties": ("Cardiology",), **keys})


def made(**keys) -> Dataset:
    keys = {"origin": {"source": "s-medqa"}, "min_train": 0, "min_test": 0, "max_rejected": 1, **keys}
    limits = {k: keys.pop(k) for k in ("min_train", "min_test")}
    return Dataset.model_validate(keys).model_copy(update=limits)


def build(rows, grid=GRID, **keys) -> question_table.QuestionTable:
    return question_table.build(rows, made(**keys), grid)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"stem": " \n"}, "no stem"),
        ({"options": ("a",)}, "fewer than two options"),
        ({"options": ()}, "fewer than two options"),
        ({"options": ("a", " ")}, "empty option"),
        ({"options": ("a", "b", " a ")}, "duplicate options"),
        ({"options": ("a", "caf\u00e9", "cafe\u0301")}, "duplicate options"),
        ({"options": tuple(map(str, range(27))), "answer": "1"}, "27 options, more than the 26 letters"),
        ({"problem": "7 cells, more than the header's 5"}, "7 cells, more than the header's 5"),
        ({"answer": "E"}, "answer not among the options (a letter? see columns.answer_is)"),
        ({"answer": " "}, "empty answer"),
        ({"answer": "e"}, "answer not among the options"),
        ({"answer": 4}, "answer not among the options"),
        ({"answer": -1}, "answer not among the options"),
        ({"specialties": ()}, "no specialty"),
        ({"specialties": ("Cardiology", "Astrology")}, "unknown specialty 'Astrology'"),
        ({"stem": "half a \ud83d character?"}, "broken characters"),
    ],
)
def test_a_bad_row_is_refused_with_its_reason_and_lost_nowhere(keys, reason):
    table = build([raw(1), raw(2, **keys), raw(3)])
    assert table.rejected[["source", "source_row", "reason"]].values.tolist() == [["s-medqa", "row:2", reason]]
    assert table.questions["source_row"].tolist() != [] and "row:2" not in set(table.questions["source_row"])
    assert dict(table.flow.values)["refused"] == 1


def test_an_excerpt_is_short_and_on_one_line():
    excerpt = build([raw(1), raw(2, stem="one\ntwo " * 50, answer="")]).rejected["excerpt"][0]
    assert len(excerpt) == 80 and "\n" not in excerpt and excerpt.endswith("…")


def test_more_refused_rows_than_allowed_stop_the_run_with_counts():
    rows = [raw(n) for n in range(97)] + [raw(97, answer=""), raw(98, answer=""), raw(99, stem="")]
    build(rows, max_rejected=0.03)
    message = (
        r"3 of 100 rows .* dataset.max_rejected: 0.02\n  2 x empty answer, first row:97\n  1 x no stem, first row:99"
    )
    with pytest.raises(InputError, match=message):
        build(rows, max_rejected=0.02)
    with pytest.raises(InputError, match="has no rows"):
        build([])


def test_text_is_kept_as_written_but_for_space_around_it():
    row = build([raw(1, stem=" 10⁹ Cells/µl\nof  X? ", options=("²", " b"), answer="b")]).questions.iloc[0]
    assert (row["stem"], row["options"], row["answer"]) == ("10⁹ Cells/µl\nof  X?", ["²", "b"], 1)


def test_the_answer_is_found_by_text_whatever_its_case_or_by_index():
    rows = [raw(1, options=("Aspirin", "Heparin"), answer="heparin "), raw(2, answer=2)]
    found = build(rows).questions.set_index("source_row")["answer"]
    assert dict(found) == {"row:1": 1, "row:2": 2}


def test_a_double_is_listed_and_lends_its_specialties():
    twin = {"stem": "The same?", "options": ("x", "y"), "answer": "x"}
    rows = [
        raw(1, **twin),
        raw(2, **{**twin, "stem": " the  SAME?", "options": ("y", "x")}),
        raw(3, **twin, specialties=("Neurology",)),
    ]
    table = build(rows)
    (row,) = table.questions.to_dict("records")
    assert (row["source_row"], row["specialty"], row["specialties"]) == ("row:1", "Cardiology", GRID)
    assert table.rejected["reason"].tolist() == ["doubles row:1", "merged into row:1"]


def test_doubles_are_no_bad_rows_but_contradictions_are():
    twin = {"stem": "The same?", "options": ("x", "y")}
    doubles = [raw(n, **twin, answer="x") for n in range(3)]
    assert len(build([*doubles, raw(9)], max_rejected=0).questions) == 2
    contradiction = [*doubles, raw(5, **twin, answer="y"), raw(9)]
    table = build(contradiction)
    assert table.questions["source_row"].tolist() == ["row:9"]
    assert len(table.rejected) == 4
    with pytest.raises(InputError, match=r"4 of 5 rows .*\n  4 x contradicts its doubles"):
        build(contradiction, max_rejected=0.02)


def test_the_users_names_for_specialties_are_mapped_or_left_out():
    origin = {"source": "table", "files": {"all": "x.json"}, "specialties": {"Herz": "Cardiology", "Zahn": None}}
    rows = [raw(1, specialties=("Herz",)), raw(2, specialties=("Zahn",)), raw(3, specialties=("Zahn", "neurology"))]
    table = build(rows, origin=origin)
    assert dict(table.questions.set_index("source_row")["specialty"]) == {"row:1": "Cardiology", "row:3": "Neurology"}
    assert dict(table.flow.values)["left out by dataset.origin.specialties"] == 1
    assert table.rejected.empty


def test_questions_outside_the_grid_are_counted_not_refused():
    rows = [raw(1, specialties=("Psychiatry", "Neurology")), raw(2, specialties=("Psychiatry",))]
    table = build(rows)
    assert table.questions[["specialty", "specialties"]].values.tolist() == [["Neurology", ["Neurology"]]]
    assert dict(table.flow.values)["outside the grid"] == 1
    assert table.rejected.empty


def test_primary_labels_leave_no_question_to_two_train_sets_and_move_none_between_splits():
    several = {n: [GRID[n % 2], GRID[1 - n % 2]] if n % 5 == 0 else [GRID[n % 2]] for n in range(100)}
    several[7] = ["Psychiatry", GRID[0]]
    rows = [raw(n, specialties=tuple(held), split=UNSPLIT) for n, held in several.items()]
    everywhere, primary = build(rows), build(rows, labels="primary")
    overlaps = [train_sets.overlap(train_sets.build(t.questions, GRID, [], "natural")) for t in (everywhere, primary)]
    assert [len(overlap) for overlap in overlaps] == [2, 0]
    whole, part = (
        dict(zip(t["question_id"], t["split"], strict=True)) for t in (everywhere.questions, primary.questions)
    )
    assert part.items() < whole.items()
    assert len(whole) - len(part) == 1
    assert primary.questions["specialties"].map(len).eq(1).all()


def test_every_row_is_accounted_for_and_the_table_keeps_its_contract(tmp_path):
    rows = [raw(n, split="all", specialties=(random.Random(n).choice(specialties.SPECIALTIES),)) for n in range(300)]
    table = build([*rows, raw(0, split="all", specialties=("Cardiology",)), raw(1, stem="")], test_size=3)
    steps = dict(table.flow.values)
    assert steps.pop("rows read") == sum(steps.values()) == 302
    path = tmp_path / "questions.parquet"
    tables.write(table.questions, path, tables.QUESTIONS)
    back = tables.read(path, tables.QUESTIONS)
    assert back["question_id"].is_unique
    assert back.values.tolist() == table.questions.values.tolist()
    for split in sources.SPLITS:
        for line in table.summary.to_dict("records"):
            own = [
                line["specialty"] in s for s, p in zip(back["specialties"], back["split"], strict=True) if p == split
            ]
            assert line[split] == sum(own)


def test_too_few_questions_name_specialty_count_limit_and_key():
    rows = [raw(n, split="test" if n < 2 else "train") for n in range(10)]
    message = (
        r"Cardiology has 8 train questions, fewer than dataset.min_train: 9\n  Cardiology has 2 test .*min_test: 5"
    )
    with pytest.raises(InputError, match=message):
        build(rows, grid=["Cardiology"], min_train=9, min_test=5)


def test_the_test_set_is_cut_for_every_specialty():
    both, cardio = ("Cardiology", "Neurology"), ("Cardiology",)
    rows = [raw(n, split="test", specialties=both if n % 3 else cardio) for n in range(60)]
    table = build(rows, test_size=10)
    counts = Counter(s for own in table.questions["specialties"] for s in own)
    assert counts["Neurology"] == 10 and counts["Cardiology"] <= 10
    assert dict(table.flow.values)["test questions beyond dataset.test_size"] == 50


def test_what_stands_in_test_is_dropped_from_train_and_validation():
    held = "A patient of some age comes with pain in the chest that began an hour ago while at rest"
    rows = [
        raw(1, split="test", stem=f"{held}. What now?"),
        raw(2, split="train", stem=f"{held.upper()}. What then?"),
        raw(3, split="validation", stem=f"{held}. What now?"),
        raw(4, split="train"),
        raw(5, split="validation"),
        raw(5, split="train", row="row:6"),
    ]
    table = build(rows)
    assert set(table.questions["source_row"]) == {"row:1", "row:4", "row:5"}
    leaks = table.leaked.set_index("source_row")
    assert dict(leaks["as_source_row"]) == {"row:3": "row:1", "row:2": "row:1", "row:6": "row:5"}
    assert leaks.loc["row:3", "jaccard"] == 1 and 0.5 <= leaks.loc["row:2", "jaccard"] < 1


def test_splits_are_stratified_and_do_not_depend_on_order_or_grid():
    names = ("Cardiology",) * 50 + ("Neurology",) * 30 + ("Psychiatry",) * 20
    rows = [raw(n, split="all", specialties=(name,)) for n, name in enumerate(names)]
    split = {"test": 0.3, "validation": 0.1}
    table = build(rows, split=split)
    assert table.summary.values.tolist() == [["Cardiology", 30, 5, 15], ["Neurology", 18, 3, 9]]
    shuffled = random.Random(1).sample(rows, len(rows))
    assert build(shuffled, split=split).questions.equals(table.questions)
    alone = build(rows, grid=["Neurology"], split=split).questions
    assert alone.equals(table.questions[table.questions["specialty"] == "Neurology"].reset_index(drop=True))


@hypothesis_settings(max_examples=50, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=3),
    test=st.floats(0, 0.6).map(lambda share: round(share, 6)),
    validation=st.floats(0, 0.3).map(lambda share: round(share, 6)),
)
def test_every_specialty_is_split_by_the_fractions(sizes, test, validation):
    grid = specialties.SPECIALTIES[: len(sizes)]
    names = [name for name, size in zip(grid, sizes, strict=True) for _ in range(size)]
    rows = [raw(n, split="all", specialties=(name,)) for n, name in enumerate(names)]
    table = build(rows, grid=grid, split={"test": test, "validation": validation}, leakage={"jaccard": 1})
    for size, line in zip(sizes, table.summary.to_dict("records"), strict=True):
        assert abs(line["test"] - test * size) <= 0.5
        assert abs(line["validation"] - validation * size) <= 1
        assert line["train"] + line["test"] + line["validation"] == size


@given(st.text())
def test_normalisation_is_idempotent_and_leaves_no_stray_space(text):
    once = identity.normalise(text)
    assert identity.normalise(once) == once
    assert once == once.strip() and not re.search(r"\s\s", once)


@given(st.text(min_size=1), st.lists(st.text(), min_size=2, max_size=5), st.randoms())
def test_an_id_is_blind_to_case_space_and_the_order_of_options(stem, options, rng):
    first = identity.question_id(stem, options)
    assert re.fullmatch("[0-9a-f]{16}", first)
    shuffled = rng.sample(options, len(options))
    assert identity.question_id(f"  {stem}\n", shuffled) == first
    assert identity.question_id(stem + "x", options) != first
    assert identity.question_id(stem, [*options, "x"]) != first


@pytest.mark.parametrize("options", [("Anti-C", "Anti-c"), ("AA", "Aa", "aa"), ("10³", "103"), ("m²", "m2")])
def test_options_differ_where_people_see_a_difference(options):
    for right in options:
        table = build([raw(1, options=options, answer=right)])
        assert table.questions["options"].iloc[0][table.questions["answer"].iloc[0]] == right


def test_an_answer_in_another_case_is_found_where_only_one_option_is_meant():
    assert len(build([raw(1, options=("Gout", "Rickets"), answer="gout")]).questions) == 1
    assert "not among" in build([raw(1, options=("AA", "Aa"), answer="aa"), raw(2)]).rejected["reason"].iloc[0]


def test_doubles_that_differ_in_an_answer_people_tell_apart_contradict_each_other():
    rows = [raw(1, stem="Which?", options=("AA", "Aa"), answer=a) for a in ("AA", "Aa")]
    assert build([*rows, raw(2)]).rejected["reason"].str.startswith("contradicts").all()


def test_the_users_own_id_stands_in_the_table_and_splits_follow_it():
    rows = [raw(i, own_id=f"case-{i}", split="all") for i in range(40)]
    before = build(rows).questions.set_index("question_id")
    mended = [replace(rows[0], stem="A typo less?"), *rows[1:]]
    after = build(mended).questions.set_index("question_id")
    assert set(before.index) == {f"case-{i}" for i in range(40)}
    assert before["split"].to_dict() == after["split"].to_dict()
    assert before["split"].value_counts().to_dict() == {"train": 24, "test": 12, "validation": 4}


def test_an_id_given_twice_is_a_rejected_row():
    table = build([raw(1, own_id="a"), raw(2, own_id="a"), raw(3, own_id="c")])
    assert table.rejected["reason"].tolist() == ["has the id of another question (row:1)"]


@pytest.mark.parametrize(("unescape", "stem"), [(False, "Is 3 &lt; 4 &amp; 5?"), (True, "Is 3 < 4 & 5?")])
def test_html_entities_are_counted_and_unescaped_where_asked(unescape, stem):
    table = build([raw(1, stem="Is 3 &lt; 4 &amp; 5?"), raw(2)], unescape_html=unescape)
    assert stem in table.questions["stem"].tolist()
    counted = table.flow[table.flow["step"].str.startswith("rows with HTML entities")]
    assert counted["n"].tolist() == [1]


def test_specialties_of_ones_own_are_declared_and_others_are_named():
    rows = [raw(1, specialties=("Urology",)), raw(2, specialties=("urology ", "Cardiology"))]
    table = build(rows, grid=["Urology", "Cardiology"], further_specialties=["Urology"])
    assert sorted(map(tuple, table.questions["specialties"])) == [("Urology",), ("Urology", "Cardiology")]
    with pytest.raises(InputError, match=r"unknown specialty 'Urology'(?s:.*)dataset.origin.specialties"):
        build(rows, max_rejected=0)


def test_remembered_splits_are_safe_to_open_and_keep_ids_and_stems(tmp_path):
    """People open the table in spreadsheets; the user's own ids may begin like a formula."""
    row = {"question_id": "=1+1", "split": "train", "stem": '=HYPERLINK("http://evil.example")'}
    moves.remember(pd.DataFrame([row]), tmp_path / "splits.csv")
    assert ",=" not in (tmp_path / "splits.csv").read_text()
    assert moves.since(tmp_path / "splits.csv", pd.DataFrame([row])).empty


def test_questions_that_another_question_moved_between_splits_are_named(tmp_path):
    """One corrected typo makes another id, and with it another order of all questions of its specialty."""
    remembered, rows = tmp_path / "cache/splits.csv", [raw(n, split=sources.UNSPLIT) for n in range(40)]
    keys = {"split": {"made_from": "all", "validation": 0.2, "test": 0.3}}
    before = build(rows, **keys).questions
    assert moves.since(remembered, before).empty
    moves.remember(before, remembered)
    assert moves.since(remembered, before).empty

    for corrected in range(40):
        moves.remember(before, remembered)
        rows[corrected] = raw(corrected, split=sources.UNSPLIT, stem=f"{rows[corrected].stem} Indeed?")
        now = build(rows, **keys).questions
        found = moves.since(remembered, now)
        was, is_now = (table.set_index("question_id")["split"] for table in (before, now))
        both = was.index.intersection(is_now.index)
        assert set(found.loc[(found["was"] != "") & (found["now"] != ""), "question_id"]) == {
            i for i in both if was[i] != is_now[i]
        }
        assert (found["was"] == "").sum() == (found["now"] == "").sum() == 1
        if len(found) > 2:
            break
        before = now
    assert moves.sentence(found) == (
        f"questions in another split than in the last run: {len(found) - 2}; new: 1; gone: 1"
    )


def test_another_data_set_moves_nothing(tmp_path):
    first, second = (build([raw(n) for n in numbers]).questions for numbers in (range(5), range(10, 15)))
    moves.remember(first, tmp_path / "splits.csv")
    moved = moves.since(tmp_path / "splits.csv", second)
    assert moved.empty
    assert moves.sentence(moved) == ""
