"""A real HTTP server on this machine with OpenAI's chat completions, which misbehaves when told to."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
import html
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json
import threading
import time
from typing import Any
from urllib.parse import quote

Answer = Callable[[str], str]

REASONS: dict[str, tuple[int, dict[str, Any]]] = {
    "region": (403, {"error": {"code": "unsupported_country_region_territory", "message": "Country not supported"}}),
    "model-access": (403, {"error": {"code": "model_not_found", "message": "Project has no access to model m"}}),
    "flagged": (403, {"error": {"code": 403, "message": "Your input was flagged by moderation"}}),
    "quota": (429, {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}),
    "credits": (402, {"error": {"code": 402, "message": "Insufficient credits. Add more"}}),
    "no-seed": (422, {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}),
    "no-max-tokens": (400, {"error": {"param": "max_tokens", "message": "Unsupported parameter: 'max_tokens'"}}),
    "no-temperature": (400, {"error": {"message": "temperature does not support 0.0 with this model"}}),
    "too-long": (400, {"error": {"message": "maximum context length is 10; invalid max_tokens"}}),
    "error-in-200": (200, {"error": {"code": 402, "message": "Insufficient credits"}}),
    "passing-error-in-200": (200, {"error": {"code": 502, "message": "Upstream is away"}}),
}
"""Refusals by name: status and body, as providers send them."""

STATUSES = ("400", "401", "402", "403", "404", "407", "429", "500", "503")
"""With a body in which the key stands in every form."""

FAULTS = ("truncated", "silent", "not-json", "no-choices", "html", "redirect", "hung-up")


def echoes(key: str) -> dict[str, str]:
    """A key in the forms in which servers, proxies and libraries show it."""
    middle = len(key) // 2
    return {
        "as it is": key,
        "in an error of httpx": repr(f"Bearer {key}\n".encode()),
        "escaped": "".join(f"\\u{ord(c):04x}" for c in key),
        "percent-encoded": quote(key, safe=""),
        "Base64": base64.b64encode(key.encode()).decode(),
        "Base64 of a header": base64.b64encode(f"Bearer {key}".encode()).decode(),
        "basic authentication": base64.b64encode(f"me:{key}".encode()).decode(),
        "hexadecimal": key.encode().hex(),
        "over two lines": f"{key[:middle]}\n{key[middle:]}",
        "over two escaped lines": f"{key[:middle]}\\n    {key[middle:]}",
        "in two strings": f"'{key[:middle]}' '{key[middle:]}'",
        "in HTML": html.escape(key),
        "in capitals": key.upper(),
        "masked": f"{key[:5]}******{key[-4:]}",
        "in a URL": f"https://me:{key}@proxy.example/",
    }


class ChatServer:
    """Answers prompts with `answer`. The first requests get the behaviours of `script`, by name, instead.

    `asked` lists the idempotency keys of all requests that came in, `answered` those whose answer went out whole.
    """

    body: Callable[[str], bytes] | None = None
    """Makes the whole body of a completion from the prompt, in place of `answer`."""

    def __init__(self, answer: Answer, script: list[str], delay: float) -> None:
        self.answer, self.script, self.delay = answer, list(script), delay
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.keys_seen: set[str] = set()
        self.requests: list[dict] = []
        self.times: list[float] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @contextmanager
    def running(self) -> Iterator["ChatServer"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                owner._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        request = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        key = handler.headers["idempotency-key"]
        with self._lock:
            self.asked.append(key)
            self.requests.append(request)
            self.times.append(time.monotonic())
            self.keys_seen.add(handler.headers["authorization"])
            behaviour = self.script.pop(0) if self.script else "ok"
        time.sleep(self.delay)
        try:
            if self._behave(handler, behaviour, request):
                with self._lock:
                    self.answered.append(key)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client was killed while it waited

    def _behave(self, handler: BaseHTTPRequestHandler, behaviour: str, request: dict) -> bool:
        body = self._completion(request, "length" if behaviour == "length" else "stop")
        authorization = handler.headers["authorization"] or ""
        if behaviour in ("ok", "length"):
            self._send(handler, 200, body)
        elif behaviour in REASONS:
            status, said = REASONS[behaviour]
            self._send(handler, status, json.dumps(said).encode())
        elif behaviour.isdigit():
            shown = echoes(authorization.removeprefix("Bearer ")) if authorization else {}
            error = {"error": {"message": f"no: {authorization}; {shown}", "type": "scripted"}}
            headers = {"retry-after": "0.2"} if behaviour == "429" else {}
            self._send(handler, int(behaviour), json.dumps(error).encode(), headers)
        elif behaviour == "html":
            self._send(handler, 400, f"<html><title>No</title>{html.escape(authorization)}</html>".encode())
        elif behaviour == "redirect":
            self._send(handler, 307, b"", {"location": f"http://elsewhere.example/?key={authorization[7:]}"})
        elif behaviour == "hung-up":
            handler.close_connection = True
            handler.connection.close()
        elif behaviour == "truncated":
            handler.send_response(200)
            handler.send_header("content-type", "application/json")
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[: len(body) // 2])
            handler.close_connection = True
            handler.connection.close()
        elif behaviour == "silent":
            time.sleep(1.5)
        elif behaviour == "not-json":
            self._send(handler, 200, b"<html>Bad gateway</html>")
        elif behaviour == "no-choices":
            self._send(handler, 200, json.dumps({"id": "x", "object": "chat.completion", "choices": []}).encode())
        else:
            raise AssertionError(f"unknown behaviour {behaviour!r}")
        return behaviour in ("ok", "length")

    def _completion(self, request: dict, finish_reason: str) -> bytes:
        if self.body is not None:
            return self.body(request["messages"][0]["content"])
        text = self.answer(request["messages"][0]["content"])
        message = {"role": "assistant", "content": text}
        used = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        choice = {"index": 0, "message": message, "finish_reason": finish_reason}
        made = {"id": "1", "object": "chat.completion", "created": 0, "model": request["model"]}
        return json.dumps({**made, "choices": [choice], "usage": used}).encode()

    def _send(
        self, handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def chat_server(
    answer: Answer = lambda _: "Specialty: Cardiology", script: list[str] | None = None, delay: float = 0.0
) -> Iterator[ChatServer]:
    """A `ChatServer` on a free port for the length of the block."""
    with ChatServer(answer, script or [], delay).running() as server:
        yield server
