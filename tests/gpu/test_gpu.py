"""What only a GPU can show: each test is skipped, with its reason, where there is none. `make test-gpu` runs them."""

import numpy as np
import pytest
import torch

from neuro2cardio.config.inference import Prompt
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.models import fine_tuning, registry
from neuro2cardio.models.prompting import Prompter, Question

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]

QUESTIONS = [
    Question(f"q{i}", f"A {20 + i}-year-old man has chest pain", ("angina", "seizure"), i % 2) for i in range(8)
]
RECIPE = Recipe(loss="completion", form="cloze", rank=2, epochs=2, batch_size=4, micro_batch_size=2, checkpoint_steps=2)


def curve(folder, checkpoints, recipe=RECIPE):
    model = registry.load(folder, "float32", threads=1)
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
