from __future__ import annotations

import http.client
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CANARY = {"stage": "canary"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request got; the status 0 stands for no answer, its body says why."""

    status: int
    body: str


def fetch(port: int, path: str, headers: dict[str, str] | None = None) -> Answer:
    """Ask once, over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        return _ask(connection, path, headers or {})
    finally:
        connection.close()


def _ask(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> Answer:
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read().decode().strip())
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return Answer(0, repr(error))


@dataclass
class Client:
    """
    Someone who never stops asking: a thread that sends one request after the other.

    A context manager; `answers` counts by (path, canary or not, answer).
    """

    port: int
    paths: Sequence[str]
    canaries: Sequence[bool] = (False, True)
    """Whether to ask without or with the header, or both."""
    answers: Counter[tuple[str, bool, Answer]] = field(default_factory=Counter)

    def __enter__(self):
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(timeout=15)

    @property
    def total(self) -> int:
        return sum(self.answers.copy().values())

    @property
    def failures(self) -> dict[tuple[str, bool, Answer], int]:
        """Return every answer that is not a 200, with its number."""
        return {key: number for key, number in self.answers.copy().items() if key[2].status != 200}

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        questions = [(path, canary) for path in self.paths for canary in self.canaries]
        while not self._stop.is_set():
            for path, canary in questions:
                answer = _ask(connection, path, CANARY if canary else {})
                self.answers[path, canary, answer] += 1
        connection.close()
