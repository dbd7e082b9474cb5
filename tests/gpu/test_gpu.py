"""What only a GPU can show: each test is skipped, with its reason, where there is none. `make test-gpu` runs them."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.config.terms import TermReading
from neuro2cardio.models import fine_tuning, packed, placement, registry, self_check
from neuro2cardio.models.prompting import Prompter, Question
from neuro2cardio.models.scoring import Scorer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]

QUESTIONS = [
    Question(f"q{i}", f"A {20 + i}-year-old man has chest pain", ("angina", "seizure"), i % 2) for i in range(8)
]
RECIPE = Recipe(loss="completion", form="cloze", rank=2, epochs=2, batch_size=4, micro_batch_size=2, checkpoint_steps=2)


def curve(folder, checkpoints, recipe=RECIPE, how="float32", gpus=1):
    model = registry.load(folder, how, threads=1, gpus=gpus if torch.cuda.is_available() else 0)
    learned = fine_tuning.examples(Prompter(model.tokenizer, Prompt(), 400), QUESTIONS, recipe)
    return model.device.type, fine_tuning.train(model, learned, recipe, 1, checkpoints, show=False).curve


@pytest.mark.parametrize("checkpointing", [False, True])
def test_training_equals_that_of_the_cpu(tiny_model, tmp_path, monkeypatch, checkpointing):
    recipe = RECIPE.model_copy(update={"gradient_checkpointing": checkpointing})
    device, on_gpu = curve(tiny_model(), tmp_path / "gpu", recipe)
    assert device == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    device, on_cpu = curve(tiny_model(), tmp_path / "cpu", recipe)
    assert device == "cpu"
    np.testing.assert_allclose(on_gpu["loss"], on_cpu["loss"], rtol=1e-3)
    np.testing.assert_allclose(on_gpu["grad_norm"], on_cpu["grad_norm"], rtol=1e-2)


def test_a_gpu_that_is_out_of_memory_halves_the_micro_batch(tiny_model, tmp_path, monkeypatch):
    _, undisturbed = curve(tiny_model(), tmp_path / "a")
    real = fine_tuning._Trainer.compute_loss

    def too_large(self, model, inputs, *more, **named):
        if len(inputs["labels"]) > 1:
            # More than any GPU has: the device's own error.
            torch.empty(2**50, device="cuda")
        return real(self, model, inputs, *more, **named)

    monkeypatch.setattr(fine_tuning._Trainer, "compute_loss", too_large)
    _, halved = curve(tiny_model(), tmp_path / "b")
    np.testing.assert_allclose(halved["loss"], undisturbed["loss"], rtol=1e-3)


def test_a_gpu_that_is_out_of_memory_scores_fewer_questions_at_once(tiny_model, monkeypatch, capsys):
    model = registry.load(tiny_model(), "float32")
    scorer = Scorer(model, Prompter(model.tokenizer, Prompt(), 400), Inference(permutations=1), TermReading())
    whole, compute = scorer.score(QUESTIONS, {}).predictions, packed.compute

    def too_large(loaded, runs, *rest, **named):
        if sum(len(run.ids) for run in runs) > 120:
            torch.empty(2**50, device="cuda")
        return compute(loaded, runs, *rest, **named)

    monkeypatch.setattr(packed, "compute", too_large)
    less = scorer.score(QUESTIONS, {}).predictions
    assert "out of memory" in capsys.readouterr().out
    for a, b in zip(less["option_logprobs"], whole["option_logprobs"], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


def test_a_job_that_was_stopped_goes_on_to_the_same_weights(tiny_model, tmp_path, monkeypatch):
    _, undisturbed = curve(tiny_model(), tmp_path / "a")
    real = fine_tuning.ProgressCallback.on_step_end

    def stopped(self, args, state, control, **more):
        if state.global_step == 2:
            self.stop()
        real(self, args, state, control, **more)

    monkeypatch.setattr(fine_tuning.ProgressCallback, "on_step_end", stopped)
    with pytest.raises(SystemExit, match="stopped by signal at step 2"):
        curve(tiny_model(), tmp_path / "b")
    monkeypatch.setattr(fine_tuning.ProgressCallback, "on_step_end", real)
    _, resumed = curve(tiny_model(), tmp_path / "b")
    # Deterministic algorithms: not about equal, equal.
    np.testing.assert_array_equal(resumed["loss"], undisturbed["loss"])


def answers(model):
    methods = Inference(methods=["letter", "cloze"])
    scorer = Scorer(model, Prompter(model.tokenizer, Prompt(), 400), methods, TermReading(contexts=["bare"]))
    self_check.check(scorer, QUESTIONS, {})
    return np.concatenate(scorer.score(QUESTIONS, {}).predictions["option_logprobs"].tolist())


@pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed (envs/4bit.txt)")
def test_weights_of_4_bits_are_scored_and_trained(tiny_model, tmp_path):
    model = registry.load(tiny_model(), "4bit", threads=1, gpus=1)
    assert model.device.type == "cuda"
    assert placement.is_4bit(model.network.model.layers[0].mlp.up_proj)
    assert 0 < np.abs(answers(model) - answers(registry.load(tiny_model(), "float32", 1))).max() < 0.5
    _, on_gpu = curve(tiny_model(), tmp_path, how="4bit")
    assert on_gpu["loss"].iloc[-1] < on_gpu["loss"].iloc[0]


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="one CUDA device on this machine, or none")
def test_a_model_on_two_devices_is_the_same(tiny_model, tmp_path):
    spread = registry.load(tiny_model(), "float32", threads=1, gpus=2)
    assert set(spread.network.hf_device_map.values()) == {0, 1}
    np.testing.assert_allclose(answers(spread), answers(registry.load(tiny_model(), "float32", 1)), atol=1e-4)
    _, alone = curve(tiny_model(), tmp_path / "a")
    _, apart = curve(tiny_model(), tmp_path / "b", gpus=2)
    np.testing.assert_allclose(apart["loss"], alone["loss"], rtol=1e-3)
