"""The server of the load: an `AdsServer` in a process of its own, told what to do by a pipe."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import resource
from contextlib import contextmanager
from pathlib import Path

from xds import messages
from xds.cache import SnapshotCache
from xds.limits import Limits
from xds.server import AdsServer
from xds.snapshot import Resource, Snapshot
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

NAMES = {CLUSTER: "c", LOAD_ASSIGNMENT: "c", LISTENER: "l", ROUTE_CONFIGURATION: "r"}
REQUIRES = {CLUSTER: ("c",), LISTENER: ("r",), ROUTE_CONFIGURATION: ("c",)}


def snapshot(number, size):
    """Make a snapshot of four resources, of which the routes are of some size and always new."""
    resources = []
    for type_url, name in NAMES.items():
        key = "cluster_name" if type_url == LOAD_ASSIGNMENT else "name"
        fields = {key: name}
        if type_url == ROUTE_CONFIGURATION:
            fields["request_headers_to_remove"] = [str(number), "x" * size]
        message = messages.build(type_url.rpartition("/")[2], **fields)
        body = messages.encode(message)
        resources.append(Resource.of(type_url, name, body, requires=REQUIRES.get(type_url, ())))
    return Snapshot.of(resources)


def allow_files(wanted=20_000):
    """Let this process have a connection for each stream."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def memory(name):
    """Return a line of this process' status in kB: `VmRSS` now, `VmHWM` at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


class Server:
    """The server as seen from the process that started it."""

    def __init__(self, pipe, pid):
        self._pipe = pipe
        self.pid = pid
        self.port = pipe.recv()

    def ask(self, *command):
        self._pipe.send(command)
        return self._pipe.recv()


async def serve(pipe, size, limits):
    """Serve a snapshot of some size, and whatever is published."""
    allow_files()
    cache = SnapshotCache()
    cache.set("p", snapshot(0, size))
    cache.mark_synced()
    server = AdsServer(cache, proxy_of=lambda _: "p", identifier="load", limits=limits)
    pipe.send(await server.start("127.0.0.1:0"))

    def answer(*command):
        match command:
            case ("publish", number):
                cache.set("p", snapshot(number, size))
                return None
            case ("streams",):
                streams = server.streams()
                return len(streams), sum(bool(each.writing_since) for each in streams)

    await obey(pipe, answer)
    await server.drain(0)
    pipe.send(None)


async def obey(pipe, answer):
    """
    Answer what comes by the pipe, until it says to stop or nobody is there any more.

    Args:
        pipe: Where commands come from.
        answer: Returns the answer to a command that not every server understands.
    """
    ended = asyncio.Event()

    def read():
        try:
            command = pipe.recv()
        except EOFError:  # who gave the orders is gone
            command = ("stop",)
        match command:
            case ("rss",):
                gc.collect()
                pipe.send(memory("VmRSS"))
            case ("peak",):
                pipe.send(memory("VmHWM"))
            case ("stop",):
                ended.set()
            case _:
                pipe.send(answer(*command))

    asyncio.get_running_loop().add_reader(pipe.fileno(), read)
    await ended.wait()


@contextmanager
def serving(size, limits=None, by=serve):
    """
    Run a server in a process of its own, for as long as the context lasts.

    Args:
        size: How large what it serves is.
        limits: What its clients may cost.
        by: A coroutine function of the pipe and the other two, at the top of its module. It sends
            the port, obeys, and sends something at its end.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_run, args=(by, theirs, size, limits or Limits()), daemon=True)
    process.start()
    try:
        server = Server(ours, process.pid)
        yield server
        server.ask("stop")
    finally:
        process.join(5)
        process.kill()


def _run(by, *arguments):
    asyncio.run(by(*arguments))
