"""
A gRPC client without a proxy, as a program: gRPC reads its bootstrap once in a process.

Each line on stdin is a JSON object, the arguments of `ask`; each line on stdout is its answer, a
JSON object from outcome to number.
"""

from __future__ import annotations

import json
import sys
from collections import Counter

import grpc


def ask(channels, target, method, metadata, count, timeout, options):
    """Call a method so many times, one after the other, and count what comes of it."""
    channel = channels.get(target)
    if channel is None:
        channel = channels[target] = grpc.insecure_channel(target, options=options)
    call = channel.unary_unary(method)
    metadata = [(key, value.encode() if key.endswith("-bin") else value) for key, value in metadata]
    return Counter(_outcome(call, metadata, timeout) for _ in range(count))


def _outcome(call, metadata, timeout):
    try:
        return call(b"", metadata=metadata, timeout=timeout).decode()
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"


def main():
    channels = {}
    for line in sys.stdin:
        print(json.dumps(ask(channels, **json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
