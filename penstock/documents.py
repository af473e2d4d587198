"""What proxies are told, as documents for people and programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from translator.ir.plain import to_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from translator import ir
    from xds.snapshot import Snapshot

__all__ = ["grpc_document", "ir_document", "snapshot_document", "write", "xds_document"]


def ir_document(proxies: Iterable[ir.Proxy]) -> Mapping[str, object]:
    """Describe proxies in Penstock's own terms."""
    return {"proxies": [to_plain(proxy) for proxy in proxies]}


def xds_document(proxies: Iterable[ir.Proxy]) -> Mapping[str, object]:
    """Describe proxies by the resources that their Envoys get."""
    from translator.emit import emit  # noqa: PLC0415 (it takes half a second)

    return {"proxies": [snapshot_document(proxy.name, emit(proxy)) for proxy in proxies]}


def grpc_document(proxies: Iterable[ir.Proxy]) -> Mapping[str, object]:
    """Describe proxies by the resources that gRPC clients in their place get."""
    from translator.emit.proxyless import emit_proxyless, proxyless  # noqa: PLC0415 (likewise)

    snapshots = {proxy.name: emit_proxyless(proxyless(proxy)) for proxy in proxies}
    return {"proxies": [snapshot_document(name, snapshots[name]) for name in snapshots]}


def snapshot_document(proxy: str, snapshot: Snapshot) -> Mapping[str, object]:
    """Describe everything that one proxy is served, by type and name."""
    from xds.messages import parse, to_dict  # noqa: PLC0415 (it takes half a second)

    return {
        "proxy": proxy,
        "version": snapshot.version_info,
        "resources": {
            type_url: {
                name: {
                    "version": resource.version,
                    "resource": to_dict(parse(type_url.rpartition("/")[2], resource.body)),
                }
                for name, resource in snapshot.resources(type_url).items()
            }
            for type_url in snapshot.types()
        },
    }


class _Dumper(yaml.CSafeDumper if yaml.__with_libyaml__ else yaml.SafeDumper):  # type: ignore[misc]
    """Writes every value out where it stands."""

    def ignore_aliases(self, _: object) -> bool:
        return True


def write(document: Mapping[str, object], form: str) -> str:
    """Write a document as `yaml` or `json`, ending in a newline."""
    if form == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    text: Any = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return str(text)
