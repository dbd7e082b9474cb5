"""The key for a server: where it may go, and that nothing ever shows it, whatever fails."""

import json
from pathlib import Path
import re
import runpy
import sys

from chat_server import FAULTS, REASONS, STATUSES, chat_server, echoes
from hypothesis import given, strategies as st
import pandas as pd
import pytest
from tiny_grid import CHECKOUT

from neuro2cardio.annotation.credentials import Redactor
from neuro2cardio.core import tables

KEY = "sk-Zq7+vN/2wX9k=LmT4&yB8"
"""With characters that each encoding writes in another way."""


@pytest.fixture
def questions(tmp_path) -> Path:
    rows = [
        (f"{i:016x}", "all", "table", str(i), f"What ails {i}?", ["this", "that"], 0, "", [], []) for i in range(10)
    ]
    path = tmp_path / "questions.parquet"
    tables.write(pd.DataFrame(rows, columns=tables.QUESTIONS.names), path, tables.QUESTIONS)
    return path


@pytest.fixture
def annotate(questions, tmp_path, monkeypatch, capfd):
    """Runs the command as its rule does; returns what it printed and what it ended with."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)

    def run(base_url: str, key: str = KEY, variable: str | None = "SOME_KEY", **settings) -> str:
        monkeypatch.setenv(variable or "OPENAI_API_KEY", key)
        given = {"backend": "openai", "model": "m", "base_url": base_url, "key_variable": variable, "attempts": 2}
        given |= {"concurrency": 1, "timeout_seconds": 0.5, **settings}
        (tmp_path / "settings.json").write_text(json.dumps({"annotation": {"annotator": given}}))
        options = {
            "settings": tmp_path / "settings.json",
            "questions": questions,
            "responses": tmp_path / "responses.jsonl",
            "out": tmp_path / "answers.parquet",
        }
        argv = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        monkeypatch.setattr(sys, "argv", ["annotate.py", *argv])
        ended = ""
        try:
            runpy.run_path(str(CHECKOUT / "workflow/scripts/annotate.py"), run_name="__main__")
        except SystemExit as stop:
            ended = str(stop.code)
        return "".join(capfd.readouterr()) + ended

    return run


def found_in(text: str, key: str = KEY) -> list[str]:
    """The forms of a key that stand in a text."""
    return [name for name, form in echoes(key).items() if form in text] + ["a piece of it"] * (key[3:11] in text)


ALL = [*STATUSES, *REASONS, *FAULTS, "ok"]
ENDS = [(behaviour, end) for behaviour in ("401", "hung-up", "ok") for end in ("", "\r\n", " ")]


@pytest.mark.parametrize(("behaviour", "end"), [*((behaviour, "\n") for behaviour in ALL), *ENDS])
def test_no_failure_shows_the_key(behaviour, end, annotate, tmp_path):
    with chat_server(script=["ok", behaviour, behaviour, *["ok"] * 100]) as server:
        shown = annotate(server.url, KEY + end, max_unanswered=1.0)
    assert server.keys_seen == {f"Bearer {KEY}"}
    assert "Traceback" not in shown
    assert not found_in(shown)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not found_in(path.read_bytes().decode("utf-8", "replace")), path.name


def test_an_answer_that_repeats_the_key_is_kept_without_it(annotate, tmp_path):
    with chat_server(lambda _: f"Specialty: Cardiology {list(echoes(KEY).values())}") as server:
        annotate(server.url)
    kept = (tmp_path / "responses.jsonl").read_text()
    assert "Cardiology" in kept
    assert not found_in(kept)
    assert not found_in((tmp_path / "answers.parquet").read_bytes().decode("utf-8", "replace"))


@pytest.mark.parametrize("form", echoes(KEY))
def test_every_form_of_the_key_is_blanked(form):
    shown = Redactor([KEY])(f"the server said {echoes(KEY)[form]} and closed")
    assert shown.startswith("the server said")
    assert shown.endswith("and closed")
    assert "[key]" in shown or "[hidden]" in shown
    assert not found_in(shown)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=60), st.text(max_size=20))
def test_any_key_is_blanked_in_any_text(key, around):
    redact = Redactor([key])
    for form in echoes(key).values():
        assert key not in redact(f"{around}{form}{around}")
    assert redact(redact(key)) == redact(key)


def test_what_is_no_secret_stays():
    said = "Rate limit reached for gpt-4o in organization org-1 on tokens per min: basic metabolic panel... 12 xxxx"
    assert Redactor([KEY])(said) == said


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("region", r"answered 403: Country not supported \(unsupported_country_region_territory\)"),
        ("model-access", r"answered 403: Project has no access to model m"),
        ("quota", r"answered 429: You exceeded your current quota \(insufficient_quota\); the account cannot pay"),
        ("credits", r"answered 402: Insufficient credits. Add more; the account cannot pay for more"),
        ("error-in-200", r"answered 402: Insufficient credits; the account cannot pay for more"),
        ("no-seed", r"answered 422: Extra inputs are not permitted \(body.seed\).* set seed: null"),
        ("no-max-tokens", r"set limit_parameter: max_completion_tokens"),
        ("no-temperature", r"set temperature: null"),
        ("redirect", r"answered 307: it sends requests on to http://elsewhere\.example/\?key=\[key\]"),
        ("404", r"it has no model 'm', or base_url is wrong"),
    ],
)
def test_what_no_request_survives_stops_at_once_with_the_servers_reason(behaviour, message, annotate):
    with chat_server(script=["ok", "ok", behaviour]) as server:
        shown = annotate(server.url)
    assert re.search(message, shown), shown
    assert "2 answers are kept; run again to go on" in shown
    assert len(server.asked) == 3


@pytest.mark.parametrize("behaviour", ["flagged", "too-long"])
def test_what_one_request_runs_into_costs_one_vote(behaviour, annotate):
    with chat_server(script=["ok", behaviour]) as server:
        shown = annotate(server.url, max_unanswered=0.1)
    assert "50 answers, 1 without a label" in shown
    assert len(server.asked) == 50


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("sk-abc\u2026def", r"SOME_KEY: character 7 of 10 of the key is U\+2026"),
        ("sk-abc def", r"character 7 of 10 of the key is U\+0020"),
        ("Bearer sk-abc", "copy the key alone"),
        ('"sk-abc"', "quotation marks; remove them"),
    ],
)
def test_a_key_that_no_header_can_hold(key, message, annotate):
    with chat_server() as server:
        shown = annotate(server.url, key)
    assert re.search(message, shown), shown
    assert "sk-a" not in shown
    assert server.asked == []


def test_a_key_does_not_travel_unencrypted(annotate):
    shown = annotate("http://api.example/v1")
    assert "http://api.example is not encrypted, and the key in SOME_KEY would travel in the open" in shown


def test_openais_key_goes_to_openai_alone(annotate):
    with chat_server() as server:
        annotate(server.url, variable=None)
    assert server.keys_seen == {None}
    assert "OPENAI_API_KEY is sent to openai.com alone" in annotate("https://api.example/v1", variable="OPENAI_API_KEY")


def test_a_server_that_wants_a_key_and_gets_none_says_how_to_give_one(annotate):
    with chat_server(script=["401"]) as server:
        assert "put it into an environment variable, and name that in key_variable" in annotate(
            server.url, variable=None
        )


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "nonsense://me:geheim@x"])
def test_this_machine_is_never_asked_through_a_proxy(name, proxy, annotate, monkeypatch):
    monkeypatch.setenv(name, proxy)
    with chat_server() as server:
        assert "50 answers, 0 without a label" in annotate(server.url)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ALL_PROXY", "socks5://me:geheim@127.0.0.1:9", "ALL_PROXY: a SOCKS proxy, which is not supported"),
        ("https_proxy", "nonsense://me:geheim@x", "https_proxy: not an address of a proxy"),
        (
            "https_proxy",
            "http://me:geheim@127.0.0.1:9",
            r"connection to https://api.example/v1: .* \(https_proxy set\)",
        ),
        ("SSL_CERT_FILE", "/nowhere.pem", "SSL_CERT_FILE: /nowhere.pem is not a file of certificates"),
        ("SSL_CERT_FILE", __file__, "it holds no certificate in PEM form"),
        ("SSL_CERT_DIR", "/nowhere", "SSL_CERT_DIR: /nowhere is not a folder"),
    ],
)
def test_a_variable_of_the_network_that_is_wrong_is_named(name, value, message, annotate, monkeypatch):
    monkeypatch.setenv(name, value)
    shown = annotate("https://api.example/v1", attempts=1)
    assert re.search(message, shown), shown
    assert "geheim" not in shown
    assert "Traceback" not in shown
