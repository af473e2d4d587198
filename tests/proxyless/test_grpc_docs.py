"""What docs/grpc.md shows is what works."""

from __future__ import annotations

import json
import re

from support import ROOT
from support.grpc_client import bootstrap

from translator.emit.proxyless import proxyless
from translator.pipeline import Inputs, translate

PAGE = (ROOT / "docs" / "grpc.md").read_text()


def block(language):
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


def test_bootstrap():
    """The bootstrap of the page is the one that the tests give to their clients."""
    assert bootstrap(18000, "shop", "gateway-proxy") == json.loads(block("json"))


def test_resources():
    """The resources of the page have no findings, and the name that the page dials."""
    translation = translate(Inputs(files={"shop.yaml": block("yaml").encode()}))
    (proxy,) = translation.proxies
    calls = proxyless(proxy)

    assert () == translation.diagnostics
    (name,) = re.findall(r'insecure_channel\("xds:///(.*?)"\)', PAGE)
    assert name in {service.name for service in calls.services}
    assert {"cart_gloo-system?version=v1", "cart_gloo-system?version=v2"} == {
        backend.name for backend in calls.backends
    }
