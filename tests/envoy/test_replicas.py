"""
Control planes that know nothing of each other, on one folder, and an Envoy that is moved.

What they serve depends on the folder, and on history where something is invalid. So as long as
all is valid a move is nothing to an Envoy.
"""

from __future__ import annotations

import http.client
import re
import shutil
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from support import Client, ControlPlane, Relay, wait_until
from test_invalid import HOLD, KEEP
from test_refusals import found, odd_table, refusals
from test_story import ECHO_V1, ECHO_V2, Story

if TYPE_CHECKING:
    from conftest import Stage

pytestmark = [pytest.mark.envoy, pytest.mark.slow, pytest.mark.timeout(240)]

MOVES = 4
EMPTY = 90
"""No delta response without a resource has fewer bytes: a version, a type and a nonce."""
RESOURCE = 60
"""No resource has fewer bytes: again a version and a type, and a name."""
CHANGES = (
    "config_reload$|cluster_(added|modified|removed)$|membership_change$"
    "|listener_(added|modified|removed|in_place_updated)$|[lcr]ds\\..*version$|[lc]ds.version$"
)
"""What Envoy counts when it takes something that it does not have."""


class Replicas:
    """Control planes on the folder of a stage, and an Envoy behind a relay to one of them."""

    def __init__(self, stage, protocol, stack):
        self._stage, self._stack = stage, stack
        self.all = []
        one = self.start("one", state=True)
        self._relay = stack.enter_context(Relay(one.ads_port))
        self.envoy = stack.enter_context(stage.envoy(protocol, self._relay.port))

    def start(self, name, *, state=False):
        folder = self._stage.folder / name
        kept = folder / "state" if state else None
        penstock = self._stack.enter_context(ControlPlane(self._stage.config, folder, state=kept))
        wait_until(lambda: penstock.get("/api/v1/status")["ready"], f"{name} to be ready", 30)
        self.all.append(penstock)
        return penstock

    def move(self, penstock):
        """Lead Envoy to a control plane, and wait until it has nothing more to say there."""
        before = metrics(penstock, "requests").total()
        self._relay.move(penstock.ads_port)
        wait_until(lambda: metrics(penstock, "requests").total() > before, "a stream", 30)
        self.settle(penstock)

    def settle(self, penstock):
        """Wait until fifty looks in a row find no more messages between them."""
        seen = []
        wait_until(
            lambda: seen.append(traffic(penstock)) or seen[-50:] == [seen[-1]] * 50, "rest", 30
        )


def metrics(penstock, name):
    """Return a counter of what is on the wire, by type and kind."""
    connection = http.client.HTTPConnection("127.0.0.1", penstock.admin_port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    found = re.findall(rf"^penstock_xds_{name}(?:_total)?{{(.*)}} (\S+)$", text, re.MULTILINE)
    return Counter({labels: int(float(value)) for labels, value in found})


def traffic(penstock):
    return [metrics(penstock, name) for name in ("requests", "responses", "response_bytes_sum")]


def resources_at_most(before, after):
    """Tell how many resources the bytes of some delta responses leave room for."""
    _, responses, size = (later - sooner for later, sooner in zip(after, before, strict=True))
    return (size.total() - EMPTY * responses.total()) // RESOURCE


def served(penstock):
    """Return the version of all that is served, which is a hash of its content."""
    return penstock.get("/api/v1/status")["proxies"][0]["version"]


def agree(*replicas):
    return len({served(each) for each in replicas}) == 1


def weights(story, first):
    """Write foxtrot's table with other shares."""
    text = story.files["foxtrot/routes.yaml"].decode()
    for weight in (first, 100 - first):
        text = text.replace("weight: 50", f"weight: {weight}", 1)
    return text


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_a_move_between_replicas_is_nothing(stage, protocol):
    """
    An Envoy that is moved between replicas keeps what it has, and follows edits through each.

    No request is lost and nothing is applied again, also with a replica that started after the
    edits. By delta nothing is even sent again, since the Envoy tells which versions it has.
    """
    story = Story(stage)
    story.save("05-echo-in-parallel")
    stage.save_gateway()
    with ExitStack() as stack:
        replicas = Replicas(stage, protocol, stack)
        envoy = replicas.envoy
        wait_until(lambda: stage.ask("/echo", canary=True) == ECHO_V2, "the first answer", 30)
        replicas.start("two")
        with Client(stage.listener, ["/echo", "/foxtrot"]) as client:
            for number in range(1, MOVES + 1):
                if number == MOVES // 2:
                    replicas.start("three")
                here = replicas.all[number % len(replicas.all)]
                wait_until(lambda: agree(*replicas.all), "all replicas to serve the same", 30)
                versions, changes, sent = envoy.versions(), envoy.stats(CHANGES), traffic(here)

                replicas.move(here)

                assert envoy.versions() == versions
                assert envoy.stats(CHANGES) == changes
                if protocol == "delta":
                    assert resources_at_most(sent, traffic(here)) == 0

                with envoy.taking_update():
                    stage.save("foxtrot/routes.yaml", weights(story, 10 * number))
                assert envoy.versions() != versions
        assert client.failures == {}
        assert envoy.rejected() == {}


def typo(story):
    """Let echo's canary go to an upstream that does not exist; return who is to mend it how."""
    path = "echo/routes.yaml"
    text = story.files[path].decode()
    story.stage.save(path, text.replace("name: echo,", "name: echo-typo,", 1))
    return lambda: story.stage.save(path, text)


def second_owner(story):
    """Claim the domain that the ops team has, in a folder that comes before theirs."""
    claim = """\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: a, namespace: a}
spec:
  virtualHost:
    domains: ['*']
    routes:
    - matchers: [{prefix: /}]
      directResponseAction: {status: 200, body: claimed}
"""
    story.stage.save("a/claim.yaml", claim)
    return (story.stage.config / "a" / "claim.yaml").unlink


@pytest.mark.parametrize(
    ("mistake", "policy", "without_history"),
    [
        pytest.param(typo, HOLD, [ECHO_V1, "404"], id="typo-hold"),
        pytest.param(typo, KEEP, [ECHO_V1, "404"], id="typo-keep"),
        pytest.param(second_owner, KEEP, ["claimed", "claimed"], id="domain"),
    ],
)
def test_history_is_what_replicas_can_differ_in(stage, mistake, policy, without_history):
    """
    Whoever was there before a mistake serves what was good, whether or not it had an Envoy.

    A replica that starts while there is one does not know what was good, or who was first. It does
    if it starts with a copy of another one's state. When the mistake is gone all agree again.
    """
    story = Story(stage)
    story.save("05-echo-in-parallel")
    stage.save("settings.yaml", policy)
    stage.save_gateway()

    def answers():
        return [stage.ask("/echo"), stage.ask("/echo", canary=True)]

    with ExitStack() as stack:
        replicas = Replicas(stage, "delta", stack)
        wait_until(lambda: answers() == [ECHO_V1, ECHO_V2], "the first answer", 30)
        replicas.settle(replicas.all[0])
        one, idle = replicas.all[0], replicas.start("idle")
        mend = mistake(story)
        for each in (one, idle):
            wait_until(lambda each=each: errors(each), "the mistake to be found", 30)
        late = replicas.start("late")
        shutil.copytree(stage.folder / "one" / "state", stage.folder / "copy" / "state")
        copy = replicas.start("copy", state=True)

        assert agree(one, idle, copy)
        assert not agree(one, late)

        for replica, expected in (
            (idle, [ECHO_V1, ECHO_V2]),
            (late, without_history),
            (copy, [ECHO_V1, ECHO_V2]),
        ):
            replicas.move(replica)

            assert answers() == expected

        mend()
        wait_until(lambda: agree(one, idle, late, copy) and not errors(late), "agreement", 30)


def errors(penstock):
    return penstock.get("/api/v1/status")["findings"]["errors"]


@pytest.fixture
def refused(stage, protocol):
    """An Envoy that has refused an edit of one replica, and is then moved to an idle one."""
    story = Story(stage)
    story.save("05-echo-in-parallel")
    stage.save("settings.yaml", KEEP)
    stage.save_gateway()
    with ExitStack() as stack:
        replicas = Replicas(stage, protocol, stack)
        wait_until(lambda: stage.ask("/echo", canary=True) == ECHO_V2, "the first answer", 30)
        replicas.settle(replicas.all[0])
        one, idle = replicas.all[0], replicas.start("idle")
        stage.save("echo/routes.yaml", odd_table(story))
        found(one)
        replicas.settle(one)
        assert stage.ask("/echo", canary=True) == ECHO_V2
        assert not refusals(idle)
        with Client(stage.listener, ["/echo", "/foxtrot"]) as client:
            replicas.move(idle)
            found(idle)
            replicas.settle(idle)
            yield Refused(stage, story, replicas, client)


@dataclass(frozen=True)
class Refused:
    stage: Stage
    story: Story
    replicas: Replicas
    client: Client


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_each_replica_learns_what_envoys_refuse(refused):
    """What an Envoy has refused elsewhere it refuses here as well; an edit makes all agree."""
    one, idle = refused.replicas.all

    assert refusals(idle)[0]["line"] == refusals(one)[0]["line"]
    assert refused.stage.answers()[0] == ECHO_V1

    refused.stage.save("echo/routes.yaml", refused.story.files["echo/routes.yaml"])
    wait_until(lambda: agree(one, idle) and not errors(one) and not errors(idle), "agreement", 30)
    wait_until(lambda: refused.stage.ask("/echo", canary=True) == ECHO_V2, "the edit", 30)


@pytest.mark.parametrize("protocol", ["sotw", "delta"])
def test_a_refusal_after_a_move_loses_no_request(refused):
    """What an Envoy brings along is what it accepted, and so the last good version."""
    assert refused.client.failures == {}
    assert refused.stage.ask("/echo", canary=True) == ECHO_V2
