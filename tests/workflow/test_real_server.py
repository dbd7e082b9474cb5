"""The annotator against a real server with OpenAI's protocol: `transformers serve`, with a tiny random model."""

from pathlib import Path
import shutil
import socket
import subprocess
import sys

import pandas as pd
import pytest
from tiny_grid import environment, wait_for

from neuro2cardio.annotation import prompts
from neuro2cardio.annotation.responses import ResponseCache
from neuro2cardio.annotation.server import Server
from neuro2cardio.config.annotation import OpenAIAnnotator
from neuro2cardio.core.errors import InputError

CANDIDATES = ("Cardiology", "Neurology")


@pytest.fixture(scope="module")
def served(tiny_model, tmp_path_factory):
    """The base URL of a server, and the name of its model."""
    model = tiny_model()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).parent / "transformers", "serve", model, "--port", str(port), "--device", "cpu"]
    log = tmp_path_factory.mktemp("serve") / "log"
    with log.open("w") as out:
        process = subprocess.Popen(list(map(str, command)), env=environment(), stdout=out, stderr=out)
    try:
        wait_for(lambda: process.poll() is not None or "running on" in log.read_text(), 120, "transformers serve")
        assert process.poll() is None, log.read_text()[-3000:]
        yield f"http://localhost:{port}/v1", str(model)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def texts(tmp_path):
    """The five prompts without their examples, which a tokenizer of 500 tokens would make very long."""
    folder = shutil.copytree(prompts.FOLDER, tmp_path / "prompts")
    (folder / prompts.SHOWN).write_text("Question: Why does it hurt?\nSpecialty: Neurology\n")
    return prompts.load(folder)


def annotator(served, texts, responses, **settings):
    url, model = served
    given = {"backend": "openai", "base_url": url, "model": model, "max_tokens": 6, "concurrency": 1, "attempts": 2}
    return Server(OpenAIAnnotator.model_validate(given | settings), CANDIDATES, texts, responses)


QUESTIONS = pd.DataFrame({"question_id": ["0" * 16], "stem": ["Chest pain?"], "options": [["angina", "ataxia"]]})


def test_five_prompts_are_answered_and_kept_with_their_tokens(served, texts, tmp_path):
    answers = annotator(served, texts, tmp_path / "responses.jsonl").annotate(QUESTIONS)
    assert answers["prompt"].tolist() == list(prompts.WAYS)
    kept = ResponseCache.peek(tmp_path / "responses.jsonl")
    assert len(kept) == 5
    assert 5 <= kept.used.output_tokens <= 30
    assert kept.used.input_tokens > 100
    again = annotator(served, texts, tmp_path / "responses.jsonl").annotate(QUESTIONS)
    pd.testing.assert_frame_equal(answers, again)


def test_a_model_that_the_server_does_not_have_is_told(served, texts, tmp_path):
    with pytest.raises(InputError, match="answered 4"):
        annotator(served, texts, tmp_path / "responses.jsonl", model="another").annotate(QUESTIONS)
