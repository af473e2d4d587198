"""
Status, reports and metrics over HTTP.

It only tells, and it tells everything to everybody who can reach it: by default that is this
machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from penstock.documents import snapshot_document

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from starlette.requests import Request

    from penstock.metrics import Metrics
    from penstock.status import View
    from xds.snapshot import Snapshot

__all__ = ["AdminServer", "application"]

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class _Json(Response):
    media_type = "application/json"

    def __init__(self, content: object, status_code: int = 200) -> None:
        super().__init__(content, status_code, _HEADERS)

    def render(self, content: object) -> bytes:
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def application(view: View, metrics: Metrics) -> Starlette:
    """Make the ASGI application."""
    pages = _Pages(view, metrics)
    return Starlette(
        routes=[
            Route("/healthz", pages.healthz),
            Route("/readyz", pages.readyz),
            Route("/metrics", pages.metrics),
            Route("/api/v1/status", pages.status),
            Route("/api/v1/reports", pages.reports),
            Route("/api/v1/snapshot/{proxy}", pages.snapshot),
        ],
        exception_handlers={HTTPException: _error, Exception: _error},
    )


class _Pages:
    def __init__(self, view: View, metrics: Metrics) -> None:
        self._view = view
        self._metrics = metrics

    async def healthz(self, _: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_HEADERS)

    async def readyz(self, _: Request) -> Response:
        reason = self._view.reason_not_ready()
        if reason:
            return PlainTextResponse(f"not ready: {reason}\n", 503, headers=_HEADERS)
        return PlainTextResponse("ok\n", headers=_HEADERS)

    async def metrics(self, _: Request) -> Response:
        return Response(self._metrics.text(), headers=_HEADERS, media_type=CONTENT_TYPE_LATEST)

    async def status(self, _: Request) -> Response:
        return _Json(self._view.status())

    async def reports(self, _: Request) -> Response:
        # There may be thousands, each with its line of text; what they are about does not change.
        return await asyncio.to_thread(lambda: _Json(self._view.reports()))

    async def snapshot(self, request: Request) -> Response:
        proxy = request.path_params["proxy"]
        publication = self._view.state().proxies.get(proxy)
        if publication is None:
            raise HTTPException(404, f"there is no proxy '{proxy}'")
        snapshot: Snapshot | None = publication.snapshot
        match request.query_params.get("for", "envoy"):
            case "envoy":
                pass
            case "grpc":
                snapshot = self._view.grpc_snapshot(proxy)
            case other:
                raise HTTPException(400, f"'for' is 'envoy' or 'grpc', not '{other}'")
        if snapshot is None:
            raise HTTPException(404, f"proxy '{proxy}' never had a gRPC client")
        # Decoding everything takes long, and the streams must not wait for it.
        document = await asyncio.to_thread(snapshot_document, proxy, snapshot)
        return _Json(document)


async def _error(request: Request, exception: Exception) -> Response:
    if not isinstance(exception, HTTPException):
        return _Json({"error": "a bug in Penstock; the log has more"}, 500)
    detail = exception.detail
    if exception.status_code == 404 and detail == "Not Found":
        detail = f"there is no {request.url.path} here"
    response = _Json({"error": detail}, exception.status_code)
    response.headers.update(exception.headers or {})
    return response


class AdminServer:
    """Serves an application on an open socket, in the running event loop."""

    def __init__(self, app: Starlette, listening: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=30,
        )
        self._server = _QuietServer(config)
        self._socket = listening

    async def serve(self) -> None:
        """Serve until `stop` is called."""
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """End once the requests at hand are answered."""
        self._server.should_exit = True


class _QuietServer(uvicorn.Server):
    """A server that leaves the signals to the program that it is a part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
