"""
How configuration is served to Envoy: messages, snapshots, streams and the gRPC server.

In: named, versioned bytes and what they refer to. Out: Envoy's discovery protocol, and each
client's word on what it was sent. It knows nothing of routes' authors, chooses no logger and may
not import `translator` or `penstock`; `messages`, `snapshot` and the stream machines also do
without grpc, asyncio and clocks.
"""

__all__: list[str] = []
