"""What Envoys refuse, from their words to what everybody is served."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from picky import PickyEnvoy

from penstock.address import Address
from penstock.events import ReloadFinished, UpdateTraced
from penstock.serve import Options, running
from translator.emit import TRIAL_DOMAIN
from translator.report import Severity
from xds.testing import FakeEnvoy
from xds.types import CLUSTER, LISTENER, LOAD_ASSIGNMENT, ROUTE_CONFIGURATION

pytestmark = pytest.mark.slow

ANY = Address("127.0.0.1", 0)
ROUTES = "listener-::-8080-routes"
PROTOCOLS = pytest.mark.parametrize("protocol", ["sotw", "delta"])
KEEP = """\
apiVersion: gloo.solo.io/v1
kind: Settings
metadata: {name: default, namespace: gloo-system}
spec: {gloo: {invalidConfigPolicy: {keepLastGoodRoutes: true}}}
"""
APP = """\
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: app, namespace: gloo-system}
spec:
  virtualHost:
    routes:
      - matchers: [{prefix: /}]
        delegateAction: {selector: {namespaces: ['*']}}
"""


def table(team, **bodies):
    routes = "".join(
        f"    - {{name: {name}, matchers: [{{prefix: /{team}/{name}}}], "
        f"directResponseAction: {{status: 200, body: '{body}'}}}}\n"
        for name, body in bodies.items()
    )
    return f"""\
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {{name: routes, namespace: {team}}}
spec:
  routes:
{routes}"""


def upstream(name, *addresses):
    hosts = ", ".join(f"{{addr: {each}, port: 80}}" for each in addresses)
    return f"""\
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {{name: {name}, namespace: gloo-system}}
spec: {{static: {{hosts: [{hosts}]}}}}
"""


class Scene:
    def __init__(self, folder, protocol, stack):
        self.config = folder / "config"
        self.options = Options(config=self.config, ads=ANY, admin=ANY, state=folder / "state")
        self.protocol = protocol
        self.stack = stack

    def save(self, **files):
        for name, text in files.items():
            path = self.config / (name.replace("__", "/") + ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    @asynccontextmanager
    async def control_plane(self):
        async with running(self.options) as program:
            self.program = program
            with program.events() as self.events:
                await self.wait(lambda: program.controller.state.generation, "anything to serve")
                yield program

    async def envoy(self, *dislikes, node="one", agent="envoy"):
        envoy = PickyEnvoy(
            self.program.ads.port,
            dislikes=dislikes,
            protocol=self.protocol,
            node=node,
            agent=agent,
        )
        return await self.stack.enter_async_context(envoy.living())

    @asynccontextmanager
    async def by_hand(self):
        """An Envoy that has what is served, and from now on does nothing by itself."""
        envoy = FakeEnvoy(self.program.ads.port, protocol=self.protocol, node="first")
        async with envoy:
            for type_url, names in (
                (CLUSTER, ()),
                (LISTENER, ()),
                (ROUTE_CONFIGURATION, (ROUTES,)),
            ):
                await envoy.subscribe(type_url, *names)
                await envoy.ack(await envoy.expect(type_url))
            yield envoy

    async def wait(self, condition, what, seconds=10):
        try:
            async with asyncio.timeout(seconds):
                while not condition():  # noqa: ASYNC110 (it is about several parties)
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{what}: {self.findings}") from None

    @property
    def findings(self):
        """What is found, but for warnings."""
        return [
            f"{found.diagnostic.code} {found.diagnostic.resource} {found.diagnostic.message}"
            for found in self.program.controller.state.findings
            if found.diagnostic.severity is Severity.ERROR
        ]

    async def traced(self):
        async for event in self.events:
            if isinstance(event, UpdateTraced):
                return event
        raise AssertionError


def play(tmp_path, protocol, story):
    async def main():
        async with AsyncExitStack() as stack:
            scene = Scene(tmp_path, protocol, stack)
            scene.save(settings=KEEP, app=APP)
            await story(scene)

    asyncio.run(main())


def body(envoy):
    """What an Envoy does with requests."""
    return b"".join(envoy.have[ROUTE_CONFIGURATION].values())


@PROTOCOLS
def test_several_culprits_among_many(tmp_path, protocol):
    """Each of several guilty routes is found among a hundred changes, and no innocent one."""

    async def story(scene):
        teams = {f"t{number}": table(f"t{number}", a="old", b="old") for number in range(50)}
        scene.save(**{f"{team}__routes": text for team, text in teams.items()})
        async with scene.control_plane():
            envoy = await scene.envoy("bad")
            await scene.wait(lambda: b"old" in body(envoy), "the first routes")
            for team in teams:
                guilty = team in {"t7", "t23", "t42"}
                scene.save(
                    **{f"{team}__routes": table(team, a="new", b="bad" if guilty else "new")}
                )
            await scene.wait(lambda: len(scene.findings) == 3, "the culprits")
            await scene.wait(lambda: body(envoy).count(b"new") == 97, "what is innocent")

            assert [
                f"PEN501 RouteTable {team}/routes envoy refuses this route: not to my taste"
                for team in ("t23", "t42", "t7")
            ] == scene.findings
            assert 3 == body(envoy).count(b"old")
            assert TRIAL_DOMAIN.encode() not in body(envoy)
            whole = [each for each in envoy.refused if each[2].count(b"bad") == 3]
            assert len(whole) <= 3  # as it was written, perhaps in halves of a burst of saves

    play(tmp_path, protocol, story)


@PROTOCOLS
def test_an_odd_one_does_not_hold_back_the_fleet(tmp_path, protocol):
    """What one refuses and others accept is that one's matter: it keeps what it had."""

    async def story(scene):
        scene.save(echo__routes=table("echo", a="old"))
        async with scene.control_plane():
            one = await scene.envoy(node="one")
            two = await scene.envoy(node="two")
            odd = await scene.envoy("new", node="odd", agent="older")
            for envoy in (one, two, odd):
                await scene.wait(lambda: b"old" in body(envoy), "the first routes")  # noqa: B023
            scene.save(echo__routes=table("echo", a="new", b="new"))
            await scene.wait(lambda: b"new" in body(one) and b"new" in body(two), "the fleet")
            await scene.wait(lambda: odd.refused, "the refusal")
            late = await scene.envoy(node="late")
            again = await scene.envoy("new", node="odd", agent="older")
            await scene.wait(lambda: b"new" in body(late), "a new one of the fleet")
            await scene.wait(lambda: b"old" in body(again), "the odd one on another stream")

            assert b"old" in body(odd)
            assert 1 == len(odd.refused)
            assert [] == again.refused
            assert [] == scene.findings

    play(tmp_path, protocol, story)


@PROTOCOLS
def test_a_second_one_agrees(tmp_path, protocol):
    """What two refuse and nobody accepts is sent to nobody else."""

    async def story(scene):
        scene.save(echo__routes=table("echo", a="old"))
        async with scene.control_plane():
            one = await scene.envoy("bad", node="one")
            two = await scene.envoy("bad", node="two")
            for envoy in (one, two):
                await scene.wait(lambda: b"old" in body(envoy), "the first routes")  # noqa: B023
            scene.save(echo__routes=table("echo", a="old", b="bad", c="good"))
            await scene.wait(lambda: scene.findings, "the finding")
            late = await scene.envoy("bad", node="late")
            for envoy in (one, two, late):
                await scene.wait(lambda: b"good" in body(envoy), "what is innocent")  # noqa: B023

            assert [] == late.refused
            assert 1 == sum(TRIAL_DOMAIN.encode() not in each for _, _, each in two.refused)

    play(tmp_path, protocol, story)


@PROTOCOLS
def test_a_refused_cluster_and_a_refused_listener(tmp_path, protocol):
    """They are traced by their names to the upstream and the gateway."""

    async def story(scene):
        scene.save(
            gate="""\
apiVersion: gateway.solo.io/v1
kind: Gateway
metadata: {name: public, namespace: gloo-system}
spec: {bindAddress: 127.0.0.1, bindPort: 8080, httpGateway: {}}
""",
            one=upstream("one", "10.0.0.1"),
            two=upstream("two", "10.0.0.2"),
        )
        async with scene.control_plane():
            envoy = await scene.envoy("10.9.9.9", "127.9.9.9")
            await scene.wait(lambda: len(envoy.have[CLUSTER]) == 2, "the clusters")
            await scene.wait(lambda: envoy.have[LISTENER], "the listener")
            scene.save(one=upstream("one", "10.9.9.9"), two=upstream("two", "10.0.0.3"))
            await scene.wait(lambda: scene.findings, "the finding on the upstream")
            await scene.wait(
                lambda: b"10.0.0.3" in envoy.have[CLUSTER]["two_gloo-system"], "the other upstream"
            )

            assert ["PEN501 Upstream gloo-system/one envoy refuses this: not to my taste"] == (
                scene.findings
            )

            path = scene.config / "gate.yaml"
            path.write_text(path.read_text().replace("127.0.0.1", "127.9.9.9"))
            await scene.wait(lambda: len(scene.findings) == 2, "the finding on the gateway")

            assert "PEN501 Gateway gloo-system/public" in " ".join(scene.findings)
            await scene.wait(
                lambda: list(envoy.have[LISTENER]) == ["listener-127.0.0.1-8080"], "the listener"
            )
            assert 2 == len(envoy.refused)

    play(tmp_path, protocol, story)


@PROTOCOLS
def test_it_survives_a_restart(tmp_path, protocol):
    """Another process knows what is refused, by whom, and what is to be served instead."""

    async def story(scene):
        scene.save(echo__routes=table("echo", a="old"))
        async with scene.control_plane():
            fleet = [await scene.envoy(node=name) for name in ("one", "two")]
            odd = await scene.envoy("odd", node="odd", agent="older")
            for envoy in (*fleet, odd):
                await scene.wait(lambda: b"old" in body(envoy), "the first routes")  # noqa: B023
            scene.save(echo__routes=table("echo", a="odd"))
            await scene.wait(lambda: odd.refused, "the refusal of one")
            for envoy in fleet:
                await scene.wait(lambda: b"odd" in body(envoy), "the fleet")  # noqa: B023
                envoy.dislikes.append(b"bad")
            scene.save(echo__routes=table("echo", a="odd", b="bad", c="good"))
            await scene.wait(lambda: scene.findings, "the refusal of all")
            await scene.wait(lambda: b"good" in body(fleet[0]), "what is innocent")
            await asyncio.sleep(1.5)  # what Envoys accept is saved a second later
        async with scene.control_plane():
            fleet = [await scene.envoy("bad", node=name) for name in ("one", "two")]
            odd = await scene.envoy("odd", node="odd", agent="older")
            await scene.wait(lambda: scene.findings, "the finding")
            for envoy in fleet:
                await scene.wait(lambda: b"good" in body(envoy), "what is innocent")  # noqa: B023
            await scene.wait(lambda: b"old" in body(odd), "what the odd one had")

            assert [[], [], []] == [envoy.refused for envoy in (*fleet, odd)]

    play(tmp_path, protocol, story)


@PROTOCOLS
def test_what_an_envoy_brings_along_is_what_it_accepted(tmp_path, protocol):
    """An Envoy that comes from another replica keeps what it had of what it refuses here."""

    async def story(scene):
        scene.save(echo__routes=table("echo", a="old", b="old"))
        async with scene.control_plane() as program:
            had = program.controller.state.proxies["gateway-proxy"].snapshot
            scene.save(echo__routes=table("echo", a="bad", b="new"))
            await scene.wait(lambda: program.controller.state.generation == 2, "the edit")
            envoy = FakeEnvoy(program.ads.port, protocol=protocol)
            async with envoy:
                for type_url, names in (
                    (CLUSTER, ()),
                    (LISTENER, ()),
                    (ROUTE_CONFIGURATION, (ROUTES,)),
                ):
                    have = {n: each.version for n, each in had.resources(type_url).items()}
                    await envoy.subscribe(
                        type_url, *names, have=have, version=had.version(type_url)
                    )
                answers = []
                while not scene.findings:
                    answers.append(await envoy.expect(ROUTE_CONFIGURATION))
                    if b"bad" in answers[-1].resources.get(ROUTES, b""):
                        await envoy.nack(answers[-1], "bad indeed")
                    else:
                        await envoy.ack(answers[-1])

                first = next(each for each in answers if b"bad" in each.resources[ROUTES])
                for answer in answers[answers.index(first) + 1 :]:
                    assert () == answer.removed
                    assert b"old" in answer.resources[ROUTES]

    play(tmp_path, protocol, story)


@PROTOCOLS
def test_a_search_waits_for_an_envoy(tmp_path, protocol):
    """An Envoy that goes away amid the search is no answer; the next one that comes is asked."""

    async def story(scene):
        scene.save(echo__routes=table("echo", a="old", b="old"))
        async with scene.control_plane():
            async with scene.by_hand() as first:
                scene.save(echo__routes=table("echo", a="bad", b="new"))
                await first.nack(await first.expect(ROUTE_CONFIGURATION), "no")
                trial = await first.expect(ROUTE_CONFIGURATION)

                assert TRIAL_DOMAIN.encode() in trial.resources[ROUTES]
            envoy = await scene.envoy("bad")
            await scene.wait(lambda: scene.findings, "the culprit")
            await scene.wait(lambda: b"new" in body(envoy), "what is innocent")

            assert ["PEN501 RouteTable echo/routes envoy refuses this route: not to my taste"] == (
                scene.findings
            )

    play(tmp_path, protocol, story)


@PROTOCOLS
def test_the_author_is_quicker_than_the_search(tmp_path, protocol):
    """An edit that takes the refused route away ends the search."""

    async def story(scene):
        scene.save(echo__routes=table("echo", a="old", b="old"))
        async with scene.control_plane(), scene.by_hand() as first:
            scene.save(echo__routes=table("echo", a="bad", b="new"))
            await first.nack(await first.expect(ROUTE_CONFIGURATION), "no")
            half = await first.expect(ROUTE_CONFIGURATION)
            generation = scene.program.controller.state.generation
            scene.save(echo__routes=table("echo", a="fixed", b="new"))
            await scene.wait(
                lambda: scene.program.controller.state.generation > generation, "the edit"
            )
            await first.ack(half)
            final = await first.expect(ROUTE_CONFIGURATION)

            assert b"fixed" in final.resources[ROUTES]
            assert TRIAL_DOMAIN.encode() not in final.resources[ROUTES]
            assert [] == scene.findings

    play(tmp_path, protocol, story)


@PROTOCOLS
def test_an_operator_has_it_tried_once_more(tmp_path, protocol):
    """After SIGHUP what was refused is sent again, once."""

    async def story(scene):
        scene.save(echo__routes=table("echo", a="old"))
        async with scene.control_plane():
            envoy = await scene.envoy("bad")
            await scene.wait(lambda: b"old" in body(envoy), "the first routes")
            scene.save(echo__routes=table("echo", a="bad"))
            await scene.wait(lambda: scene.findings, "the finding")
            envoy.dislikes.clear()

            scene.program.reload()
            await scene.wait(lambda: b"bad" in body(envoy), "another try")
            await scene.wait(lambda: not scene.findings, "the end of the finding")

            assert 1 == len(envoy.refused)

    play(tmp_path, protocol, story)


@PROTOCOLS
def test_nobody_is_at_fault_alone(tmp_path, protocol):
    """What is refused only as a whole is all of it at fault: everything stays as it was."""

    async def story(scene):
        scene.save(echo__routes=table("echo", a="old", b="old"))
        async with scene.control_plane():
            envoy = await scene.envoy()
            envoy.refuses = lambda each: b"left" in each and b"right" in each
            await scene.wait(lambda: b"old" in body(envoy), "the first routes")
            scene.save(echo__routes=table("echo", a="left", b="right"))
            await scene.wait(lambda: len(scene.findings) == 2, "both to be blamed")

            assert 2 == body(envoy).count(b"old")

    play(tmp_path, protocol, story)


def test_reload_events_are_told(tmp_path):
    """Whoever listens hears who is at fault, and how much was tried out to find it."""

    async def story(scene):
        scene.save(echo__routes=table("echo", a="old", b="old"))
        async with scene.control_plane():
            envoy = await scene.envoy("bad")
            await scene.wait(lambda: b"old" in body(envoy), "the first routes")
            scene.save(echo__routes=table("echo", a="bad", b="new"))

            traced = await scene.traced()

            assert (ROUTE_CONFIGURATION, "not to my taste") == (traced.type_url, traced.text)
            assert ["RouteTable echo/routes"] == [str(each.owner) for each in traced.refusals]
            assert 2 == traced.questions
            async for event in scene.events:
                if isinstance(event, ReloadFinished):
                    assert ["PEN501"] == [each.diagnostic.code for each in event.new]
                    break

    play(tmp_path, "delta", story)


@PROTOCOLS
def test_refused_endpoints(tmp_path, protocol):
    """An upstream goes on with the endpoints that it had, however often others change theirs."""

    async def story(scene):
        kube = """\
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: NAME, namespace: gloo-system}
spec: {kube: {serviceName: NAME, serviceNamespace: default, servicePort: 80}}
---
apiVersion: v1
kind: Service
metadata: {name: NAME, namespace: default}
spec: {ports: [{port: 80}]}
"""
        endpoints = """\
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: NAME, namespace: default, labels: {kubernetes.io/service-name: NAME}}
addressType: IPv4
ports: [{port: 80}]
endpoints: [{addresses: [ADDRESS]}]
"""
        for name in ("one", "two"):
            scene.save(**{name: kube.replace("NAME", name)})
            text = endpoints.replace("NAME", name).replace("ADDRESS", "10.0.0.1")
            scene.save(**{f"{name}_pods": text})
        async with scene.control_plane():
            envoy = await scene.envoy("10.9.9.9")
            await envoy.subscribe(LOAD_ASSIGNMENT, "one_gloo-system", "two_gloo-system")
            have = envoy.have[LOAD_ASSIGNMENT]
            await scene.wait(lambda: len(have) == 2, "the endpoints")
            text = endpoints.replace("NAME", "one").replace("ADDRESS", "10.9.9.9")
            scene.save(one_pods=text)
            await scene.wait(lambda: scene.findings, "the finding")
            for number in range(2, 9):
                address = f"10.0.0.{number}"
                text = endpoints.replace("NAME", "two").replace("ADDRESS", address)
                scene.save(two_pods=text)
                await scene.wait(
                    lambda: address.encode() in have["two_gloo-system"],  # noqa: B023
                    "the other's endpoints",
                )

            assert b"10.0.0.1" in have["one_gloo-system"]
            assert ["PEN501 Upstream gloo-system/one"] == [
                " ".join(each.split()[:3]) for each in scene.findings
            ]
            late = await scene.envoy("10.9.9.9", node="late")
            await late.subscribe(LOAD_ASSIGNMENT, "one_gloo-system")
            await scene.wait(lambda: late.have[LOAD_ASSIGNMENT], "a new one's endpoints")

            assert b"10.0.0.1" in late.have[LOAD_ASSIGNMENT]["one_gloo-system"]
            assert [] == late.refused

    play(tmp_path, protocol, story)


def test_an_outage_goes_on_while_a_refusal_is_dealt_with(tmp_path):
    """What is decided about a refusal says nothing about the source."""

    async def story(scene):
        scene.save(echo__routes=table("echo", a="bad", b="new"))
        async with scene.control_plane():
            scene.config.rename(scene.config.with_name("away"))
            await scene.wait(lambda: scene.program.controller.state.outage, "the outage")
            envoy = await scene.envoy("bad")
            await scene.wait(lambda: scene.findings, "the finding")
            await scene.wait(lambda: b"new" in body(envoy), "what is innocent")

            assert scene.program.controller.state.outage is not None

    play(tmp_path, "sotw", story)


def test_a_refusal_is_on_disk_before_anything_follows(tmp_path, monkeypatch):
    """A control plane that dies right after a refusal does not send it again."""
    monkeypatch.setattr("penstock.controller._KEEP_SECONDS", 3600)

    async def story(scene):
        scene.save(echo__routes=table("echo", a="old"))
        async with scene.control_plane():
            one, two = [await scene.envoy(node=node) for node in ("one", "two")]
            for envoy in (one, two):
                await scene.wait(lambda: b"old" in body(envoy), "the first routes")  # noqa: B023
            one.dislikes.append(b"bad")
            scene.save(echo__routes=table("echo", a="bad"))
            await scene.wait(lambda: one.refused, "the refusal")
            await scene.wait(lambda: on_disk(b"not to my taste", tmp_path), "the words on disk")

    play(tmp_path, "delta", story)


def on_disk(words, folder):
    """Tell whether any saved file has some words; one may be replaced meanwhile."""
    for path in (folder / "state").rglob("*"):
        with suppress(OSError):
            if path.is_file() and words in path.read_bytes():
                return True
    return False
