"""Every column of every table that the page may show is defined, of those too that few runs have."""

import pandas as pd
import pytest
import test_annotation_votes
import test_plan
import test_probes

from neuro2cardio.analysis import base_prompts, dose, probes
from neuro2cardio.annotation import agreement, conformal, release, verification, votes
from neuro2cardio.config.annotation import Conformal
from neuro2cardio.operations import cost
from neuro2cardio.questions import leakage, moves, question_table, train_sets
from neuro2cardio.report import collect, columns

REJECTED = list(question_table.REJECTED)
C, N = "Cardiology", "Neurology"


@pytest.fixture(scope="module")
def annotation() -> dict[str, pd.DataFrame]:
    """The tables of `results/<experiment>/annotation`, by path, made as its rules make them."""
    answers = test_annotation_votes.answers(*[[C] * 5, [N, N, N, C, ""]] * 20)
    counted = votes.tally(answers, 3, [C, N])
    ids = counted["question_id"].tolist()
    truth = {name: [[C], [N]][i % 2] for i, name in enumerate(ids)}
    ballots = pd.DataFrame(counted["votes"].tolist(), index=ids)
    agreed = agreement.table(ballots.rename(columns=str), draws=20)
    return {
        "rejected": pd.DataFrame(columns=REJECTED),
        "status": votes.status_counts(counted),
        "problems": votes.problems(answers),
        "agreement": agreed,
        "verification/agreement": agreed,
        "verification/trail": pd.DataFrame(columns=verification.TRAIL.names),
        "quorum": votes.by_quorum(counted, truth, range(1, 6), names=[C, N]),
        "confusion": votes.confusion(counted, truth, [C, N]),
        "conformal": conformal.label_sets(counted, truth, Conformal(), [C, N])[1],
        "release/dropped": pd.DataFrame(columns=list(release.DROPPED)),
        "release/doubles": pd.DataFrame(columns=REJECTED),
        "release/leakage": pd.DataFrame(columns=list(leakage.COLUMNS)),
    }


@pytest.fixture(scope="module")
def others() -> dict[str, pd.DataFrame]:
    """Tables of plans, costs, doses, probes, wordings and questions."""
    planned = test_plan.planned(test_plan.config())
    ran = {"rule": ["finetune"], "model": ["eight-billion"], "measured_jobs": [2], "measured_hours": [2.0]}
    slurm = pd.DataFrame({"rule": ["finetune"], "model": ["eight-billion"], "slurm_jobs": [3], "slurm_hours": [2.5]})
    asked = test_probes.asked(10)
    blocks = test_probes.planted(test_probes.np.random.default_rng(0), asked)
    shared = {name: pd.DataFrame({"question_id": ["a", "b"]}) for name in ("cardiology", "neurology")}
    return {
        "plan": planned,
        "cost": cost.compare(planned, pd.DataFrame(ran).assign(max_rss_gb=1.0), slurm),
        "dose": pd.DataFrame(columns=list(dose.COLUMNS)),
        "probes": pd.DataFrame(columns=list(probes.COLUMNS)),
        "probe_facts": probes.by_fact(blocks, test_probes.AXES, asked),
        "base_prompts": pd.DataFrame(columns=list(base_prompts.COLUMNS)),
        "moved": pd.DataFrame(columns=moves.COLUMNS),
        "leakage": pd.DataFrame(columns=list(leakage.COLUMNS)),
        "similar": pd.DataFrame(columns=list(leakage.SIMILAR)),
        "overlap": train_sets.overlap(shared),
    }


def undefined(tables: dict[str, pd.DataFrame]) -> dict[str, set[str]]:
    """The columns without a definition, by table."""
    found = {}
    for path, table in tables.items():
        name = path.rpartition("/")[2]
        assert name in columns.CAPTIONS, f"{name} has no caption"
        found[path] = set(table.columns) - set(columns.described(name, table.columns))
    return {path: missing for path, missing in found.items() if missing}


def test_columns_of_the_annotation_are_defined(annotation):
    assert undefined(annotation) == {}


def test_columns_of_plan_cost_dose_probes_and_data_are_defined(others):
    assert undefined(others) == {}


def test_every_table_of_the_page_has_a_caption():
    shown = (*collect.RESULT_TABLES, *collect.QUESTION_TABLES, *collect.PLAN_TABLES)
    assert [name for name in shown if name not in columns.CAPTIONS] == []


def test_no_definition_is_of_a_table_that_the_page_does_not_show(annotation):
    shown = {*collect.RESULT_TABLES, *collect.QUESTION_TABLES, *collect.PLAN_TABLES}
    shown |= {path.rpartition("/")[2] for path in annotation}
    assert set(columns.CAPTIONS) - shown == set()
