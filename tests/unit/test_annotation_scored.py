"""A model's scores of candidates: equal to the naive forward pass, whatever the architecture, and never parsed."""

import numpy as np
import pandas as pd
import pytest
import tiny_models

from neuro2cardio.annotation.annotators import in_parts
from neuro2cardio.annotation.labels import OTHERS
from neuro2cardio.annotation.scored import ANSWER, ScoredCandidates
from neuro2cardio.config.inference import Prompt
from neuro2cardio.core.errors import InputError
from neuro2cardio.models import logprobs, registry
from neuro2cardio.models.prompting import Prompter, Question

MODELS = [("llama", "byte-level", tiny_models.CHAT), ("gpt2", "metaspace", None), ("gemma2", "wordpiece", None)]
CANDIDATES = ("Cardiology", "Neurology", "Pediatrics", "Pediatric surgery")
WAYS = ("plain", "list-last")
TEXTS = {way: f"{way}: $stem\n$options\nOne of $specialties?" for way in WAYS}


def annotator(tiny_model, kind=MODELS[0], prior=True, window=400):
    model = registry.load(tiny_model(*kind), "float32", threads=1)
    return ScoredCandidates(model, Prompter(model.tokenizer, Prompt(), window), TEXTS, CANDIDATES, prior)


def questions(*stems: str) -> pd.DataFrame:
    rows = [(f"q{i}", stem, ["angina (new)", "ataxia"]) for i, stem in enumerate(stems)]
    return pd.DataFrame(rows, columns=["question_id", "stem", "options"])


ASKED = questions(
    "A man has chest pain.", "A woman of 54 has had ataxia and seizure; which of the following?", "Oxygen"
)


def naive(annotator, message: str) -> np.ndarray:
    """Sum of log-probabilities of each whole answer, one sequence at a time."""
    scores = []
    for name in (*CANDIDATES, OTHERS):
        tokens = annotator.prompter.pose(Question("q", message, (), 0), "cloze", ANSWER.format(label=name))
        reads = tuple(logprobs.Readout(i, (tokens.ids[i],)) for i in range(tokens.answer, len(tokens.ids)))
        scores.append(sum(float(v[0]) for v in logprobs.read_naive(annotator.model, logprobs.Query(tokens.ids, reads))))
    return np.array(scores)


def message(way: str, stem: str, options: str) -> str:
    return f"{way}: {stem}\n{options}\nOne of {', '.join((*CANDIDATES, OTHERS))}?"


@pytest.mark.parametrize(("kind", "prior"), [(MODELS[0], False), *((kind, True) for kind in MODELS)])
def test_probabilities_are_those_of_the_naive_pass(tiny_model, kind, prior):
    made = annotator(tiny_model, kind, prior)
    answers = made.annotate(ASKED).set_index(["question_id", "prompt"])
    for question in ASKED.itertuples():
        for way in WAYS:
            scores = naive(made, message(way, question.stem, "- angina (new)\n- ataxia"))
            if prior:
                scores = scores - naive(made, message(way, "N/A", "- N/A"))
            expected = np.exp(scores) / np.exp(scores).sum()
            found = answers.loc[(question.question_id, way)]
            np.testing.assert_allclose(found["probabilities"], expected, atol=1e-4)
            assert found["label"] == (*CANDIDATES, OTHERS)[int(np.argmax(expected))]


def test_answers_stand_in_the_order_of_the_questions(tiny_model):
    answers = annotator(tiny_model).annotate(ASKED)
    assert answers["question_id"].tolist() == [i for i in ASKED["question_id"] for _ in WAYS]
    assert answers["prompt"].tolist() == list(WAYS) * 3
    assert (answers["problem"] == "").all()


def test_a_stem_longer_than_the_window_loses_its_start_and_not_the_instruction(tiny_model):
    made = annotator(tiny_model, window=250)
    long = questions("Oxygen and aspirin were given. " * 30 + "Which of the following is most likely?")
    queries = made._queries(TEXTS["plain"], long["stem"][0], long["options"][0], "q0")
    assert max(len(query.ids) for query in queries) <= 250
    text = made.prompter.tokenizer.decode(queries[0].ids)
    assert "plain:" in text
    assert "most likely?" in text
    assert made.annotate(long)["label"].isin((*CANDIDATES, OTHERS)).all()


def test_a_prompt_longer_than_the_window_is_an_error(tiny_model):
    with pytest.raises(InputError, match="longer than the model's window of 50 tokens"):
        annotator(tiny_model, window=50).annotate(ASKED)


def test_a_killed_job_goes_on_from_its_parts_and_gives_the_same(tiny_model, tmp_path):
    made = annotator(tiny_model)
    undisturbed = made.annotate(ASKED)

    class Dies:
        """Scores two questions, and is killed."""

        def __init__(self):
            self.left = 2

        def annotate(self, part):
            self.left -= len(part)
            if self.left < 0:
                raise KeyboardInterrupt
            return made.annotate(part)

    with pytest.raises(KeyboardInterrupt):
        in_parts(Dies(), ASKED, tmp_path, "model 1", size=1)
    assert len(list(tmp_path.iterdir())) == 2
    resumed = Dies()
    resumed.left = 1
    found = in_parts(resumed, ASKED, tmp_path, "model 1", size=1)
    pd.testing.assert_frame_equal(found, undisturbed, check_dtype=False)
    with pytest.raises(KeyboardInterrupt):
        in_parts(Dies(), ASKED, tmp_path, "model 2", size=1)
