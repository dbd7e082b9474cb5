"""The backends' contracts. Snowstorm is a real HTTP server here, with answers of the shape that a Snowstorm gives."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import importlib.util
import json
import threading
from urllib.parse import parse_qs, urlsplit

import pytest

from neuro2cardio.config.terms import Snowstorm, Terms
from neuro2cardio.core.errors import InputError
from neuro2cardio.terms import backends, lexicon
from neuro2cardio.terms.backends import LexiconBackend
from neuro2cardio.terms.backends.snowstorm import SnowstormBackend
from neuro2cardio.terms.lexicon import Entry

CONCEPTS = {
    "29857009": ("Chest pain (finding)", ["Chest pain", "Pain in chest"], ["49601007", "404684003"]),
    "84114007": ("Heart failure (disorder)", ["Heart failure", "HF - Heart failure"], ["49601007", "64572001"]),
    "22253000": ("Pain (finding)", ["Pain"], ["404684003"]),
    "271825005": ("Respiratory distress (finding)", ["Respiratory distress"], ["50043002"]),
    "116154003": ("Patient (person)", ["Patient"], ["125676002"]),
    "49601007": ("Disorder of cardiovascular system (disorder)", ["Cardiovascular disease"], ["64572001"]),
}


class _Server(BaseHTTPRequestHandler):
    asked: Counter[str] = Counter()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.asked[query.get("term", url.path)] += 1
        self._answer(url.path.removeprefix("/snowstorm/"), query)

    def _answer(self, path: str, query: dict[str, str]) -> None:
        if path == "version":
            body = {"version": "10.8.2"}
        elif path == "browser/MAIN/descriptions":
            assert query["active"] == query["conceptActive"] == "true"
            body = {"items": self._descriptions(query["term"])}
        elif path.startswith("browser/MAIN/concepts/"):
            assert query == {"form": "inferred"}
            body = [{"conceptId": above} for above in CONCEPTS[path.split("/")[3]][2]]
        else:
            self.send_error(404)
            return
        content = json.dumps(body).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    @staticmethod
    def _descriptions(term: str) -> list[dict]:
        return [
            {"term": text, "active": True, "concept": {"conceptId": key, "fsn": {"term": name, "lang": "en"}}}
            for key, (name, texts, _) in CONCEPTS.items()
            for text in texts
            if term in text.casefold()
        ]

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def server() -> Iterator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    _Server.asked.clear()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}/snowstorm/"
    finally:
        httpd.shutdown()
        httpd.server_close()


def snowstorm(url: str) -> SnowstormBackend:
    return SnowstormBackend(Snowstorm(backend="snowstorm", url=url), max_specialties=3, timeout=5)


def test_snowstorm_takes_exact_matches_longest_first_with_ancestors_and_itself():
    text = "Chest pain, then heart failure. Pain in a patient with respiratory distress; cardiovascular disease."
    with server() as url:
        found = snowstorm(url).extract(text)
    assert [(m.text, m.concept_ids, m.specialties, m.kind, m.scope) for m in found] == [
        ("Chest pain", ("SCTID:29857009",), ("Cardiology",), "finding", "strict"),
        ("heart failure", ("SCTID:84114007",), ("Cardiology",), "disorder", "strict"),
        ("Pain", ("SCTID:22253000",), (), "finding", "none"),
        ("respiratory distress", ("SCTID:271825005",), ("Respiratory medicine",), "finding", "strict"),
        ("cardiovascular disease", ("SCTID:49601007",), ("Cardiology",), "disorder", "strict"),
    ]
    assert all(text[m.start : m.end] == m.text for m in found)


def test_snowstorm_asks_once_for_each_text_and_never_across_punctuation():
    with server() as url:
        backend = snowstorm(url)
        backend.extract("chest pain. chest pain")
        backend.extract("Chest pain")
        assert _Server.asked["chest pain"] == 1
        assert "pain. chest" not in _Server.asked
        assert "pain chest" not in _Server.asked


def test_snowstorm_names_its_versions():
    with server() as url:
        assert snowstorm(url).versions() == {"snowstorm": "10.8.2", "snomed-ct": "MAIN"}


@pytest.mark.parametrize("path", ["nowhere/", ""])
def test_a_snowstorm_that_does_not_answer_is_named(path):
    with server() as url:
        wrong = f"{url}{path}" if path else "http://127.0.0.1:9/"
        with pytest.raises(InputError, match=r"terms\.lexicon\.url"):
            snowstorm(wrong).extract("chest pain")


@pytest.mark.skipif(importlib.util.find_spec("scispacy") is not None, reason="scispacy is installed")
def test_scispacy_that_is_not_there_says_what_to_install():
    terms = Terms(lexicon={"backend": "scispacy", "model": "en_core_sci_sm"})
    with pytest.raises(InputError, match=r"en_core_sci_sm.*install"):
        backends.backend(
            terms, lexicon.build([Entry("a b c", ("Cardiology",), "term", "x", "dictionary")], max_specialties=3), {}
        )


def test_embedded_and_dictionary_read_the_lexicon():
    table = lexicon.build([Entry("chest pain", ("Cardiology",), "finding", "x", "dictionary")], max_specialties=3)
    for chosen in ({"backend": "embedded"}, {"backend": "json", "path": "terms.json"}):
        backend = backends.backend(Terms(lexicon=chosen), table, {"source": "1"})
        assert isinstance(backend, LexiconBackend)
        assert backend.versions() == {"source": "1"}
        assert [m.text for m in backend.extract("Has chest pain.")] == ["chest pain"]
