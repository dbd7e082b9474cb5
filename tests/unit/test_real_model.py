"""The demo's real model, out of its wheel: converted as it should be, scored the fast way as the naive one."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from neuro2cardio.config import settings
from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.terms import TermReading
from neuro2cardio.models import fetching, model_files, prompting, registry, scoring
from neuro2cardio.models.term_logprobs import MentionOffsets

CHECKOUT = Path(__file__).parents[2]
GOLDEN = CHECKOUT / "tests" / "golden" / "smollm2_tokens.json"
QUESTION = prompting.Question(
    "q1",
    "A 61-year-old woman has crushing chest pain (2 hours) and ST elevation. Which drug prolongs survival most?",
    ("Metoprolol", "Nifedipine", "Digoxin", "Lidocaine"),
    0,
)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The demo's model, from the checkout's resources where it was fetched before."""
    record = CHECKOUT / "resources/models/smollm2-135m" / model_files.RECORD
    if not record.exists():
        record = tmp_path_factory.mktemp("smollm2") / model_files.RECORD
        demo = settings.load(yaml.safe_load((CHECKOUT / "demo.yaml").read_text()))
        fetching.fetch(demo.models["smollm2-135m"], record.parent)
    return registry.location(record)


def test_the_converted_tokenizer_gives_the_golden_tokens(folder):
    prompter = prompting.Prompter(registry.load_tokenizer(folder), Prompt(), 2048)
    golden = json.loads(GOLDEN.read_text())
    for form in ("cloze", "letter", "generate"):
        tokens = prompter.training(QUESTION, form)
        assert list(tokens.ids[: tokens.end]) == golden[form]["ids"]
        assert tokens.answer == golden[form]["answer"]


def test_fast_equals_naive_on_the_real_model(folder):
    model = registry.load(folder, "float32")
    at = QUESTION.stem.index("chest pain")
    mentions = [MentionOffsets("m1", at, at + 10)]
    scorer = scoring.Scorer(
        model,
        prompting.Prompter(model.tokenizer, Prompt(), 2048),
        Inference(methods=["cloze", "letter", "generate"], permutations=4, max_new_tokens=3),
        TermReading(contexts=["prompt", "bare"]),
    )
    fast = scorer.score([QUESTION], {"q1": mentions})
    answers, terms = scorer.score_naive(QUESTION, mentions)
    for got, row in zip(fast.predictions.itertuples(), answers, strict=True):
        np.testing.assert_allclose(got.option_logprobs, row["option_logprobs"], atol=2e-4)
        assert got.chosen == row["chosen"]
    expected = [row["logprob_sum"] for row in terms]
    np.testing.assert_allclose(fast.term_logprobs["logprob_sum"], expected, atol=2e-4)
