"""The loss of packed sequences, and its gradients, are those of one padded batch with all its logits."""

import pytest
from tiny_architectures import network
import torch

from neuro2cardio.models import output_head, packed_loss
from neuro2cardio.models.registry import LoadedModel

IGNORED = -100
SEQUENCES = [tuple(range(3, 23)), (*range(3, 15), 40, 41), (*range(3, 15), 50), (7, 8, 9)]
COMPLETION = [(IGNORED,) * (len(ids) - 2) + ids[-2:] for ids in SEQUENCES]
FULL = [(IGNORED, *ids[1:]) for ids in SEQUENCES]


def adapted(name: str):
    """A network with an adapter that is not zero, and the base model that it is part of."""
    import copy

    from peft import LoraConfig, get_peft_model

    base = copy.deepcopy(network(name))
    model = LoadedModel(base, None, torch.device("cpu"))
    assert packed_loss.can_pack(model)
    torch.manual_seed(1)
    whole = get_peft_model(base, LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"))
    with torch.no_grad():
        for weight in (w for w in whole.parameters() if w.requires_grad):
            weight.normal_(0, 0.2)
    return model, whole


def gradients(whole) -> list[torch.Tensor]:
    found = [w.grad.clone() for w in whole.parameters() if w.requires_grad]
    whole.zero_grad()
    return found


@pytest.mark.parametrize("labels", [COMPLETION, FULL], ids=["completion", "full"])
@pytest.mark.parametrize("name", ["llama", "qwen3", "gemma3_text", "phi", "mixtral"])
def test_loss_and_gradients_equal_those_of_each_sequence_alone(name, labels, monkeypatch):
    # Few rows at a time, so that several chunks are made.
    monkeypatch.setattr(packed_loss, "_LOGITS", 500)
    model, whole = adapted(name)
    expected = torch.zeros(())
    for ids, row in zip(SEQUENCES, labels, strict=True):
        logits = whole(input_ids=torch.tensor([ids]), use_cache=False).logits[0, :-1]
        right = torch.tensor(row[1:])
        expected = expected + torch.nn.functional.cross_entropy(logits, right, ignore_index=IGNORED, reduction="sum")
    expected.backward()
    alone = gradients(whole)
    found = packed_loss.summed(model, SEQUENCES, labels, IGNORED)
    found.backward()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    for a, b in zip(gradients(whole), alone, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["cohere", "falcon", "mamba"])
def test_what_scales_logits_or_is_not_packed_trains_in_padded_batches(name):
    assert not packed_loss.can_pack(LoadedModel(network(name), None, torch.device("cpu")))


def test_a_head_that_does_more_than_project_is_not_plain():
    assert output_head.is_plain(network("llama"))
    assert not output_head.is_plain(network("cohere"))
