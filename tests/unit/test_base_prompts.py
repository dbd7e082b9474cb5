"""Several wordings for the base model: the one that is best on validation questions is scored on the test set."""

from pathlib import Path
import runpy
import sys

import numpy as np
import pandas as pd
import pytest

from neuro2cardio.analysis import base_prompts
from neuro2cardio.config import settings
from neuro2cardio.config.inference import Prompt
from neuro2cardio.core import files, tables
from neuro2cardio.core.errors import InputError
from neuro2cardio.models.model_files import ModelRecord

SCRIPT = Path(__file__).parents[2] / "workflow/scripts/best_prompt.py"
PROMPTS = [Prompt(letter="Answer."), Prompt(letter="Which letter?"), Prompt(letter="Letter, please.", system="Doctor.")]


def config(*wordings, methods=("letter",)):
    return settings.load(
        {
            "experiment": "grid",
            "grid": {"models": ["m"], "recipes": ["r"], "specialties": ["Cardiology"], "controls": []},
            "dataset": {"origin": {"source": "s-medqa"}},
            "models": {"m": {"source": "hub", "id": "an/llm"}},
            "recipes": {"r": {"loss": "completion"}},
            "prompt": {"letter": "Answer."},
            "inference": {"methods": list(methods), "base_prompts": list(wordings)},
        }
    )


def questions(n=20, split="validation"):
    rows = [
        (f"{split}{i:03d}", split, "made", str(i), f"Which word is number {i}?", ["one", "two", "three"], i % 3)
        for i in range(n)
    ]
    frame = pd.DataFrame(rows, columns=tables.QUESTIONS.names[:7])
    return frame.assign(specialty="Cardiology", specialties=[["Cardiology"]] * n, votes=[[]] * n)


def answered(asked, right, method="letter"):
    """Predictions of which so many are right."""
    chosen = [(a + (i >= right)) % 3 for i, a in enumerate(asked["answer"])]
    logprobs = [[0.0 if option == c else -1.0 for option in range(3)] for c in chosen]
    frame = pd.DataFrame({"question_id": asked["question_id"], "option_logprobs": logprobs, "chosen": chosen})
    key = {"model": "m", "recipe": "base", "train_set": "best-prompt", "seed": -1}
    return frame.assign(method=method, permutation=0, answer_mass=1.0, correct=True, **key)


def test_a_wording_that_is_not_given_is_that_of_the_grid():
    whole = config({"letter": "Which letter?"}, {"system": "Doctor."})
    assert [(p.letter, p.system) for p in whole.prompts] == [
        ("Answer.", ""),
        ("Which letter?", ""),
        ("Answer.", "Doctor."),
    ]
    assert whole.base_rows == ["best-prompt"]
    assert config().base_rows == []


@pytest.mark.parametrize(
    ("wording", "said"),
    [
        ({"letter": "Answer."}, "entry 1 reads like an earlier one or `prompt` itself, by the methods letter"),
        ({"cloze": "Go on."}, "entry 1 reads like an earlier one"),
        ({}, "names none of system, cloze, letter"),
        ({"lettr": "x"}, "did you mean 'letter'"),
    ],
)
def test_a_wording_that_changes_nothing_is_refused(wording, said):
    with pytest.raises(InputError, match=said):
        config(wording)


def test_the_best_on_validation_is_chosen_for_each_method_and_the_first_of_equals():
    asked = questions()
    tried = [
        pd.concat([answered(asked, right[0]), answered(asked, right[1], "cloze")])
        for right in ((10, 12), (14, 12), (9, 8))
    ]
    found = base_prompts.table("m", tried, PROMPTS, asked, ["letter", "cloze"])
    assert base_prompts.chosen(found) == {0: ["cloze"], 1: ["letter"]}
    assert found["accuracy"].tolist() == pytest.approx([0.5, 0.7, 0.45, 0.6, 0.6, 0.4])
    assert (found["n_questions"] == 20).all()
    assert found["words"].tolist()[:3] == ["Answer.", "Which letter?", "Letter, please."]
    assert ((found["low"] < found["accuracy"]) & (found["accuracy"] < found["high"])).all()


def test_the_test_set_is_answered_with_the_chosen_wording_alone(tiny_model, tmp_path, monkeypatch):
    model = tiny_model()
    record = tmp_path / "model.json"
    ModelRecord(record).write({"location": str(model)})
    asked = pd.concat([questions(9, "test"), questions(12)])
    tables.write(asked, tmp_path / "questions.parquet", tables.QUESTIONS)
    usage = {"load": "float32", "max_tokens": 200}
    inference = {"methods": ["letter", "cloze"], "permutations": 1}
    prompts = [p.model_dump() for p in PROMPTS]
    files.write_json(tmp_path / "s.json", {"usage": usage, "prompts": prompts, "inference": inference})

    def run(name, questions="questions.parquet"):
        given = {"--settings": "s.json", "--record": "model.json", "--questions": questions}
        given |= {"--test-questions": "questions.parquet", "--predictions": f"{name}.parquet"}
        given |= {"--choice": f"{name}.csv", "--job-cache": name}
        words = [word for key, path in given.items() for word in (key, str(tmp_path / path))]
        monkeypatch.setattr(sys, "argv", ["best_prompt.py", *words, "--model", "m", "--threads", "1"])
        script = runpy.run_path(str(SCRIPT))
        script["main"]()
        return tables.read(tmp_path / f"{name}.parquet", tables.PREDICTIONS), pd.read_csv(tmp_path / f"{name}.csv")

    found, choice = run("all")
    assert found["question_id"].drop_duplicates().tolist() == questions(9, "test")["question_id"].tolist()
    assert found["method"].tolist() == ["letter", "cloze"] * 9
    assert (found["train_set"] == "best-prompt").all()
    assert choice.groupby("method")["chosen"].sum().tolist() == [1, 1]

    # The chosen wording by itself gives the same answers.
    best = int(choice.loc[choice["chosen"] & (choice["method"] == "letter"), "prompt"].iloc[0])
    files.write_json(tmp_path / "s.json", {"usage": usage, "prompts": [prompts[best]], "inference": inference})
    alone, _ = run("one")
    letters = [list(frame.loc[frame["method"] == "letter", "option_logprobs"]) for frame in (found, alone)]
    np.testing.assert_allclose(*letters, atol=1e-5)

    tables.write(questions(9, "test"), tmp_path / "without.parquet", tables.QUESTIONS)
    with pytest.raises(InputError, match=r"validation split, which has no questions"):
        run("none", "without.parquet")
