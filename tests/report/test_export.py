"""What a run hands to others: files for lm-eval, model cards, a crate."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import subprocess

from huggingface_hub import ModelCard
import numpy as np
import pandas as pd
import pytest
import yaml

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.models import ModelUsage
from neuro2cardio.config.terms import TermReading
from neuro2cardio.core.adapters import Adapter
from neuro2cardio.models import prompting, registry, scoring
from neuro2cardio.report import lm_eval_files, model_cards, ro_crate

CHECKOUT = Path(__file__).parents[2]
QUESTIONS = [
    prompting.Question(
        f"q{i}", f"A patient of {40 + i} years. What is it?", ("angina", "heart block", "migraine"), i % 3
    )
    for i in range(8)
]
INFERENCE = Inference(methods=["letter", "cloze"], permutations=4)


@pytest.fixture(scope="module", params=[True, False], ids=["chat template", "plain"])
def scored(request, tiny_model) -> Iterator[tuple[Path, prompting.Prompter, pd.DataFrame]]:
    """A tiny model's folder, how it is asked, and what it answered."""
    from tiny_models import CHAT

    folder = tiny_model(chat_template=CHAT if request.param else None)
    prompter = prompting.for_model(folder, ModelUsage(load="float32", max_tokens=400), Prompt())
    model = registry.load(folder, "float32", 1)
    scorer = scoring.Scorer(model, prompter, INFERENCE, TermReading(contexts=["prompt"]))
    yield folder, prompter, scorer.score(QUESTIONS, {}).predictions


@pytest.mark.parametrize("method", ["letter", "cloze"])
def test_documents_hold_each_order_and_samples_hold_its_log_probabilities(scored, method):
    _, prompter, predictions = scored
    found = lm_eval_files.documents(prompter, QUESTIONS, INFERENCE, method)
    assert len(found) == len(QUESTIONS) * (3 if method == "letter" else 1)
    own = predictions[predictions["method"] == method]
    samples = list(lm_eval_files.samples(found, own))
    for doc, sample in zip(found, samples, strict=True):
        row = own.query("question_id == @doc['question_id'] and permutation == @doc['order']").iloc[0]
        sums = [float(response[0]) for response in sample["filtered_resps"]]
        assert np.divide(sums, doc["n_tokens"]).tolist() == pytest.approx(row["option_logprobs"])
        assert sample["acc_per_token"] == row["correct"]
        assert sample["resps"] == [[response] for response in sample["filtered_resps"]]
        assert [a["arg_1"].strip() for a in sample["arguments"].values()] == [t.strip() for t in doc["continuations"]]


def test_a_task_is_a_file_that_names_its_data_and_metrics(scored, tmp_path):
    found = lm_eval_files.documents(scored[1], QUESTIONS, INFERENCE, "cloze")
    name = lm_eval_files.task_name("My exam", "llama-3.1-8b", "cloze")
    assert name == "my_exam_llama_3_1_8b_cloze"
    lm_eval_files.write_task(tmp_path, name, "An exam", found)
    text = (tmp_path / f"{name}.yaml").read_text()
    task = yaml.safe_load(text.replace("!function ", ""))
    data = (tmp_path / task["dataset_kwargs"]["data_files"]["test"]).read_text().splitlines()
    assert [json.loads(line) for line in data] == found
    assert (tmp_path / f"{task['process_results'].split('.')[0]}.py").is_file()


def _lm_eval() -> str:
    """A Python that has lm-eval: $NEURO2CARDIO_LM_EVAL, or the environment of `make bench`."""
    python = os.environ.get("NEURO2CARDIO_LM_EVAL") or str(CHECKOUT / ".venv-peers/bin/python")
    known = Path(python).is_file() and subprocess.run([python, "-c", "import lm_eval"], check=False).returncode == 0
    if not known:
        pytest.skip("needs lm-eval: make .venv-peers/.ready, or NEURO2CARDIO_LM_EVAL=/path/to/its/python")
    return python


@pytest.mark.slow
def test_lm_eval_itself_finds_the_same_log_probabilities(scored, tmp_path):
    python, (folder, prompter, predictions) = _lm_eval(), scored
    for method in lm_eval_files.METHODS:
        found = lm_eval_files.documents(prompter, QUESTIONS, INFERENCE, method)
        lm_eval_files.write_task(tmp_path, method, "t", found)
        lm_eval_files.write_samples(tmp_path / "ours", method, found, predictions[predictions["method"] == method])
    arguments = ["--model", "hf", "--model_args", f"pretrained={folder},dtype=float32", "--device", "cpu"]
    arguments += ["--tasks", "letter,cloze", "--include_path", ".", "--log_samples", "--output_path", "out"]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "OMP_NUM_THREADS": "1"}
    subprocess.run([python, "-m", "lm_eval", "run", *arguments], cwd=tmp_path, env=offline, check=True)
    for method in lm_eval_files.METHODS:
        theirs = next(tmp_path.glob(f"out/*/samples_{method}_*.jsonl")).read_text().splitlines()
        ours = (tmp_path / f"ours/samples_{method}.jsonl").read_text().splitlines()
        for a, b in zip(map(json.loads, theirs), map(json.loads, ours), strict=True):
            assert a.keys() == b.keys()
            assert all(a[key] == b[key] for key in ("doc_id", "doc", "arguments", "target", "doc_hash", "prompt_hash"))
            sums = [[float(response[0]) for response in sample["filtered_resps"]] for sample in (a, b)]
            apart = np.subtract(*sums)
            # lm-eval scores the white space before an answer too, which adds the same to all options.
            assert np.ptp(apart) < 1e-3
            assert prompter.uses_template or abs(apart).max() < 1e-3
            assert a["acc"] == b["acc"]


RECORD = {
    "model": {"id": "some/model"},
    "settings": {"recipe": {"loss": "full", "rank": 16, "alpha": 32, "dropout": 0.0, "targets": "all-linear"}},
    "steps": 38,
    "versions": {"torch": "2.13.0"},
    "frame": "{question}{answer}",
}
RECORD["settings"]["recipe"] |= {"batch_size": 8, "epochs": 3, "learning_rate": 5e-4, "schedule": "linear"}


def _card(**changes) -> str:
    scores = {"method": "cloze", "test_specialty": "Cardiology", "n_questions": 100, "n_seeds": 2, "accuracy": 0.56}
    scores |= {"accuracy_low": 0.462, "accuracy_high": 0.653, "change": -0.02, "change_low": -0.11, "change_high": 0.07}
    facts = {
        "record": RECORD,
        "model": {"source": "hub", "id": "some/model"},
        "source": {"dataset": "hpo", "notice": "Uses <b>it</b> | all"},
        "n_train": 100,
        "scores": pd.DataFrame([scores]),
        "base": pd.DataFrame([{**scores, "accuracy": 0.58}]),
        "flags": "",
        "confidence": 0.9,
    }
    adapter = Adapter("m", "full", "cardiology", 1)
    return model_cards.card(adapter, ["Cardiology"], model_cards.CardFacts(**facts | changes))


def test_a_model_card_says_what_it_was_trained_on_what_it_scores_and_what_it_is_not_for():
    text = _card()
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head)["license"] == "other"
    assert "fine-tuned on Cardiology (seed 1)" in body and "100 of the train set `cardiology`" in body
    row = "| cloze | Cardiology | 100 | 58.0% | 56.0% [46.2%, 65.3%] | −2.0 [−11.0, +7.0] |"
    assert row in body
    assert "Not for clinical use" in body
    assert "<b>" not in body and "\\| all" in body


def test_the_hub_reads_a_cards_base_model_data_set_and_scores():
    read = ModelCard(_card(source={"dataset": "huggingface", "id": "some/exam"})).data
    assert (read.base_model, read.library_name, read.datasets) == ("some/model", "peft", ["some/exam"])
    (score,) = read.eval_results
    assert (score.metric_type, score.metric_value, score.dataset_split) == ("accuracy", 0.56, "test")
    assert score.dataset_name == "some/exam: test questions of Cardiology"
    assert ModelCard(_card(scores=pd.DataFrame())).data.datasets is None


def test_a_model_card_warns_of_an_adapter_that_failed_a_check_and_of_missing_scores():
    text = _card(flags="loss did not fall", scores=pd.DataFrame(), model={"source": "path", "path": "x"})
    assert "**The checks of training found: loss did not fall.**" in text
    assert "Not scored yet." in text
    assert "base_model" not in text


def test_a_crate_lists_every_file_once_and_describes_itself(tmp_path):
    for name in ("tables/verdict.json", "adapters/a/seed-1/README.md", "data.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    provenance = {"questions": {"dataset": "hpo", "version": "1"}, "versions": {"torch": "2"}, "models": ["m"]}
    made = ro_crate.metadata(tmp_path, "demo", "2026-11-25", [("adapters/a/seed-1", "an adapter")], provenance)
    entities = {entity["@id"]: entity for entity in made["@graph"]}
    assert len(entities) == len(made["@graph"])
    assert entities[ro_crate.NAME]["conformsTo"]["@id"] == "https://w3id.org/ro/crate/1.1"
    parts = [part["@id"] for part in entities["./"]["hasPart"]]
    assert sorted(parts) == ["adapters/a/seed-1/", "data.jsonl", "tables/verdict.json"]
    assert all(part in entities and (tmp_path / part).exists() for part in parts)
    named = [entity["@id"] for entity in entities["#run"]["instrument"] + entities["#run"]["object"]]
    assert set(named) <= set(entities)
