"""Facts asked another way: which are drawn, how they are asked, and what is read from the answers."""

import numpy as np
import pandas as pd
import pytest

from neuro2cardio.analysis import figures, probes as analysis, transfer, verdict
from neuro2cardio.config import settings
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.core import ontologies, specialties, tables
from neuro2cardio.core.adapters import Adapter, Axes
from neuro2cardio.core.errors import InputError
from neuro2cardio.questions import probes, train_sets
from neuro2cardio.questions.sources import hpo

GRID = ["Cardiology", "Neurology"]
PER_BRANCH = 24
SETUP = Statistics()


@pytest.fixture
def obo(tmp_path, monkeypatch):
    """Two branches of made-up findings, each with a definition and another name."""
    stanzas = ["format-version: 1.2\ndata-version: made/up/2020-02-02", "[Term]\nid: X:0\nname: Everything"]
    for branch in (1, 2):
        stanzas.append(f"[Term]\nid: X:{branch}\nname: Branch {branch}\nis_a: X:0")
        for i in range(PER_BRANCH):
            key = f"X:{branch}{i:02}"
            stanzas.append(
                f'[Term]\nid: {key}\nname: Blarf{key[2:]} sign\ndef: "The organ number {key[2:]} goes round." []\n'
                f'synonym: "Organ{key[2:]} rotation" EXACT []\nsynonym: "BS{key[2:]}" EXACT abbreviation []\n'
                f"is_a: X:{branch}"
            )
    path = tmp_path / "made-up.obo"
    path.write_text("\n\n".join(stanzas) + "\n", encoding="utf-8")
    (tmp_path / "hpo_branch_to_specialty.tsv").write_text(
        "hpo_id\tspecialties\nX:1\tCardiology\nX:2\tNeurology\n", encoding="utf-8"
    )
    monkeypatch.setattr(ontologies, "MAPPINGS", tmp_path)
    return path


def questions_of(obo, train=0.6):
    """The question table of the ontology, the first 60% of each specialty for training."""
    rows = []
    for i, raw in enumerate(hpo.rows(obo, "all")):
        split = "train" if i % PER_BRANCH < train * PER_BRANCH else "test"
        answer = raw.options.index(raw.answer)
        held = list(raw.specialties)
        rows.append(
            [f"q{i:03}", split, "hpo", raw.row, raw.stem, list(raw.options), answer, raw.specialties[0], held, []]
        )
    return pd.DataFrame(rows, columns=tables.QUESTIONS.names)


def drawn(obo, n=5, dose=None):
    questions = questions_of(obo)
    sets = train_sets.build(questions, GRID, [], "matched")
    return questions, sets, probes.draw(questions, sets, GRID, n, dose, obo)


def test_as_many_facts_are_trained_on_as_not_and_each_is_asked_in_every_form(obo):
    questions, sets, made = drawn(obo)
    assert made.groupby(["specialty", "trained"])["fact"].nunique().tolist() == [5] * 4
    assert (made.groupby("fact")["form"].apply(list).map(tuple) == hpo.FORMS).all()
    assert made["question_id"].is_unique
    assert set(made["split"]) == {"probe"}
    split = questions.set_index("source_row")["split"]
    for row in made.itertuples():
        in_set = row.fact in set(sets[specialties.slug(row.specialty)]["source_row"])
        assert in_set == row.trained
        assert split[row.fact] == ("train" if row.trained else "test")


def test_forms_ask_for_the_definition_for_a_synonym_and_among_other_terms(obo):
    questions, _, made = drawn(obo)
    usual = questions.set_index("source_row")
    for row in made.itertuples():
        answer, asked = row.options[row.answer], usual.loc[row.fact]
        name = asked["options"][asked["answer"]]
        if row.form == hpo.REVERSED:
            assert name in row.stem and answer.startswith("The organ number")
            assert not any(name in option for option in row.options)
        elif row.form == hpo.SYNONYM:
            assert answer.startswith("Organ") and row.stem == asked["stem"]
            assert set(row.options) - {answer} == set(asked["options"]) - {name}
        else:
            assert answer == name and row.stem == asked["stem"]
            assert not (set(row.options) & set(asked["options"])) - {name}


def test_the_draw_does_not_depend_on_order_and_keeps_to_the_smallest_dose(obo):
    questions, sets, made = drawn(obo)
    again = probes.draw(questions.iloc[::-1], sets, GRID, 5, None, obo)
    pd.testing.assert_frame_equal(made, again)
    _, sets, few = drawn(obo, dose=4)
    trained = set(few.loc[few["trained"], "fact"])
    assert trained <= {fact for frame in sets.values() for fact in frame["source_row"].head(4)}
    assert few.groupby(["specialty", "trained"])["fact"].nunique().tolist() == [4] * 4


def test_a_specialty_without_facts_is_named(obo):
    questions, sets, _ = drawn(obo)
    none = questions[(questions["split"] != "test") | (questions["specialty"] != "Neurology")]
    with pytest.raises(InputError, match=r"dataset.probes: Neurology has no fact that can be asked another way"):
        probes.draw(none, sets, GRID, 5, None, obo)


def test_questions_that_are_not_of_an_ontology_have_no_probes():
    config = {
        "experiment": "x",
        "grid": {"models": ["m"], "recipes": ["r"]},
        "dataset": {"origin": {"source": "s-medqa"}, "probes": 20},
        "models": {"m": {"source": "pypi"}},
        "recipes": {"r": {"loss": "completion"}},
    }
    with pytest.raises(InputError, match=r"probes: 20 asks facts of an ontology another way, which needs"):
        settings.load(config)


NAMES = ["Cardiology", "Neurology", "Dermatology"]
AXES = Axes(model=["m"], recipe=["r"], train_set=[n.lower() for n in NAMES], seed=[1])


def asked(facts=30):
    rows = [
        {"fact": f"{name}-{trained}-{i}", "form": form, "specialty": name, "specialties": [name], "trained": trained}
        for name in NAMES
        for trained in (True, False)
        for i in range(facts)
        for form in hpo.FORMS
    ]
    frame = pd.DataFrame(rows)
    frame["question_id"] = frame["fact"] + frame["form"]
    frame["options"] = [list("wxyz")] * len(frame)
    return frame.assign(answer=0, stem="s", split="probe")


def planted(rng, frame, own=0.0, learned=0.0, easy=0.0):
    """Answers with a better own adapter, facts that it learned, and trained facts that are easier for all."""
    luck = np.repeat(rng.normal(0, 0.15, len(frame) // 3), 3)
    chance = 0.4 + luck + easy * frame["trained"].to_numpy()
    marks = {Adapter.base("m"): (rng.random((1, len(frame))) < chance).astype(float)}
    for name in NAMES:
        mine = (frame["specialty"] == name).to_numpy()
        right = chance + 0.1 + own * mine + learned * (mine & frame["trained"].to_numpy())
        marks[Adapter("m", "r", name.lower(), 1)] = (rng.random((1, len(frame))) < right).astype(float)
    return transfer.scores(marks, AXES, ["cloze"])


def pooled(blocks, frame):
    table = analysis.table(blocks, AXES, frame, SETUP)
    rows = table[(table["form"] == "all") & (table["specialty"] == "all")]
    return table, rows.set_index(["facts", "adapter"])


def test_learned_facts_are_found_where_they_were_planted():
    frame = asked()
    table, rows = pooled(planted(np.random.default_rng(1), frame, learned=0.3), frame)
    injection = rows.loc[(analysis.INJECTION, analysis.BEYOND)]
    assert injection["low"] > 0.1 and injection["high"] > 0.3 > injection["low"]
    assert injection["n_facts"] == 90 and injection["n_questions"] == 540
    assert rows.loc[(analysis.UNTRAINED, analysis.BEYOND), "low"] < 0 < rows.loc[(analysis.TRAINED, "own"), "low"]
    assert set(table["form"]) == {"all", *hpo.FORMS} and set(table["specialty"]) == {"all", *NAMES}


@pytest.mark.parametrize("world", [{}, {"own": 0.2}, {"easy": 0.2}, {"own": 0.1, "easy": 0.1}])
def test_a_better_adapter_or_easier_facts_are_not_learned_facts(world):
    frame = asked(12)
    rng = np.random.default_rng(2)
    found = [
        pooled(planted(rng, frame, **world), frame)[1].loc[(analysis.INJECTION, analysis.BEYOND)] for _ in range(40)
    ]
    assert np.mean([row["p"] < 0.05 for row in found]) <= 0.15, "5%, and three Monte Carlo errors"
    assert all((row["low"] > 0 or row["high"] < 0) == (row["p"] < 0.05) for row in found)


def test_the_difference_of_two_groups_has_its_size_and_no_estimate_for_few_facts():
    rng = np.random.default_rng(3)
    draws = [analysis.difference(rng.normal(0, 0.3, 40), rng.normal(0, 0.5, 20)) for _ in range(2000)]
    assert np.mean([e.p < 0.05 for e in draws]) <= 0.062
    low, high = np.transpose([e.interval(0.95) for e in draws])
    assert np.mean((low < 0) & (high > 0)) >= 0.935
    assert np.isnan(analysis.difference(np.ones(9), np.zeros(30)).p)
    assert analysis.difference(np.full(10, 0.2), np.zeros(10)).p > 0.05, "few equal facts are not certain"


def test_every_probe_has_its_row_fact_by_fact():
    frame = asked(10)
    blocks = planted(np.random.default_rng(4), frame, learned=0.3)
    rows = analysis.by_fact(blocks, AXES, frame)
    assert rows["fact"].tolist() == frame["fact"].tolist()
    own = rows.loc[rows["trained"], "own"].mean()
    _, table = pooled(blocks, frame)
    assert own == pytest.approx(table.loc[(analysis.TRAINED, "own"), "accuracy"])
    assert (rows["answer"] == "w").all()


def test_the_verdict_names_both_groups_with_their_intervals():
    frame = asked()
    table, _ = pooled(planted(np.random.default_rng(1), frame, learned=0.3), frame)
    key = {"model": "m", "recipe": "r", "method": "cloze"}
    (said,) = verdict._probes(key, table, Statistics(), 0)
    assert said["id"] == "probes" and said["answer"] == "facts learned" and said["table"] == "probes.csv"
    assert said["sentence"].startswith("Probes: 90 facts trained on, asked another way: own adapter +")
    assert "90 facts of the same specialties never trained on" in said["sentence"]
    assert "By form: reversed +" in said["sentence"]
    assert said["low"] > 0 and said["row"]["facts"] == analysis.INJECTION
    assert verdict._probes(key, table, Statistics(), 1)[0]["answer"] == "undecided", "a broken adapter"
    doubtful = table.assign(p_holm=0.07)
    answers = [verdict._probes(key, doubtful, Statistics(confidence=c), 0)[0]["answer"] for c in (0.9, 0.95)]
    assert answers == ["facts learned", "undecided"]
    assert verdict._probes(key, table[table["facts"] != analysis.INJECTION], Statistics(), 0) == []


def test_the_figure_of_probes_is_drawn():
    frame = asked()
    table, _ = pooled(planted(np.random.default_rng(1), frame, learned=0.3), frame)
    key = {"model": "m", "recipe": "r"}
    figure = figures.draw("probes-cloze", {"probes": table}, {}, AXES, key, "strict", "RdBu_r")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[0] == "All" and set(NAMES) <= set(labels)
