"""Whatever a server sends is brought into one plain form before it is kept, and nothing is paid for twice."""

import json
from pathlib import Path

from chat_server import chat_server
from hypothesis import given, settings, strategies as st
import pandas as pd
import pytest

from neuro2cardio.annotation import completions, labels, prompts
from neuro2cardio.annotation.responses import ResponseCache, Usage
from neuro2cardio.annotation.server import Server
from neuro2cardio.config.annotation import OpenAIAnnotator

BOUND = Usage(500, 200)
QUESTIONS = pd.DataFrame({"question_id": ["0" * 16], "stem": ["Chest pain?"], "options": [["angina", "ataxia"]]})
ANSWER = "Specialty: Cardiology"


def body(content=ANSWER, usage=None, **message) -> dict:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content, **message}}
    return {"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage}


def ask(made: bytes, folder: Path) -> tuple[pd.DataFrame, ResponseCache, int]:
    """The answers of a server whose every body is the same, asked twice; what is kept; and how often it was asked."""
    given_settings = {"concurrency": 1, "timeout_seconds": 0.5, "attempts": 3, "max_unanswered": 1.0}
    path = folder / "responses.jsonl"
    with chat_server() as server:
        server.body = lambda _: made
        chosen = OpenAIAnnotator(backend="openai", model="m", base_url=server.url, **given_settings)
        annotator = Server(chosen, labels.CANDIDATES, prompts.load(), path)
        first = annotator.annotate(QUESTIONS)
        pd.testing.assert_frame_equal(first, annotator.annotate(QUESTIONS))
    return first, ResponseCache.peek(path), len(server.asked)


PARTS = [{"type": "thinking", "thinking": [{"type": "text", "text": "Neurology?"}]}, {"type": "text", "text": ANSWER}]
USAGES = [
    {},
    None,
    "text",
    [],
    {"prompt_tokens": None, "completion_tokens": None},
    {"prompt_tokens": -5, "completion_tokens": -1},
    {"prompt_tokens": "many", "completion_tokens": True},
    {"prompt_tokens": 1.5, "completion_tokens": float("inf")},
    {"prompt_tokens": 10**30, "completion_tokens": {"n": 1}},
]


@pytest.mark.parametrize(
    ("made", "label"),
    [
        (body(PARTS), "Cardiology"),
        (body([ANSWER]), "Cardiology"),
        (body([{"type": "reasoning", "text": "Neurology"}, {"type": "output_text", "text": ANSWER}]), "Cardiology"),
        (body({"type": "text", "text": ANSWER}), "Cardiology"),
        (body(None, reasoning_content="Specialty: Neurology"), ""),
        (body(None, refusal="I'm sorry, I can't help with that. See a cardiologist."), ""),
        (body(f"{ANSWER}\n\ud800"), "Cardiology"),
        (body(12), ""),
        (body(""), ""),
        ({**body(), "choices": [{"text": ANSWER, "finish_reason": None}]}, "Cardiology"),
        ({**body(), "choices": [None]}, ""),
        ({**body(), "choices": ["text"]}, ""),
        ({**body(), "choices": [{"message": None}]}, ""),
        *((body(usage=usage), "Cardiology") for usage in USAGES),
        (body('{"a":' * 1500 + '"Cardiology"' + "}" * 1500), ""),
    ],
)
def test_odd_completions_are_votes_or_problems_and_are_paid_for_once(made, label, tmp_path):
    answers, cache, asked = ask(json.dumps(made).encode(), tmp_path)
    assert set(answers["label"]) == {label}
    assert all(bool(row.label) != bool(row.problem) for row in answers.itertuples())
    assert asked == len(cache) == 5
    assert cache.torn == 0
    assert cache.used.input_tokens >= 5
    assert cache.used.output_tokens > 0
    assert cache.in_doubt == []


@pytest.mark.parametrize(
    ("made", "label"),
    [
        (json.dumps(body(ANSWER)).encode().replace(b"Specialty", b"\xff\xfe Specialty"), "Cardiology"),
        (b"\xef\xbb\xbf" + json.dumps(body()).encode(), "Cardiology"),
        (
            json.dumps(body()).encode().replace(b'"usage": null', b'"usage": {"prompt_tokens": ' + b"9" * 6000 + b"}"),
            "Cardiology",
        ),
        (json.dumps(body("X")).encode().replace(b'"X"', b"[" * 1500 + b'"Cardiology"' + b"]" * 1500), ""),
        (json.dumps(body("X")).encode().replace(b'"X"', b"[" * 100_000 + b"]" * 100_000), ""),
    ],
)
def test_bytes_that_are_hard_to_read_are_paid_for_once(made, label, tmp_path):
    answers, cache, asked = ask(made, tmp_path)
    assert set(answers["label"]) == {label}
    assert asked == len(cache) == 5


def test_a_surrogate_without_its_half_becomes_a_replacement_character(tmp_path):
    _, cache, _ = ask(json.dumps(body(f"{ANSWER} \ud83d \U0001f600")).encode(), tmp_path)
    kept = [json.loads(line) for line in cache.path.read_bytes().decode("utf-8").splitlines()]
    assert {line["text"] for line in kept if line["event"] == "response"} == {f"{ANSWER} \ufffd \U0001f600"}


@pytest.mark.parametrize("usage", USAGES)
def test_tokens_that_are_not_counted_are_taken_at_their_bound(usage):
    assert completions.usage_of(usage, BOUND) == BOUND
    assert completions.usage_of({"prompt_tokens": 7, "completion_tokens": None}, BOUND) == Usage(7, 200)
    assert completions.usage_of({"prompt_tokens": "7", "completion_tokens": 3.0}, BOUND) == Usage(7, 3)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "content"]), inner),
    max_leaves=8,
)


@settings(max_examples=300)
@given(values, values, values, values)
def test_any_json_is_a_plain_response_or_none(choices, content, usage, reason):
    for made in (
        {"choices": choices, "usage": usage},
        {"choices": [{"message": {"content": content}}]},
        {"choices": [{"message": content, "finish_reason": reason}], "usage": usage},
    ):
        try:
            response = completions.read(made, BOUND)
        except completions.NotACompletion:
            continue
        assert isinstance(response.text, str)
        json.dumps(response.text, ensure_ascii=False).encode()
        assert min(response.usage.input_tokens, response.usage.output_tokens) >= 0


OLD = [
    {"event": "response", "key": "k", "text": None, "finish_reason": None, "usage": {"input_tokens": None}},
    {"event": "response", "key": "k", "text": [{"type": "text"}], "finish_reason": 3, "usage": {}},
    {"event": "response", "key": "k", "text": "\ud800", "finish_reason": "", "usage": {"input_tokens": -4}},
    {"event": "response", "key": "k", "text": "x", "finish_reason": "", "usage": None},
    {"event": "sent", "key": "k", "bound": None},
    {"event": "failed"},
    {"event": "response"},
    [],
    None,
    "text",
]


@pytest.mark.parametrize("record", OLD)
def test_lines_of_an_older_version_never_end_a_run(record, tmp_path):
    path = tmp_path / "responses.jsonl"
    path.write_text(json.dumps(record) + "\n" + '{"a":' * 3000 + "\n")
    with ResponseCache.opened(path) as cache:
        assert cache.used.input_tokens >= 0
        assert len(cache.in_doubt) == 0
        assert cache.torn in (1, 2)


def test_a_server_without_seed_is_asked_without_it(tmp_path):
    with chat_server() as server:
        chosen = OpenAIAnnotator(backend="openai", model="m", base_url=server.url, seed=None, concurrency=1)
        answers = Server(chosen, labels.CANDIDATES, prompts.load(), tmp_path / "r.jsonl").annotate(QUESTIONS)
    assert set(answers["label"]) == {"Cardiology"}
    assert all("seed" not in request for request in server.requests)
