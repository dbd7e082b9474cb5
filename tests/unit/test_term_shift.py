import numpy as np
import pandas as pd
import planted
import pytest

from neuro2cardio.analysis import term_shift
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.core import adapters, specialties, tables
from neuro2cardio.core.errors import InputError
from neuro2cardio.questions.test_set import TestSet

NAMES = ["cardiology", "neurology", "rheumatology"]
SETUP = Statistics()
GROUPLESS = ["terms", "placebo", "terms_minus_placebo", "terms_minus_placebo_of_equal_tokens"]
GROUPLESS += ["terms_minus_placebo_at_equal_base"]
"""What a train set without a specialty has."""


def own(train_set, held):
    return train_set in [specialties.slug(name) for name in held]


def run(folder, axes, asked, found, contexts=("prompt",), scopes=tables.SCOPES, statistics=SETUP):
    """All tables of the analysis: shifts, grid, balance."""
    test_set = TestSet.of(asked, axes.specialties)
    blocks, balance = [], []

    def read(adapter):
        return adapters.read(folder, adapter, tables.TERM_LOGPROBS)

    for model in axes.model:
        base = read(adapters.Adapter.base(model))
        designs = [
            term_shift.design(base, found, test_set, axes.specialties, context, scope)
            for context in contexts
            for scope in scopes
        ]
        balance += [design.balance for design in designs]
        for recipe in axes.recipe:
            blocks += term_shift.shifts(model, recipe, designs, read, axes)
    return (
        term_shift.table(blocks, axes, statistics),
        term_shift.grid_table(blocks, axes, statistics),
        pd.DataFrame(balance),
    )


def pooled(table, train_set="all", scope="strict", measure="mean"):
    rows = table[(table["train_set"] == train_set) & (table["seed"] == "all")]
    return rows[(rows["scope"] == scope) & (rows["measure"] == measure)].set_index("group")


@pytest.fixture
def small():
    axes = planted.axes_of([*NAMES, "mixed"])
    asked = planted.questions(axes, each=60)
    return axes, asked, planted.mentions(axes, asked)


def test_planted_shifts_are_recovered(tmp_path, small):
    axes, asked, found = small

    def effect(train_set, held, kind):
        return 0.1 if kind == "placebo" else 0.3 + 0.2 * own(train_set, held)

    planted.term_logprobs(tmp_path, axes, found, effect, cut=0.05)
    table, by_specialty, _ = run(tmp_path, axes, asked, found)
    truth = {"own": 0.5, "other": 0.3, "placebo": 0.1, "own_minus_other": 0.2, "own_adapter_minus_others": 0.2}
    rows = pooled(table)
    for group, value in truth.items():
        assert rows.loc[group, "low"] < value < rows.loc[group, "high"], group
    assert (rows.loc[["terms_minus_placebo", "own_minus_other"], "p_holm"] < 0.01).all()
    diagonal = by_specialty[by_specialty["scope"] == "strict"].pivot(
        index="train_set", columns="term_specialty", values="shift"
    )
    for name in axes.specialties:
        assert diagonal[name].idxmax() == specialties.slug(name)


def test_a_shift_of_all_words_is_neither_about_medicine_nor_about_the_specialty(tmp_path, small):
    axes, asked, found = small
    planted.term_logprobs(tmp_path, axes, found, lambda *_: 0.3)
    rows = pooled(run(tmp_path, axes, asked, found)[0])
    assert rows.loc["own", "low"] > 0.2
    contrasts = rows[rows["kind"] == "contrast"]
    assert len(contrasts) == 4 and (contrasts["shift"].abs() < 0.06).all() and (contrasts["p"] > 0.001).all()


def test_numbers_are_those_of_a_plain_loop(tmp_path, small):
    axes, asked, found = small
    planted.term_logprobs(tmp_path, axes, found, lambda t, held, kind: 0.2, cut=0.1, spread=0.1)
    table, _, _ = run(tmp_path, axes, asked, found)
    frames = {a: adapters.read(tmp_path, a, tables.TERM_LOGPROBS) for a in axes.everything()}
    base = frames[adapters.Adapter.base("small")]
    for seed in axes.seed:
        tuned = frames[adapters.Adapter("small", "completion", "neurology", seed)]
        both = base.merge(tuned, on=["context", "mention_id"]).merge(found, on="mention_id")
        both = both[(both["context"] == "prompt") & (both["n_tokens_x"] > 0) & (both["kind"] != "placebo")]
        both = both[[("Neurology" in held) for held in both["specialties"]]]
        for scope, scopes in (("strict", ["strict"]), ("broad", ["strict", "broad"])):
            held = both[both["scope"].isin(scopes)]
            expected = {
                "mean": (held["logprob_sum_y"] - held["logprob_sum_x"]) / held["n_tokens_x"],
                "sum": held["logprob_sum_y"] - held["logprob_sum_x"],
                "first": held["logprob_first_y"] - held["logprob_first_x"],
            }
            for measure, shift in expected.items():
                rows = table[(table["train_set"] == "neurology") & (table["seed"] == str(seed))]
                row = rows[(rows["scope"] == scope) & (rows["measure"] == measure) & (rows["group"] == "own")].iloc[0]
                assert row["shift"] == pytest.approx(shift.groupby(held["question_id"]).mean().mean())
                assert row["n_mentions"] == len(held) and row["n_questions"] == held["question_id"].nunique()


def test_the_order_of_an_adapters_rows_does_not_matter(tmp_path, small):
    axes, asked, found = small
    planted.term_logprobs(tmp_path, axes, found, lambda *_: 0.2)
    before = run(tmp_path, axes, asked, found)[0]
    for adapter in axes.adapters("small", "completion"):
        frame = adapters.read(tmp_path, adapter, tables.TERM_LOGPROBS)
        tables.write(frame.sample(frac=1, random_state=0), adapter.path(tmp_path), tables.TERM_LOGPROBS)
    pd.testing.assert_frame_equal(before, run(tmp_path, axes, asked, found)[0])


def test_controls_have_no_own_terms_and_seeds_are_reported_one_by_one(tmp_path, small):
    axes, asked, found = small
    planted.term_logprobs(tmp_path, axes, found, lambda *_: 0.2)
    table, _, _ = run(tmp_path, axes, asked, found)
    assert set(table.loc[table["train_set"] == "mixed", "group"]) == set(GROUPLESS)
    assert set(table["seed"]) == {"all", "1", "2"}
    assert table.loc[table["seed"] != "all", "p_holm"].isna().all()
    assert table.loc[table["seed"] == "all", "p_holm"].notna().all()


def test_the_placebo_of_the_nearest_number_of_tokens_is_taken_and_the_first_on_a_tie():
    rows = [("t", "disorder", "", 3), ("p1", "placebo", "t", 1), ("p3", "placebo", "t", 2), ("p2", "placebo", "t", 4)]
    rows += [("u", "disorder", "", 1), ("lost", "placebo", "gone", 1)]
    frame = pd.DataFrame(rows, columns=["mention_id", "kind", "matched_to", "n_tokens"])
    assert term_shift.match_placebos(frame).to_dict() == {"t": "p2"}


def test_balance_says_how_well_placebos_match_and_what_was_cut_off(tmp_path, small):
    axes, asked, found = small
    planted.term_logprobs(tmp_path, axes, found, lambda *_: 0.2, cut=0.2)
    _, _, balance = run(tmp_path, axes, asked, found)
    base = adapters.read(tmp_path, adapters.Adapter.base("small"), tables.TERM_LOGPROBS).query("context == 'prompt'")
    held = found.merge(base, on="mention_id").query("kind != 'placebo'")
    broad = balance[balance["scope"] == "broad"].iloc[0]
    assert broad["n_terms"] == (held["n_tokens"] > 0).sum()
    assert broad["n_terms_cut_off"] == (held["n_tokens"] == 0).sum() > 0
    assert 0 < broad["n_pairs"] < broad["n_terms"]
    assert broad["tokens_placebo"] == pytest.approx(broad["tokens_term"], rel=0.2)


def test_pairs_of_equal_tokens_stand_by_themselves(tmp_path, small):
    axes, asked, found = small

    def effect(train_set, held, kind):
        return 0.1 if kind == "placebo" else 0.4

    planted.term_logprobs(tmp_path, axes, found, effect)
    table, _, balance = run(tmp_path, axes, asked, found)
    row = pooled(table).loc["terms_minus_placebo_of_equal_tokens"]
    assert row["low"] < 0.3 < row["high"] and row["kind"] == "sensitivity"
    per_set = table[(table["group"] == row.name) & (table["train_set"] == "mixed") & (table["scope"] == "strict")]
    strict = balance[balance["scope"] == "strict"].iloc[0]
    equal = round(strict["n_pairs"] * strict["same_tokens_share"])
    assert (per_set["n_mentions"] == equal).all()
    assert row["n_mentions"] == equal


def test_rows_over_all_train_sets_count_every_mention_once(tmp_path, small):
    """A term of two specialties, or other terms under several train sets, are the same terms."""
    axes, asked, found = small
    planted.term_logprobs(tmp_path, axes, found, lambda *_: 0.2)
    table, _, _ = run(tmp_path, axes, asked, found)
    rows = pooled(table)
    strict = found[(found["kind"] != "placebo") & (found["scope"] == "strict")]
    of_grid = strict[[any(name in held for name in axes.specialties) for held in strict["specialties"]]]
    assert rows.loc["own", "n_mentions"] == len(of_grid)
    assert rows.loc["terms", "n_mentions"] == len(strict)
    assert rows.loc["own", "n_words"] == of_grid["text"].nunique()
    own = table[(table["group"] == "own") & (table["train_set"] != "all") & (table["seed"] == "all")]
    assert (
        rows.loc["own", "n_mentions"] <= own[own["scope"] == "strict"].drop_duplicates("train_set")["n_mentions"].sum()
    )


def test_what_has_no_interval_says_why(tmp_path):
    axes = planted.axes_of(NAMES[:2])
    asked = planted.questions(axes, each=3)
    found = planted.mentions(axes, asked)
    planted.term_logprobs(tmp_path, axes, found, lambda *_: 0.2)
    rows = pooled(run(tmp_path, axes, asked, found)[0])
    assert rows["low"].isna().all() and (rows["note"] == "too few questions or words").all()
    asked = planted.questions(axes, each=20)
    found = planted.mentions(axes, asked)
    planted.term_logprobs(tmp_path, axes, found, lambda *_: 0.2, seed=1)
    base = adapters.read(tmp_path, adapters.Adapter.base("small"), tables.TERM_LOGPROBS)
    for adapter in axes.adapters("small", "completion"):
        tables.write(base.assign(**adapter._asdict()), adapter.path(tmp_path), tables.TERM_LOGPROBS)
    rows = pooled(run(tmp_path, axes, asked, found)[0])
    assert (rows["note"] == "all equal").all() and (rows["shift"].abs() < 1e-9).all() and rows["p"].isna().all()


def test_the_first_tokens_of_words_are_read_by_word(tmp_path, small):
    axes, asked, found = small
    planted.term_logprobs(tmp_path, axes, found, lambda *_: 0.2, noise=0)
    rows = run(tmp_path, axes, asked, found)[0].query("seed == 'all' and group == 'terms'")
    np.testing.assert_allclose(rows.loc[rows["measure"].isin(["mean", "first", "starts"]), "shift"], 0.2, atol=1e-6)


def test_without_placebos_the_rest_is_still_there(tmp_path, small):
    axes, asked, found = small
    found = found[found["kind"] != "placebo"]
    planted.term_logprobs(tmp_path, axes, found, lambda *_: 0.2)
    rows = pooled(run(tmp_path, axes, asked, found)[0])
    assert rows.loc["own", "shift"] > 0.1
    assert rows.loc["placebo", "n_questions"] == 0 and np.isnan(rows.loc["placebo", "shift"])


def test_log_probabilities_of_other_mentions_are_an_error(tmp_path, small):
    axes, asked, found = small
    planted.term_logprobs(tmp_path, axes, found.iloc[1:], lambda *_: 0.2)
    with pytest.raises(InputError, match=r"small/base/base/-1, context prompt: .* not the .* of the test questions"):
        run(tmp_path, axes, asked, found)
