"""The fast scorer equals the naive one, for every method, on several architectures and tokenizers."""

from dataclasses import replace

from full_memory import each_full_memory
from hypothesis import Phase, given, settings as hypothesis_settings, strategies as st
import numpy as np
import pytest
import tiny_models

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.terms import TermReading
from neuro2cardio.core import tables
from neuro2cardio.core.errors import InputError
from neuro2cardio.models import logprobs, packed, registry, self_check
from neuro2cardio.models.prompting import Prompter, Question
from neuro2cardio.models.scoring import Scorer, parse_letter
from neuro2cardio.models.term_logprobs import MentionOffsets, MentionSpans

SYSTEM = "The patient (a smoker) was given aspirin, metoprolol and oxygen before coronary angiography."
MODELS = {
    "llama": ("llama", "byte-level", tiny_models.CHAT, Prompt()),
    "gpt2": ("gpt2", "metaspace", None, Prompt()),
    "gemma2": ("gemma2", "wordpiece", None, Prompt()),
    # Words that stand before every stem, and are computed once for all of them.
    "llama with system": ("llama", "byte-level", tiny_models.CHAT, Prompt(system=SYSTEM)),
    "gpt2 with system": ("gpt2", "metaspace", None, Prompt(system=SYSTEM)),
}
ALL = Inference(methods=["cloze", "letter", "generate"], permutations=4, batch_tokens=200, max_new_tokens=4)
BOTH = TermReading(contexts=["prompt", "bare"])
WORDS = ["chest", "pain", "dyspnea", "murmur", "aspirin", "seizure", "ataxia", "oxygen", "angina"]
WORDS += ["(new)", "54-year-old", "man;", "has", "which?"]

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=25).map(" ".join)
options = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join), min_size=2, max_size=5, unique=True
)
questions = st.lists(st.tuples(texts, options), min_size=1, max_size=5).map(
    lambda rows: [Question(f"q{i}", stem, tuple(o), 0) for i, (stem, o) in enumerate(rows)]
)


@pytest.fixture(scope="module", params=MODELS)
def scorer(request, tiny_model) -> Scorer:
    *kind, prompt = MODELS[request.param]
    model = registry.load(tiny_model(*kind), "float32")
    return Scorer(model, Prompter(model.tokenizer, prompt, 400), ALL, BOTH)


def mentions_of(question: Question) -> list[MentionOffsets]:
    """Every second word: some at the start, some after a bracket, some twice in a text."""
    found, at = [], 0
    for i, word in enumerate(question.stem.split(" ")):
        if i % 2:
            found.append(MentionOffsets(f"{question.question_id}-{i}", at, at + len(word)))
        at += len(word) + 1
    return found


@given(asked=questions)
@hypothesis_settings(
    max_examples=10,
    deadline=None,
    # Shrinking runs the models hundreds of times; the failing questions are printed as they are.
    phases=[Phase.explicit, Phase.generate],
)
def test_fast_equals_naive_for_every_method_and_context(scorer, asked):
    mentions = {q.question_id: mentions_of(q) for q in asked}
    fast = scorer.score(asked, mentions)
    answers = fast.predictions.groupby("question_id", sort=False)
    terms = fast.term_logprobs.groupby("question_id", sort=False) if len(fast.term_logprobs) else {}
    for question in asked:
        rows, term_rows = scorer.score_naive(question, mentions[question.question_id])
        found = answers.get_group(question.question_id)
        assert list(found["method"]) == [row["method"] for row in rows]
        for got, row in zip(found.itertuples(), rows, strict=True):
            np.testing.assert_allclose(got.option_logprobs, row["option_logprobs"], atol=2e-4)
            if row["method"] == "generate":
                assert got.chosen == row["chosen"]
        if term_rows:
            got_terms = terms.get_group(question.question_id)
            assert list(got_terms["n_tokens"]) == [row["n_tokens"] for row in term_rows]
            np.testing.assert_allclose(got_terms["logprob_sum"], [row["logprob_sum"] for row in term_rows], atol=2e-4)


@each_full_memory
@pytest.mark.parametrize("most", [400, 120])
def test_where_memory_is_full_fewer_questions_are_scored_at_once(scorer, monkeypatch, capsys, most, full):
    asked = [Question(f"q{i}", " ".join(WORDS[: 1 + 2 * i]), ("aspirin", "oxygen", "rest"), 0) for i in range(5)]
    mentions = {q.question_id: mentions_of(q) for q in asked}
    whole = scorer.score(asked, mentions)
    compute = packed.compute

    def too_large(model, runs, *rest, **named):
        if sum(len(run.ids) for run in runs) > most:
            raise full
        return compute(model, runs, *rest, **named)

    monkeypatch.setattr(packed, "compute", too_large)
    roomy = replace(scorer, inference=ALL.model_copy(update={"batch_tokens": 2000}))
    less = roomy.score(asked, mentions)
    assert "out of memory: going on with half" in capsys.readouterr().out
    for column in ("method", "question_id", "permutation", "chosen"):
        assert list(less.predictions[column]) == list(whole.predictions[column])
    for a, b in zip(less.predictions["option_logprobs"], whole.predictions["option_logprobs"], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)
    np.testing.assert_allclose(less.term_logprobs["logprob_sum"], whole.term_logprobs["logprob_sum"], atol=2e-4)


@each_full_memory
def test_a_query_that_no_memory_holds_ends_the_job(scorer, monkeypatch, full):
    def too_large(*_, **__):
        raise full

    monkeypatch.setattr(packed, "compute", too_large)
    with pytest.raises(type(full), match=str(full)[:8].strip("[")):
        scorer.score([Question("q", "chest pain", ("aspirin", "oxygen"), 0)], {})


def test_an_answer_does_not_depend_on_the_questions_it_is_scored_with(scorer):
    asked = [Question(f"q{i}", " ".join(WORDS[: 2 + 3 * i]), ("aspirin", "oxygen", "rest", "ice"), 0) for i in range(4)]
    together = scorer.score(asked, {}).predictions
    alone = [scorer.score([q], {}).predictions for q in asked]
    for question, single in zip(asked, alone, strict=True):
        same = together[together["question_id"] == question.question_id]
        for a, b in zip(same["option_logprobs"], single["option_logprobs"], strict=True):
            np.testing.assert_allclose(a, b, atol=2e-4)


def test_what_stands_before_every_stem_is_computed_once(tiny_model):
    model = registry.load(tiny_model(), "float32")
    prompter = Prompter(model.tokenizer, Prompt(system=SYSTEM), 400)
    scorer = Scorer(
        model,
        prompter,
        Inference(methods=["letter"], permutations=1, batch_tokens=4000),
        TermReading(contexts=["prompt"]),
    )
    passes: list[int] = []
    asked = [Question(f"q{i}", f"{i} which?", ("aspirin", "oxygen"), 0) for i in range(40)]
    scorer.score(asked[:1], {})

    def count(_, positional, named):
        passes.append(named["input_ids"].numel())

    hook = model.network.register_forward_pre_hook(count, with_kwargs=True)
    scorer.score(asked, {})
    hook.remove()
    posed = [prompter.pose(question, "letter") for question in asked]
    head = sum(end <= posed[0].stem_at for _, end in posed[0].offsets)
    assert head > 30
    assert sum(passes) <= sum(len(tokens.ids) for tokens in posed) - 39 * (head - 1)


def test_no_position_lies_beyond_those_that_the_model_has(tiny_model):
    model = registry.load(tiny_model("gpt2", "metaspace", None), "float32")
    draw = np.random.default_rng(0)

    def group(start: int, rest: int) -> list[logprobs.Query]:
        """Two sequences that share their start; the last token of each is read."""
        shared = tuple(draw.integers(3, 90, start).tolist())
        rests = [(k, *draw.integers(3, 90, rest - 1).tolist()) for k in (3, 4)]
        return [logprobs.Query(shared + r, (logprobs.Readout(start + rest, (5,)),)) for r in rests]

    groups = [group(440, 70), group(100, 140)]
    assert model.network.config.n_positions < 440 + 140
    fast = logprobs.read(model, groups)
    for queries, found in zip(groups, fast, strict=True):
        for query, values in zip(queries, found, strict=True):
            np.testing.assert_allclose(values[0], logprobs.read_naive(model, query)[0], atol=2e-4)


def test_more_options_than_are_computed_at_once(scorer):
    question = Question("q", "chest pain which?", tuple(f"{a} {b}" for a in WORDS for b in WORDS[:8]), 0)
    cloze = Scorer(scorer.model, scorer.prompter, Inference(methods=["cloze"], batch_tokens=50), BOTH)
    fast = cloze.score([question], {}).predictions["option_logprobs"].iloc[0]
    naive = cloze.score_naive(question, [])[0][0]["option_logprobs"]
    np.testing.assert_allclose(fast, naive, atol=2e-4)


def test_every_option_visits_every_letter_once_and_is_averaged_in_content_order(scorer):
    question = Question("q", "chest pain which?", ("aspirin", "oxygen", "rest", "ice"), 2)
    letters = scorer.score([question], {}).predictions.query("method == 'letter'")
    assert list(letters["permutation"]) == [0, 1, 2, 3]
    model, prompter = scorer.model, scorer.prompter
    for row in letters.itertuples():
        tokens = prompter.pose(question, "letter", "A", row.permutation)
        query = logprobs.Query(tokens.ids[: tokens.answer], (logprobs.Readout(tokens.answer, prompter.letter_ids(4)),))
        by_letter = logprobs.read_naive(model, query)[0]
        for option, text in enumerate(question.options):
            letter = next("ABCD".index(line[0]) for line in tokens.text.splitlines() if line[1:] == f". {text}")
            assert row.option_logprobs[option] == pytest.approx(by_letter[letter], abs=2e-4)


def test_options_that_start_alike_are_told_apart(scorer):
    question = Question("q", "which?", ("chest pain", "chest pain murmur", "chest"), 0)
    cloze = scorer.score([question], {}).predictions.query("method == 'cloze'")["option_logprobs"].iloc[0]
    assert len({round(value, 6) for value in cloze}) == 3


def test_term_logprobs_equal_a_plain_forward_over_the_same_text(scorer):
    import torch

    question = Question("q", "A man has chest pain and a new murmur", ("yes", "no"), 0)
    at = question.stem.index("chest pain")
    mention = MentionOffsets("m", at, at + len("chest pain"))
    found = scorer.score([question], {"q": [mention]}).term_logprobs.set_index("context")
    tokens = scorer.prompter.pose(question, "cloze", "yes")
    span = tokens.span(mention.start, mention.end)
    assert span is not None
    with torch.inference_mode():
        logits = scorer.model.network(torch.tensor([tokens.ids])).logits[0].log_softmax(-1)
    by_token = [float(logits[i - 1, tokens.ids[i]]) for i in span]
    assert found.loc["prompt", "logprob_sum"] == pytest.approx(sum(by_token), abs=2e-4)
    assert found.loc["prompt", "logprob_first"] == pytest.approx(by_token[0], abs=2e-4)
    assert found.loc["prompt", "n_tokens"] == len(by_token)
    pain = tokens.span(at + len("chest "), mention.end)
    assert pain is not None and pain.start > span.start
    assert found.loc["prompt", "n_words"] == found.loc["bare", "n_words"] == 2
    starts = by_token[0] + by_token[pain.start - span.start]
    assert found.loc["prompt", "logprob_starts"] == pytest.approx(starts, abs=2e-4)


def test_a_mention_that_was_cut_off_is_counted_and_has_no_probability(scorer):
    short = Scorer(scorer.model, Prompter(scorer.model.tokenizer, Prompt(), 200), scorer.inference, BOTH)
    question = Question("q", "chest pain " + "murmur dyspnea " * 150, ("yes", "no"), 0)
    found = short.score(
        [question], {"q": [MentionOffsets("first", 0, 10), MentionOffsets("late", 500, 506)]}
    ).term_logprobs
    first = found[found["mention_id"] == "first"]
    assert list(first["n_tokens"]) == [0, 0]
    assert first["logprob_sum"].isna().all()


def test_a_text_of_no_mention_still_has_its_answers(scorer):
    frame = scorer.score([Question("q", "which?", ("yes", "no"), 1)], {}).predictions
    assert set(frame["method"]) == {"cloze", "letter", "generate"}


def test_the_probability_of_all_offered_letters_is_kept(scorer):
    question = Question("q", "chest pain which?", ("aspirin", "oxygen", "rest", "ice"), 2)
    found = scorer.score([question], {}).predictions
    letters = found[found["method"] == "letter"]
    expected = [np.exp(row).sum() for row in letters["option_logprobs"]]
    np.testing.assert_allclose(letters["answer_mass"], expected)
    assert found.loc[found["method"] != "letter", "answer_mass"].isna().all()


def test_a_job_checks_itself_on_short_and_long_questions(scorer, monkeypatch, capsys):
    asked = [Question(f"q{i}", " ".join(WORDS[: 2 + i]), ("aspirin", "oxygen", "rest", "ice"), 0) for i in range(6)]
    mentions = {q.question_id: mentions_of(q) for q in asked}
    scored = []
    naive = Scorer.score_naive
    monkeypatch.setattr(Scorer, "score_naive", lambda s, q, m: scored.append(q.question_id) or naive(s, q, m))
    assert self_check.check(scorer, asked, mentions) < 1e-4
    assert scored == ["q0", "q1", "q5"]
    assert "fast and naive differ by" in capsys.readouterr().out


def test_a_fast_path_that_is_wrong_stops_the_job_with_the_numbers(scorer, monkeypatch):
    read = logprobs.read_and_continue

    def off_by_one(model, groups, *more):
        return read(model, [[logprobs.Query((*q.ids[1:], q.ids[0]), q.readings) for q in g] for g in groups], *more)

    monkeypatch.setattr(logprobs, "read_and_continue", off_by_one)
    asked = [Question("q0", "chest pain which?", ("aspirin", "oxygen"), 0)]
    with pytest.raises(InputError, match=r"differs from the naive one by .* at most \(question q0, .*transformers"):
        self_check.check(scorer, asked, {})


@pytest.mark.parametrize(("single", "every", "stops"), [(0.4, 0.0, False), (0.8, 0.0, True), (0.0, 0.2, True)])
def test_rounding_moves_one_number_by_much_and_a_wrong_layout_all_of_them(
    tiny_model, monkeypatch, capsys, single, every, stops
):
    model = registry.load(tiny_model(), "bfloat16")
    inference = Inference(methods=["letter"], permutations=4)
    scorer = Scorer(model, Prompter(model.tokenizer, Prompt(), 400), inference, TermReading(contexts=["prompt"]))
    read = logprobs.read_and_continue

    def moved(*given):
        values, texts = read(*given)
        values = [[[found + every for found in query] for query in group] for group in values]
        values[0][0][-1][0] += single
        return values, texts

    monkeypatch.setattr(logprobs, "read_and_continue", moved)
    asked = [Question(f"q{i}", " ".join(WORDS[: 2 + 3 * i]), ("aspirin", "oxygen", "rest"), 0) for i in range(4)]
    if stops:
        with pytest.raises(InputError, match=r"on average and .* at most \(question q.*bfloat16 explains"):
            self_check.check(scorer, asked, {})
    else:
        assert self_check.check(scorer, asked, {}) > 0.3
        assert "(0.15 and 0.5 allowed)" in capsys.readouterr().out


def test_numbers_that_are_not_finite_stop_the_job(tiny_model):
    model = registry.load(tiny_model(), "float32")
    for parameter in model.network.parameters():
        parameter.data.fill_(float("nan"))
    broken = Scorer(model, Prompter(model.tokenizer, Prompt(), 400), ALL, BOTH)
    with pytest.raises(InputError, match=r"question q: .* not finite"):
        broken.score([Question("q", "which?", ("yes", "no"), 1)], {})


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("[B]", 1),
        ("The answer is [ c ].", 2),
        ("D. ice", 3),
        ("A", 0),
        ("(B) rest", 1),
        ("Aspirin is best", None),
        ("[E]", None),
        ("", None),
        ("the answer", None),
    ],
)
def test_a_letter_is_read_in_brackets_or_alone_and_else_not_at_all(text, letter):
    assert parse_letter(text, 4) == letter


def test_scores_fit_the_tables(scorer, tmp_path):
    keys = {"model": "m", "recipe": "base", "train_set": "base", "seed": -1}
    question = Question("q", "A man has chest pain", ("yes", "no"), 0)
    scores = scorer.score([question], {"q": [MentionOffsets("m", 10, 20)]})
    tables.write(scores.predictions.assign(**keys), tmp_path / "p.parquet", tables.PREDICTIONS)
    tables.write(scores.term_logprobs.assign(**keys), tmp_path / "t.parquet", tables.TERM_LOGPROBS)
    assert len(tables.read(tmp_path / "p.parquet", tables.PREDICTIONS)) == 1 + 2 + 2


def test_no_mention_gives_an_empty_table_that_can_be_written(scorer, tmp_path):
    scores = scorer.score([Question("q", "which?", ("yes", "no"), 0)], {})
    assert isinstance(MentionSpans.find(scorer.prompter.bare("which?", True), ()).rows("bare", []), list)
    keys = {"model": "m", "recipe": "base", "train_set": "base", "seed": -1}
    tables.write(scores.term_logprobs.assign(**keys), tmp_path / "t.parquet", tables.TERM_LOGPROBS)
