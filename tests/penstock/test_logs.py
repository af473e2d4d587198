from __future__ import annotations

import io
import json
import logging

import pytest
import structlog

from penstock import logs


@pytest.fixture(autouse=True)
def _restore():
    """Leave the libraries' settings as they were."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.reset_defaults()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_json_is_one_object_a_line():
    """Each event is a line that a program can read, its facts as keys, tracebacks too."""
    stream = io.StringIO()
    logs.configure(form="json", level="info", stream=stream)
    try:
        int("a\nb")
    except ValueError as error:
        logs.get_logger().error("update_rejected", node="edge", exc_info=error)

    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)

    assert ("update_rejected", "error", "edge") == (event["event"], event["level"], event["node"])
    assert "ValueError" == event["exception"][0]["exc_type"]


def test_auto_depends_on_the_stream():
    """People at a terminal get text, everybody else JSON."""
    file, terminal = io.StringIO(), Terminal()
    for stream in (file, terminal):
        logs.configure(form="auto", level="info", stream=stream)
        logs.get_logger().info("stream_opened")

    assert "stream_opened" == json.loads(file.getvalue())["event"]
    assert not terminal.getvalue().startswith("{")


def test_the_terminal_obeys_nobody():
    """What users and Envoys wrote cannot steer the terminal that the log is read on."""
    stream = Terminal()
    logs.configure(form="console", level="info", stream=stream)
    logs.get_logger().info("update_rejected", text="\x1b]0;evil\x07")

    assert "\x1b]0;" not in stream.getvalue()
    assert "\\x1b]0;evil" in stream.getvalue()


@pytest.mark.parametrize(("level", "count"), [("debug", 3), ("info", 2), ("error", 1)])
def test_less_important_events_are_left_out(level, count):
    """The level is the least important one that is logged."""
    stream = io.StringIO()
    logs.configure(form="json", level=level, stream=stream)
    log = logs.get_logger()
    log.debug("update_sent")
    log.info("stream_opened")
    log.error("update_rejected")

    assert count == len(stream.getvalue().splitlines())


def test_libraries_log_in_the_same_form():
    """What a library logs with the standard library is a line of the same kind."""
    stream = io.StringIO()
    logs.configure(form="json", level="info", stream=stream)
    logging.getLogger("grpc").warning("something %s", "odd")
    logging.getLogger("uvicorn").info("not of interest")

    (line,) = stream.getvalue().splitlines()
    assert ("something odd", "warning") == (json.loads(line)["event"], json.loads(line)["level"])


def test_events_are_named_alike():
    """An event's name is a noun and a verb, and the same as its constant's."""
    events = {
        name: value
        for name, value in vars(logs).items()
        if name.isupper() and isinstance(value, str)
    }

    assert events
    assert {name: name.lower() for name in events} == events
