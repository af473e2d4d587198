"""Every feature of the golden case `every-feature`, asked of a real Envoy."""

from __future__ import annotations

import http.client
import json
import socketserver
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support import wait_until
from support.cases import golden_inputs

pytestmark = [pytest.mark.envoy, pytest.mark.slow]


class Mirror(BaseHTTPRequestHandler):
    """Answers with the request; slowly under /slow, and badly at first under /flaky."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(1)
        self.server.seen[self.path] += 1
        bad = self.path.startswith("/flaky") and self.server.seen[self.path] < 3
        body = json.dumps(
            {
                "server": self.server.name,
                "method": self.command,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
            }
        ).encode()
        self.send_response(503 if bad else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_DELETE = do_GET  # noqa: N815  http.server wants these names

    def address_string(self):
        return ""

    def log_message(self, *_): ...


class SocketServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextmanager
def mirroring(server, name):
    server.name, server.seen = name, Counter()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["sotw", "delta"])
def ask(request, stage):
    """Serve the case to an Envoy, and ask it."""
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(mirroring(ThreadingHTTPServer(("127.0.0.1", 0), Mirror), name))
            for name in ("first", "second")
        )
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        path = Path(folder) / "mirror.sock"
        stack.enter_context(mirroring(SocketServer(str(path), Mirror), "socket"))
        for name, text in golden_inputs("every-feature").items():
            moved = text.replace(b"8080", str(stage.listener).encode())
            moved = moved.replace(b"9001", str(first.server_port).encode())
            moved = moved.replace(b"9002", str(second.server_port).encode())
            stage.save(name, moved.replace(b"/run/mirror.sock", str(path).encode()))
        penstock = stack.enter_context(stage.control_plane())
        envoy = stack.enter_context(stage.envoy(request.param, penstock.ads_port))

        def ask(path, method="GET", **headers):
            connection = http.client.HTTPConnection("127.0.0.1", stage.listener, timeout=10)
            try:
                named = {name.replace("_", "-"): value for name, value in headers.items()}
                connection.request(method, path, headers=named)
                answer = connection.getresponse()
                return Reply(answer, answer.read())
            finally:
                connection.close()

        wait_until(lambda: envoy.updates() >= 3 and stage.ask("/answer") == "418", "the routes", 20)
        yield ask
        assert envoy.rejected() == {}


class Reply:
    def __init__(self, answer, body):
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.body = body.decode()
        self.seen = json.loads(body) if body.startswith(b"{") else {}


def test_features(ask):
    """What is written is what Envoy does, feature by feature."""
    matched = {"x_exact": "one", "x_regex": "two", "x_present": "anything"}
    for status, path, method, headers in [
        (200, "/exact", "GET", {}),
        (200, "/exact?query=1", "GET", {}),
        (404, "/exact/more", "GET", {}),
        (200, "/regex/42", "GET", {}),
        (404, "/regex/42/more", "GET", {}),
        (200, "/CASE/more", "GET", {}),
        (404, "/EXACT", "GET", {}),
        (200, "/headers", "GET", matched),
        (404, "/headers", "GET", matched | {"x_exact": "two"}),
        (404, "/headers", "GET", matched | {"x_regex": "TWO"}),
        (404, "/headers", "GET", matched | {"x_absent": "here"}),
        (404, "/headers", "GET", {"x_exact": "one", "x_regex": "two"}),
        (200, "/query?a=1&b=2&c=", "GET", {}),
        (404, "/query?a=1&b=20&c=", "GET", {}),
        (404, "/query?a=1&b=2", "GET", {}),
        (200, "/methods", "PUT", {}),
        (200, "/methods", "DELETE", {}),
        (404, "/methods", "GET", {}),
        (200, "/first", "PUT", {}),
        (200, "/second", "GET", {}),
        (404, "/second", "PUT", {}),
        (504, "/slow", "GET", {}),
        (200, "/flaky", "GET", {}),
        (200, "/named", "GET", {}),
        (200, "/group", "GET", {}),
        (503, "/subset/none", "GET", {}),
    ]:
        assert (status, path) == (ask(path, method, **headers).status, path)

    redirect = ask("/redirect/a?b=c")
    assert (307, "http://other.example/new/a?b=c") == (
        redirect.status,
        redirect.headers["location"],
    )
    moved = ask("/moved?b=c", host="me.example")
    assert (301, "https://me.example:8443/there") == (moved.status, moved.headers["location"])
    users = ask("/users/ann", host="me.example")
    assert (303, "http://me.example/people/ann") == (users.status, users.headers["location"])
    answer = ask("/answer")
    assert (418, "short and stout") == (answer.status, answer.body)

    assert ask("/rewrite/a?b=c").seen["path"] == "/rewritten/a?b=c"
    assert [ask(path).seen["path"] for path in ("/strip", "/strip/", "/strip/a/b?c=/strip")] == [
        "/",
        "/",
        "/a/b?c=/strip",
    ]
    assert ask("/host").seen["headers"]["host"] == "inner.example"
    changed = ask("/changed", x_secret="hush", user_agent="test")
    assert "x-secret" not in changed.seen["headers"]
    assert changed.seen["headers"]["x-added"] == "yes please"
    assert changed.seen["headers"]["user-agent"] == "penstock"
    assert changed.headers["x-answered"] == "true"

    assert ask("/socket").seen["server"] == "socket"
    assert ask("/subset/both").seen["server"] == "second"
    assert {ask("/subset/default").seen["server"] for _ in range(10)} == {"first"}
    assert ask("/weighted").headers["x-share"] == "first"
