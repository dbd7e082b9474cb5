"""A job whose memory is limited scores with less at once; nothing but the limit is pretended."""

from pathlib import Path
import subprocess
import sys

_JOB = """
import resource
import sys

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from neuro2cardio.models import logprobs, packed
from neuro2cardio.models.registry import LoadedModel

torch.set_num_threads(1)
torch.manual_seed(0)
shape = LlamaConfig(vocab_size=64, hidden_size=16, intermediate_size=16384, num_hidden_layers=1, num_attention_heads=1)
network = LlamaForCausalLM(shape).eval()
network.generation_config.eos_token_id = 2
model = LoadedModel(network, type("Words", (), {"eos_token_id": 2})(), torch.device("cpu"))
groups = [[logprobs.Query(tuple(3 + (i * j) % 60 for j in range(1, 101)), (logprobs.Readout(100, (5, 6)),))]
          for i in range(1, 41)]
assert packed.can_pack(model)
small = logprobs.read(model, groups, 200)
# Three activations of 4,000 tokens would take 786 MB.
used = int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + 450_000_000, resource.RLIM_INFINITY))
found = logprobs.read(model, groups, 100_000)
np.testing.assert_allclose(np.array(found), np.array(small), atol=1e-4)
"""


def test_scoring_goes_on_with_less_where_the_machine_has_no_memory_left():
    folder = Path(__file__).parents[2] / "workflow/scripts"
    done = subprocess.run([sys.executable, "-c", _JOB], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "out of memory: going on with half of it at once" in done.stdout
