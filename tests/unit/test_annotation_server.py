"""Requests that cost money, against a real server on this machine that misbehaves on purpose."""

import json
from pathlib import Path
import resource
import signal
import threading
import time

from chat_server import ChatServer, chat_server
import pandas as pd
import pytest

from neuro2cardio.annotation import labels, prompts
from neuro2cardio.annotation.responses import Response, ResponseCache, Usage
from neuro2cardio.annotation.server import Server
from neuro2cardio.config.annotation import OpenAIAnnotator
from neuro2cardio.core.errors import InputError

SECRET = "sk-not-to-be-seen-anywhere"
PRICES = {"input": 1.0, "output": 2.0}


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("SOME_KEY", SECRET)


@pytest.fixture
def responses(tmp_path) -> Path:
    return tmp_path / "responses" / "model.jsonl"


def questions(n: int) -> pd.DataFrame:
    rows = [(f"{i:016x}", f"What ails patient number {i}?", ["this", "that"]) for i in range(n)]
    return pd.DataFrame(rows, columns=["question_id", "stem", "options"])


def annotator(server: ChatServer | str, responses: Path, **settings) -> Server:
    url = server if isinstance(server, str) else server.url
    given = {"concurrency": 1, "timeout_seconds": 0.5, "max_unanswered": 0.0, **settings}
    chosen = OpenAIAnnotator(backend="openai", model="some-model", base_url=url, **given)
    return Server(chosen, labels.CANDIDATES, prompts.load(), responses)


def test_five_ways_of_asking_and_nothing_is_asked_twice(responses):
    with chat_server() as server:
        first = annotator(server, responses).annotate(questions(3))
        again = annotator(server, responses).annotate(questions(3))
    assert len(server.asked) == len(set(server.asked)) == 15
    assert set(first["label"]) == {"Cardiology"}
    assert list(first["prompt"][:5]) == list(prompts.WAYS)
    pd.testing.assert_frame_equal(first, again)


def test_the_cache_is_keyed_by_model_prompt_parameters_and_sample_but_not_by_address(responses):
    with chat_server() as server:
        annotator(server, responses).annotate(questions(1))
    with chat_server() as elsewhere:
        annotator(elsewhere, responses).annotate(questions(1))
        assert elsewhere.asked == []
        annotator(elsewhere, responses, temperature=0.5, samples=2).annotate(questions(1))
        assert len(elsewhere.asked) == len(set(elsewhere.asked)) == 10
        annotator(elsewhere, responses, max_tokens=7).annotate(questions(1))
        assert len(set(elsewhere.asked)) == 15


@pytest.mark.parametrize("fault", ["429", "500", "503", "truncated", "silent", "not-json", "no-choices"])
def test_a_fault_that_passes_is_asked_again_and_changes_nothing(fault, responses, tmp_path):
    with chat_server() as server:
        undisturbed = annotator(server, tmp_path / "other.jsonl").annotate(questions(1))
    with chat_server(script=["ok", fault]) as server:
        disturbed = annotator(server, responses).annotate(questions(1))
    pd.testing.assert_frame_equal(undisturbed, disturbed)
    assert len(server.asked) == 6
    assert len(server.answered) == len(set(server.answered)) == 5


def test_the_wait_that_a_server_asks_for_is_kept(responses):
    with chat_server(script=["429"]) as server:
        annotator(server, responses).annotate(questions(1))
    assert server.times[1] - server.times[0] >= 0.2


@pytest.mark.parametrize("status", ["401", "403"])
def test_a_wrong_key_stops_at_once_and_is_not_shown(status, responses, key, capfd):
    with chat_server(script=["ok", "ok", status]) as server, pytest.raises(InputError) as caught:
        annotator(server, responses, key_variable="SOME_KEY").annotate(questions(5))
    assert len(server.asked) == 3
    assert f"Bearer {SECRET}" in server.keys_seen
    shown = str(caught.value) + "".join(capfd.readouterr()) + responses.read_text()
    assert SECRET not in shown
    assert len(ResponseCache.peek(responses)) == 2


def test_a_server_elsewhere_needs_a_key(responses, monkeypatch):
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(InputError, match=r"set SOME_KEY to the key for api\.example"):
        annotator("https://api.example/v1", responses, key_variable="SOME_KEY").annotate(questions(1))


def test_a_server_that_is_not_there_is_named(responses):
    with chat_server() as server:
        pass
    with pytest.raises(InputError, match=f"connection to {server.url}"):
        annotator(server, responses, attempts=1).annotate(questions(1))


def test_a_server_that_refuses_everything_is_not_asked_much(responses, key):
    with chat_server(script=["400"] * 100) as server, pytest.raises(InputError, match="answered 400") as caught:
        annotator(server, responses).annotate(questions(20))
    assert len(server.asked) == 3
    assert SECRET not in str(caught.value)


def test_a_refused_question_loses_its_votes_and_no_more(responses):
    with chat_server(script=["ok", "400"]) as server:
        answers = annotator(server, responses, max_unanswered=0.2).annotate(questions(1))
    assert len(server.asked) == 5
    assert answers["label"].tolist() == ["Cardiology", "", *["Cardiology"] * 3]
    assert answers["problem"][1].startswith("refused: ")


def test_too_many_unanswered_stop_the_run_and_are_asked_for_again(responses):
    with chat_server(script=["ok", "400"]) as server:
        with pytest.raises(InputError, match="1 of 5 requests got no answer"):
            annotator(server, responses).annotate(questions(1))
        answers = annotator(server, responses).annotate(questions(1))
    assert len(server.asked) == 6
    assert (answers["label"] == "Cardiology").all()


def test_a_dead_server_stops_after_three_requests(responses):
    with chat_server(script=["ok"] + ["500"] * 100) as server, pytest.raises(InputError, match="3 requests in a row"):
        annotator(server, responses, attempts=2).annotate(questions(20))
    assert len(server.asked) == 7


def test_max_requests_stops_before_it_is_exceeded(responses):
    with chat_server() as server:
        with pytest.raises(InputError, match="stopped before max_requests 7: 7 are made"):
            annotator(server, responses, max_requests=7, concurrency=4).annotate(questions(4))
        assert len(server.asked) == 7
        annotator(server, responses, max_requests=20).annotate(questions(4))
    assert len(server.asked) == len(set(server.asked)) == 20


def test_max_cost_stops_before_it_is_exceeded(responses):
    spent = (100 * PRICES["input"] + 10 * PRICES["output"]) / 1e6
    with chat_server() as server, pytest.raises(InputError, match="stopped before max_cost"):
        annotator(server, responses, prices=PRICES, max_cost=0.01).annotate(questions(20))
    paid = spent * len(server.answered)
    assert 0.007 < paid <= 0.01


def test_what_is_in_doubt_counts_against_the_budget(responses):
    """A timeout may have been charged for: with a budget of two, one timeout leaves room for one answer."""
    with chat_server(script=["silent"]) as server, pytest.raises(InputError, match="max_requests 2"):
        annotator(server, responses, max_requests=2).annotate(questions(1))
    assert len(server.asked) == 2
    assert len(ResponseCache.peek(responses)) == len(ResponseCache.peek(responses).in_doubt) == 1


def test_the_estimate_sends_nothing_and_learns_from_answers(responses):
    with chat_server() as server:
        made = annotator(server, responses, prices=PRICES)
        before = made.estimate(questions(4))
        assert (before.requests, before.cached, before.measured) == (20, 0, False)
        assert before.output_tokens == 20 * 200
        assert server.asked == []
        made.annotate(questions(2))
        after = made.estimate(questions(4))
    assert (after.requests, after.cached, after.measured) == (10, 10, True)
    assert after.output_tokens == 100
    assert after.input_tokens == pytest.approx(1000, rel=0.01)
    assert after.cost == pytest.approx((1000 * PRICES["input"] + 100 * PRICES["output"]) / 1e6, rel=0.01)
    assert after.cost <= after.most
    assert "10 requests are left" in str(after)


def test_the_rate_limit_is_kept_over_all_threads(responses):
    with chat_server() as server:
        start = time.monotonic()
        annotator(server, responses, requests_per_minute=1200, concurrency=4).annotate(questions(2))
    assert server.times[-1] - start >= 9 * 60 / 1200


def test_an_answer_cut_off_at_its_limit_is_kept_and_told(responses):
    with chat_server(answer=lambda _: "The question is about", script=["length"]) as server:
        answers = annotator(server, responses).annotate(questions(1))
    assert answers["problem"].tolist() == ["cut off: no label in the answer", *["no label in the answer"] * 4]


def test_answers_come_in_order_whatever_the_threads(responses, tmp_path):
    def answer(message: str) -> str:
        return f"Specialty: {labels.CANDIDATES[sum(message.encode()) % 55]}"

    with chat_server(answer) as server:
        one = annotator(server, responses, concurrency=1).annotate(questions(8))
        many = annotator(server, tmp_path / "many.jsonl", concurrency=8).annotate(questions(8))
    pd.testing.assert_frame_equal(one, many)


def test_a_second_writer_is_told(responses):
    with (
        ResponseCache.opened(responses),
        pytest.raises(InputError, match="another annotation is writing"),
        ResponseCache.opened(responses),
    ):
        pass


def test_a_torn_line_is_passed_over_and_never_deleted(responses):
    with ResponseCache.opened(responses) as cache:
        cache.put("a", Response("one", "stop", Usage(1, 2)), {})
        cache.put("b", Response("two", "stop", Usage(3, 4)), {})
    whole = responses.read_bytes()
    responses.write_bytes(whole[:-10])
    with ResponseCache.opened(responses) as cache:
        assert (len(cache), cache.torn, cache.get("b")) == (1, 1, None)
        cache.put("b", Response("two again", "stop", Usage(3, 4)), {})
    again = ResponseCache.peek(responses)
    assert (len(again), again.torn) == (2, 1)
    assert again.get("b").text == "two again"
    assert again.used == Usage(4, 6)
    assert responses.read_bytes().startswith(whole[:-10])


def test_a_full_disk_loses_nothing_that_was_written(responses):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with ResponseCache.opened(responses) as cache:
            cache.put("a", Response("one", "stop", Usage(1, 1)), {})
            resource.setrlimit(resource.RLIMIT_FSIZE, (responses.stat().st_size + 20, limits[1]))
            with pytest.raises(OSError):
                cache.put("b", Response("two", "stop", Usage(1, 1)), {})
            assert cache.get("b") is None
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            cache.put("c", Response("three", "stop", Usage(1, 1)), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    again = ResponseCache.peek(responses)
    assert [again.get(key) is not None for key in "abc"] == [True, False, True]
    assert again.torn == 1


def test_every_line_of_the_cache_says_what_it_is(responses):
    with chat_server(script=["500"]) as server:
        annotator(server, responses).annotate(questions(1))
    lines = [json.loads(line) for line in responses.read_text().splitlines()]
    events = [line["event"] for line in lines]
    assert events == ["sent", "failed", *["sent", "response"] * 5]
    assert lines[3]["about"]["prompt"] == "plain"
    assert lines[3]["about"]["question_id"] == f"{0:016x}"


def test_an_interrupt_waits_for_what_is_under_way(responses):
    """SIGTERM in the middle: answers under way are kept, and the next run asks for the rest alone."""
    with chat_server(delay=0.05) as server:
        timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGTERM])
        timer.start()
        with pytest.raises(InputError, match="stopped by a signal"):
            annotator(server, responses, concurrency=4).annotate(questions(20))
        timer.join()
        assert 0 < len(server.asked) < 100
        assert ResponseCache.peek(responses).in_doubt == []
        annotator(server, responses, concurrency=4).annotate(questions(20))
    assert len(server.asked) == len(set(server.asked)) == 100
