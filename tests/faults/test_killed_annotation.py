"""An annotation that is killed again and again pays for nothing twice, and ends as an undisturbed one."""

from collections import Counter
import json
from pathlib import Path
import random
import signal
import subprocess
import sys
import time

from chat_server import ChatServer, chat_server
import pandas as pd
import pytest
from tiny_grid import CHECKOUT, environment

from neuro2cardio.annotation.labels import CANDIDATES
from neuro2cardio.annotation.responses import ResponseCache
from neuro2cardio.core import tables

QUESTIONS = 60
REQUESTS = 5 * QUESTIONS
KILLS = 10


def answer(message: str) -> str:
    """Depends on the question alone: prose, a label, or several."""
    n = sum(message.encode())
    return ("I cannot say.", f"Specialty: {CANDIDATES[n % 55]}", "Cardiology or Neurology")[n % 7 % 3]


@pytest.fixture
def questions(tmp_path) -> Path:
    rows = [
        (f"{i:016x}", "all", "table", str(i), f"What ails patient {i}?", ["this", "that"], 0, "", [], [])
        for i in range(QUESTIONS)
    ]
    tables.write(pd.DataFrame(rows, columns=tables.QUESTIONS.names), tmp_path / "questions.parquet", tables.QUESTIONS)
    return tmp_path / "questions.parquet"


def start(server: ChatServer, questions: Path, responses: Path, output: Path) -> subprocess.Popen:
    annotator = {"backend": "openai", "model": "some-model", "base_url": server.url, "concurrency": 3}
    settings = output.with_name("settings.json")
    settings.write_text(json.dumps({"annotation": {"annotator": annotator}}))
    options = {"settings": settings, "questions": questions, "responses": responses, "out": output}
    command = [sys.executable, CHECKOUT / "workflow/scripts/annotate.py"]
    command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_at_random(run: subprocess.Popen, server: ChatServer, blow: signal.Signals, draw: random.Random) -> None:
    """Let it send some requests, and then strike; it may be done before."""
    goal = len(server.asked) + draw.randint(1, REQUESTS // KILLS)
    while len(server.asked) < goal and run.poll() is None:
        time.sleep(0.002)
    time.sleep(draw.random() * 0.05)
    run.send_signal(blow)
    run.wait(30)


@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGKILL])
def test_killed_ten_times_nothing_that_was_answered_is_asked_again(blow, tmp_path, questions):
    draw = random.Random(5)
    responses, output = tmp_path / "responses.jsonl", tmp_path / "answers.parquet"
    with chat_server(answer) as server:
        assert start(server, questions, tmp_path / "undisturbed.jsonl", tmp_path / "undisturbed.parquet").wait(60) == 0
    with chat_server(answer, delay=0.02) as server:
        kept: set[str] = set()
        for _ in range(KILLS):
            before = len(server.asked)
            kill_at_random(start(server, questions, responses, output), server, blow, draw)
            assert not kept & set(server.asked[before:]), "asked again for what was kept"
            cache = ResponseCache.peek(responses)
            kept = {key for key in server.asked if cache.get(key) is not None}
            assert len(kept) == len(cache) < REQUESTS
            assert not output.exists()
        before = len(server.asked)
        assert start(server, questions, responses, output).wait(60) == 0
        assert not kept & set(server.asked[before:])
        cache = ResponseCache.peek(responses)
        repeated = sum(Counter(server.asked).values()) - REQUESTS
    assert len(cache) == REQUESTS
    if blow is signal.SIGTERM:
        assert repeated == 0
    else:
        # What was under way when the blow fell never arrived. It is asked again, and counted as possibly charged for.
        assert repeated <= len(cache.in_doubt) <= 3 * KILLS
    assert output.read_bytes() == (tmp_path / "undisturbed.parquet").read_bytes()
