"""The vote of the terms found in a question."""

import pandas as pd
import pytest

from neuro2cardio.annotation.labels import OTHERS
from neuro2cardio.annotation.terms import TermVotes
from neuro2cardio.terms.backends import LexiconBackend
from neuro2cardio.terms.lexicon import dictionary

C, N, P = "Cardiology", "Neurology", "Pediatrics"
WAYS = ["mentions", "distinct", "broad", "options", "asked"]


@pytest.fixture
def annotator(tmp_path):
    path = tmp_path / "lexicon.json"
    path.write_text('{"angina": ["Cardiology"], "migraine": ["Neurology"], "stroke": ["Neurology", "Cardiology"]}')
    return TermVotes(LexiconBackend(dictionary(path, max_specialties=3).terms, {}))


def votes(annotator, stem, *options):
    table = annotator.annotate(pd.DataFrame({"question_id": ["q"], "stem": [stem], "options": [list(options)]}))
    assert table["prompt"].tolist() == WAYS
    return table.set_index("prompt")


def test_each_way_of_reading_the_terms(annotator):
    table = votes(annotator, "Angina, angina and angina. Which drug for migraine or migraine?", "one for migraine")
    assert table["label"].to_dict() == {"mentions": C, "distinct": "", "broad": C, "options": "", "asked": N}
    assert table.loc["distinct", "problem"] == f"tie: {C}, {N}"


def test_a_terms_weight_is_shared_by_its_specialties(annotator):
    table = votes(annotator, "A stroke and a migraine.", "yes")
    assert table.loc["mentions", "label"] == N
    assert dict(zip(*table.loc["mentions", ["labels", "probabilities"]], strict=True)) == {N: 0.75, C: 0.25}


def test_a_question_without_terms_has_no_label(annotator):
    table = votes(annotator, "What is two and two?", "four")
    assert (table["label"] == "").all()
    assert (table["problem"] == "no terms").all()
    assert OTHERS not in set(table["label"])
