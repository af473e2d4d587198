"""
The dialect for gRPC clients that are xDS clients themselves and need no proxy.

In: the IR of a proxy, as its Envoys are served it. Out: a snapshot in which the same routes lead to
the same endpoints, in the words that gRPC's libraries understand (gRFC A27, A28, A37, A44).
They know neither subsets nor clusters with several names, so `proxyless` rewrites the IR first, and
leaves in it only what they read; `emit_proxyless` only encodes. `docs/grpc.md` tells users what
becomes of each field.
"""

from translator.emit.proxyless.services import Proxyless, proxyless
from translator.emit.proxyless.snapshot import emit_proxyless

__all__ = ["Proxyless", "emit_proxyless", "proxyless"]
