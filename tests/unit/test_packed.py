"""Sequences share what they start with: every token is computed once, and none for nothing."""

from full_memory import each_full_memory
from hypothesis import given, settings as hypothesis_settings, strategies as st
import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.terms import TermReading
from neuro2cardio.models import logprobs, packed, registry
from neuro2cardio.models.prompting import Prompter, Question
from neuro2cardio.models.registry import LoadedModel
from neuro2cardio.models.scoring import Scorer

SEQUENCES = st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=30).map(tuple), min_size=1, max_size=8)
BLOCKS = {0: tuple(range(10, 20)), 1: tuple(range(20, 30))}
BRANCHING = st.lists(
    st.tuples(
        st.lists(st.sampled_from(sorted(BLOCKS)), max_size=3), st.lists(st.integers(1, 3), min_size=1, max_size=9)
    ),
    min_size=1,
    max_size=8,
).map(lambda found: [(*(i for block in path for i in BLOCKS[block]), *rest) for path, rest in found])
"""Sequences that start with the same blocks, so that runs branch from runs."""
STEM = " ".join(["chest pain and dyspnea after oxygen"] * 20) + "?"


def ids_of(run: packed.Run) -> tuple[int, ...]:
    return tuple(i for part in run.branch for i in part.ids)


@given(SEQUENCES)
@hypothesis_settings(max_examples=200, deadline=None)
def test_every_sequence_is_its_branch_of_the_tree(sequences):
    tree = packed.tree(sequences)
    assert [ids_of(leaf) for leaf in tree.leaves] == sequences
    assert tree.tokens <= sum(map(len, sequences))
    for run in tree.runs:
        assert run.parent is None or tree.runs.index(run.parent) < tree.runs.index(run)


@given(SEQUENCES, st.lists(st.integers(1, 3), min_size=8, max_size=20).map(tuple))
@hypothesis_settings(max_examples=50, deadline=None)
def test_what_was_computed_before_is_not_computed_again(sequences, start):
    root = packed.Run(start)
    longer = [(*start, *ids) for ids in sequences]
    tree = packed.tree([*longer, (9, *start)], root)
    assert [ids_of(leaf) for leaf in tree.leaves] == [*longer, (9, *start)]
    assert tree.tokens <= sum(map(len, sequences)) + 1 + len(start)


def computed(model, scorer: Scorer, asked, mentions=None) -> int:
    """Tokens that go through the network while questions are scored."""
    scorer.score(asked[:1], {})
    passes: list[int] = []

    def count(_, positional, named):
        passes.append(named["input_ids"].numel())

    hook = model.network.register_forward_pre_hook(count, with_kwargs=True)
    scorer.score(asked, mentions or {})
    hook.remove()
    return sum(passes)


@pytest.mark.parametrize("batch_tokens", [100, 4000])
def test_all_methods_of_a_question_compute_its_stem_once(tiny_model, batch_tokens):
    model = registry.load(tiny_model(), "float32")
    prompter = Prompter(model.tokenizer, Prompt(), 500)
    methods = ["letter", "cloze", "generate"]
    inference = Inference(methods=methods, permutations=4, batch_tokens=batch_tokens, max_new_tokens=1)
    scorer = Scorer(model, prompter, inference, TermReading(contexts=["prompt"]))
    asked = [Question(f"q{i}", f"{i} {STEM}", ("aspirin", "oxygen", "rest", "ice"), 0) for i in range(3)]
    stem = len(prompter.bare(asked[0].stem, False).ids)
    needed = 0
    for question in asked:
        posed = [prompter.pose(question, "letter", "A", p) for p in range(4)]
        posed += [prompter.pose(question, "generate", "", p) for p in range(4)]
        posed += [prompter.pose(question, "cloze", option) for option in question.options]
        needed += stem + sum(len(tokens.ids) - stem for tokens in posed)
    assert stem > 100
    assert computed(model, scorer, asked) <= 1.1 * needed


def test_the_same_numbers_come_out_of_passes_of_any_size(tiny_model):
    model = registry.load(tiny_model(), "float32")
    prompter = Prompter(model.tokenizer, Prompt(), 500)
    asked = [Question(f"q{i}", STEM[: 40 + 30 * i], ("aspirin", "oxygen", "rest"), 0) for i in range(5)]
    found = []
    for batch_tokens in (1, 300, 100_000):
        inference = Inference(methods=["letter", "cloze"], batch_tokens=batch_tokens)
        scorer = Scorer(model, prompter, inference, TermReading(contexts=["prompt", "bare"]))
        found.append(np.concatenate(scorer.score(asked, {}).predictions["option_logprobs"].to_list()))
    np.testing.assert_allclose(found[1], found[0], atol=1e-4)
    np.testing.assert_allclose(found[2], found[0], atol=1e-4)


TOKEN = st.integers(3, 5)
STARTS = {0: tuple(range(6, 26)), 1: tuple(range(26, 38)), 2: ()}
GROUPS = st.lists(
    st.tuples(
        st.sampled_from(sorted(STARTS)), st.lists(st.lists(TOKEN, min_size=1, max_size=14), min_size=1, max_size=4)
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture(scope="module")
def model(tiny_model):
    return registry.load(tiny_model(), "float32")


@given(groups=GROUPS, budget=st.integers(10, 120))
@hypothesis_settings(max_examples=100, deadline=None)
def test_no_pass_is_larger_than_its_budget_unless_a_single_group_is(model, groups, budget):
    asked = [[logprobs.Query((*STARTS[start], *ids), ()) for ids in rests] for start, rests in groups]
    batches = list(logprobs._batches(model, asked, budget))
    assert [group for batch, _ in batches for group in batch] == asked
    for batch, tree in batches:
        assert [ids_of(leaf) for leaf in tree.leaves] == [query.ids for group in batch for query in group]
        assert tree.tokens <= budget or len(batch) == 1


def test_groups_that_do_not_start_like_most_count_with_all_their_tokens(model):
    like_most = [[logprobs.Query((*range(6, 46), i), ())] for i in range(50, 56)]
    others = [[logprobs.Query(tuple(range(60 + 45 * i, 100 + 45 * i)), ())] for i in range(4)]
    sizes = [tree.tokens for _, tree in logprobs._batches(model, like_most + others, 90)]
    assert sizes == [86, 80]


def test_all_passes_are_asked_for_before_the_first_is_waited_for(tiny_model, monkeypatch):
    model = registry.load(tiny_model(), "float32")
    queries = [[logprobs.Query(tuple(range(i, i + 9)), (logprobs.Readout(9, (3, 4)),))] for i in range(5)]
    expected = [logprobs.read_naive(model, query) for (query,) in queries]
    logprobs.read(model, queries[:1])
    events: list[str] = []

    def note(owner, name: str) -> None:
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *given, **more: (events.append(name), real(*given, **more))[1])

    note(packed, "compute")
    for waiting in ("cpu", "item", "tolist", "__bool__"):
        note(torch.Tensor, waiting)
    found = logprobs.read(model, queries, batch_tokens=1)
    computed = [i for i, event in enumerate(events) if event == "compute"]
    assert len(computed) >= len(queries)
    assert set(events[: computed[-1]]) == {"compute"}
    for ((values,),), (naive,) in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, naive, atol=1e-4)


def test_recorded_attention_is_put_back_where_a_pass_fails(tiny_model):
    model = registry.load(tiny_model(), "float32")
    assert packed.can_pack(model)
    with pytest.raises(IndexError):
        logprobs.read(model, [[logprobs.Query((10**6, 1), (logprobs.Readout(2, (1,)),))]])
    assert model.network.config._attn_implementation == "sdpa"


def test_control_tokens_that_were_never_trained_keep_no_model_from_being_packed(tiny_model):
    model = registry.load(tiny_model(), "float32")
    with torch.no_grad():
        for token in {*model.tokenizer.all_special_ids} - {model.tokenizer.unk_token_id}:
            model.network.get_input_embeddings().weight[token] = float("nan")
    assert packed.can_pack(model)


@pytest.mark.parametrize("amx", [False, True])
def test_either_attention_of_a_processor_gives_the_numbers_of_each_sequence_alone(tiny_model, amx, monkeypatch):
    monkeypatch.setattr(packed, "_has_amx", lambda: amx)
    model = registry.load(tiny_model(), "bfloat16")
    ids = tuple(5 + i % 40 for i in range(120))
    queries = [logprobs.Query((*ids, *more), (logprobs.Readout(122, (7, 8)),)) for more in ((5, 6), (9, 11))]
    found = logprobs.read(model, [queries])[0]
    for query, values in zip(queries, found, strict=True):
        np.testing.assert_allclose(values[0], logprobs.read_naive(model, query)[0], atol=0.05)


@pytest.fixture(scope="module", params=[None, 4], ids=["all seen", "window of 4"])
def windowed(request):
    """A network whose tokens see all before them, or the last four."""
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = AutoConfig.for_model(
        "mistral", vocab_size=97, num_key_value_heads=1, sliding_window=request.param, initializer_range=0.2, **shape
    )
    network = AutoModelForCausalLM.from_config(config).eval()
    return LoadedModel(network, tokenizer=None, device=torch.device("cpu"))


@given(sequences=BRANCHING, call=st.sampled_from([0, 20, 200, 2**30]), kept=st.integers(0, 12))
@hypothesis_settings(max_examples=60, deadline=None)
def test_runs_that_attend_in_one_call_get_the_numbers_of_each_sequence_alone(windowed, sequences, call, kept):
    root = packed.Run(tuple(1 + i % 3 for i in range(kept))) if kept else None
    sequences = [(*(root.ids if root else ()), *ids) for ids in sequences]
    tree = packed.tree(sequences, root)
    with torch.inference_mode(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "_CALL", call)
        if root:
            packed.compute(windowed, [root], [], keep=True)
        found = packed.compute(windowed, tree.runs, [(leaf, leaf.end - 1) for leaf in tree.leaves])
        alone = [windowed.network(torch.tensor([ids])).logits[0, -1] for ids in sequences]
    torch.testing.assert_close(found, torch.stack(alone), atol=1e-4, rtol=1e-4)


def test_each_device_of_a_model_has_masks_of_its_own():
    stem = packed.Run((1,) * 3)
    layout = packed._Layout([stem], {}, packed._bundles([stem], 0))
    for device in ("cpu", "meta", "cpu"):
        query = torch.zeros(1, 1, 3, 4, device=device)
        mask = layout.mask(layout.bundles[0], None, query, always=True)
        assert mask is not None and mask.device.type == device


def test_short_runs_share_calls_of_attention_and_long_ones_do_not():
    stem, other = packed.Run((1,) * 40), packed.Run((2,) * 300)
    options = [packed.Run((i,) * 5, stem) for i in range(4)]
    behind_other = [packed.Run((i,) * 20, other) for i in range(3)]
    bundles = [bundle.runs for bundle in packed._bundles([stem, *options, other, *behind_other], call=4096)]
    assert bundles == [[stem, *options], [other], behind_other]


@each_full_memory
def test_a_full_memory_does_not_pass_for_a_model_that_cannot_be_packed(tiny_model, monkeypatch, full):
    model = registry.load(tiny_model(), "float32")

    def too_large(*_, **__):
        raise full

    monkeypatch.setattr(packed, "compute", too_large)
    with pytest.raises(type(full)):
        packed.can_pack(model)
    monkeypatch.undo()
    assert packed.can_pack(model)
