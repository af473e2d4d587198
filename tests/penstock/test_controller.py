from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from penstock.controller import Controller
from penstock.errors import SourceEmpty, SourceError, SourceMissing
from penstock.events import (
    ProxyHeld,
    ProxyPublished,
    ProxyReleased,
    ReloadFinished,
    SourceLost,
    SourceRecovered,
    TranslationFailed,
)
from penstock.feed import Feed
from penstock.sources import Observation, Outage
from penstock.state import Result
from translator import ir
from translator.pipeline import Inputs
from translator.report import Diagnostic, Position, rules
from xds.snapshot import Resource, Snapshot
from xds.types import CLUSTER

SOURCE = ir.Source(kind="Upstream", namespace="ns", name="up")


class FakeSource:
    """A source that holds what it is told to."""

    name = "config"

    def __init__(self, first):
        self._first = first
        self._queue = asyncio.Queue()

    def locate(self, origin):
        return f"config/{origin}"

    async def first(self):
        if isinstance(self._first, SourceError):
            raise self._first
        return observe(self._first)

    async def events(self):
        while True:
            yield await self._queue.get()

    def refresh(self):
        pass

    def say(self, event):
        self._queue.put_nowait(event)


class FakeServed:
    """What was put to be served."""

    def __init__(self):
        self.sets = []

        self.synced_after = None

    def set(self, proxy, snapshot, /):
        self.sets.append((proxy, snapshot))

    def mark_synced(self):
        if self.synced_after is None:
            self.synced_after = len(self.sets)


@dataclass
class FakeTranslation:
    inputs: Inputs
    proxies: tuple
    diagnostics: tuple
    served: dict = field(default_factory=dict)
    holding: dict = field(default_factory=dict)


class Bug(Exception):  # noqa: N818
    pass


def observe(text):
    return Observation(inputs=Inputs(files={"x.yaml": text.encode()}), noticed=100.0)


def translate(inputs, previous):
    """A proxy for each `name=cluster` of the text, and a warning for each `!word`."""
    words = inputs.files["x.yaml"].decode().split()
    if "crash" in words:
        raise Bug("oh no")
    return FakeTranslation(
        inputs=inputs,
        proxies=tuple(proxy(*word.split("=")) for word in sorted(words) if "=" in word),
        diagnostics=tuple(
            Diagnostic(
                rule=rules.EMPTY_SELECTION,
                resource=None,
                position=Position(path="x.yaml", line=number, column=1),
                message=word,
            )
            for number, word in enumerate(words, 1)
            if word.startswith("!")
        ),
    )


def proxy(name, cluster):
    return ir.Proxy(
        name=name,
        listeners=(),
        route_configurations=(),
        clusters=(ir.Cluster(name=cluster, discovery=ir.EndpointDiscovery(), source=SOURCE),),
        load_assignments=(),
    )


def emit(proxy, previous=None):
    if any(cluster.name == "unemittable" for cluster in proxy.clusters):
        raise Bug("cannot")
    # A cluster's name before the dot is all that is encoded.
    return Snapshot.of(
        Resource.of(CLUSTER, cluster.name, cluster.name.partition(".")[0].encode())
        for cluster in proxy.clusters
    )


class Harness:
    def __init__(self, first, **replacements):
        self.source = FakeSource(first)
        self.served = FakeServed()
        self.events = []
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        feed = Feed()
        feed.listen(self.events.append)
        self.news = asyncio.Event()
        feed.listen(lambda _: self.news.set())
        settings = {"translate": translate, "emit": emit} | replacements
        self.controller = Controller(
            source=self.source,
            served=self.served,
            feed=feed,
            now=lambda: self.time,
            monotonic=lambda: 100.25,
            **settings,
        )

    @property
    def state(self):
        return self.controller.state

    @asynccontextmanager
    async def running(self):
        await self.controller.start()
        task = asyncio.create_task(self.controller.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def say(self, event):
        """Let the source tell something, and wait until it has been dealt with."""
        count = self.finished()
        self.source.say(observe(event) if isinstance(event, str) else event)
        await self.settled(count + 1)

    async def settled(self, count=1):
        async with asyncio.timeout(5):
            while self.finished() < count:
                self.news.clear()
                await self.news.wait()

    def finished(self):
        return len(self.of(ReloadFinished))

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


def run(scenario, first, **replacements):
    async def main():
        harness = Harness(first, **replacements)
        async with harness.running():
            if not isinstance(first, SourceError):
                await harness.settled()
            await scenario(harness)

    asyncio.run(main())


def names(snapshot):
    return list(snapshot.resources(CLUSTER))


def test_the_first_translation_is_served():
    """What the source holds at the start is served, to each proxy its own."""

    async def scenario(harness):
        assert [("a", ["one"]), ("b", ["two"])] == [
            (name, names(snapshot)) for name, snapshot in harness.served.sets
        ]
        assert 1 == harness.state.generation
        assert Result.PUBLISHED == harness.state.reload.result
        assert 0.25 == harness.state.reload.seconds
        assert ["a", "b"] == list(harness.state.proxies)
        assert 2 == harness.served.synced_after

    run(scenario, "b=two a=one")


def test_only_what_changed_is_served_anew():
    """A change of one proxy does not touch another one, and says what changed."""

    async def scenario(harness):
        harness.served.sets.clear()
        harness.time += timedelta(minutes=1)
        await harness.say("a=one b=three")

        assert ["b"] == [name for name, _ in harness.served.sets]
        assert [1, 2] == [each.generation for each in harness.state.proxies.values()]
        assert [0, 60] == [
            (each.since - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds()
            for each in harness.state.proxies.values()
        ]

        (changes,) = harness.of(ProxyPublished)[-1].changes

        assert (("three",), (), ("two",)) == (changes.added, changes.changed, changes.removed)

    run(scenario, "a=one b=two")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a=one", "the same inputs"),
        ("a=one unused", "other inputs that mean the same"),
    ],
)
def test_what_is_the_same_is_not_served_again(text, why):
    """Without a change of meaning nobody is told anything, and nothing is younger than it is."""

    async def scenario(harness):
        before = harness.state.proxies["a"]
        harness.time += timedelta(minutes=1)
        await harness.say(text)

        assert 1 == len(harness.served.sets)
        assert Result.UNCHANGED == harness.state.reload.result
        assert harness.time == harness.state.reload.at
        assert before == harness.state.proxies["a"]
        assert 1 == harness.state.generation

    run(scenario, "a=one")


def test_equal_bytes_are_not_served_again():
    """What differs in our own terms and not in Envoy's is no update either."""

    def emit_nothing(proxy, previous=None):
        return Snapshot.of(())

    async def scenario(harness):
        await harness.say("a=two")

        assert 1 == len(harness.served.sets)
        assert Result.UNCHANGED == harness.state.reload.result
        assert "two" == harness.state.proxies["a"].proxy.clusters[0].name

    run(scenario, "a=one", emit=emit_nothing)


def test_a_deleted_proxy_is_told_to_do_nothing():
    """Deleted is not invalid: a proxy that nobody asks for any more loses what it had."""

    async def scenario(harness):
        await harness.say("a=one")

        assert ("b", []) == (harness.served.sets[-1][0], names(harness.served.sets[-1][1]))

        await harness.say("a=one !warning")

        assert 3 == len(harness.served.sets)

        await harness.say("a=one b=back")

        assert ["back"] == names(harness.state.proxies["b"].snapshot)

    run(scenario, "a=one b=two")


def test_a_bug_changes_nothing_and_is_told():
    """When translating raises, everything is served as before, and the findings say so."""

    async def scenario(harness):
        before = harness.state.proxies
        await harness.say("crash")

        assert before == harness.state.proxies
        assert 2 == len(harness.served.sets)
        assert Result.FAILED == harness.state.reload.result
        assert "Bug: oh no" == harness.state.reload.error
        assert ["PEN901", "PEN305"] == [
            finding.diagnostic.code for finding in harness.state.findings
        ]
        assert ["oh no"] == [str(event.error) for event in harness.of(TranslationFailed)]

        await harness.say("a=one b=three")

        assert ["three"] == names(harness.state.proxies["b"].snapshot)
        assert () == harness.state.findings

    run(scenario, "a=one b=two !warning")


def test_a_bug_in_one_proxy_does_not_stop_the_others():
    """When one proxy cannot be encoded it keeps what it had, and the others move on."""

    async def scenario(harness):
        await harness.say("a=unemittable b=three")

        assert ["one"] == names(harness.state.proxies["a"].snapshot)
        assert ["three"] == names(harness.state.proxies["b"].snapshot)
        assert Result.FAILED == harness.state.reload.result
        assert ["a"] == [event.proxy for event in harness.of(TranslationFailed)]
        assert "proxy 'a'" in harness.state.findings[0].diagnostic.message

        await harness.say("a=unemittable b=three !warning")

        assert 2 == len(harness.of(TranslationFailed))

    run(scenario, "a=one b=two")


def test_a_bug_at_the_start_is_not_ready():
    """Nothing is served, and nothing pretended, until something could be translated."""

    async def scenario(harness):
        assert [] == harness.served.sets
        assert 0 == harness.state.generation
        assert harness.served.synced_after is None

        await harness.say("a=one")

        assert 1 == harness.state.generation

    run(scenario, "crash")


def test_an_outage_changes_nothing_and_is_told_once():
    """A source that cannot be read takes nothing away, however often it says so."""

    async def scenario(harness):
        before = harness.state.proxies
        await harness.say(Outage(error=SourceMissing("no such folder")))
        harness.source.say(Outage(error=SourceMissing("no such folder")))
        await harness.say(Outage(error=SourceError("cannot read it")))

        assert before == harness.state.proxies
        assert ["no such folder", "cannot read it"] == [
            event.reason for event in harness.of(SourceLost)
        ]
        assert all(event.served for event in harness.of(SourceLost))
        assert Result.LOST == harness.state.reload.result
        assert "cannot read it" == harness.state.outage.reason

        harness.time += timedelta(minutes=1)
        await harness.say("a=one")

        assert harness.state.outage is None
        assert [60] == [event.seconds for event in harness.of(SourceRecovered)]
        assert Result.UNCHANGED == harness.state.reload.result

    run(scenario, "a=one")


def test_an_empty_source_is_waited_for():
    """A volume that is not mounted yet makes nobody forget anything, nor the program end."""

    async def scenario(harness):
        assert [] == harness.served.sets
        assert "it is empty" == harness.state.outage.reason
        assert not harness.of(SourceLost)[0].served

        await harness.say("a=one")

        assert 1 == harness.state.generation
        assert harness.state.outage is None

    run(scenario, SourceEmpty("it is empty"))


def test_a_missing_source_is_an_error():
    """A source that does not exist at the start is the caller's to report."""
    harness = Harness(SourceMissing("no such folder"))

    with pytest.raises(SourceMissing):
        asyncio.run(harness.controller.start())


def test_a_finding_knows_since_when_it_is_true():
    """A finding that only moves to another line is the same one."""

    async def scenario(harness):
        start = harness.time
        harness.time += timedelta(minutes=1)
        await harness.say("a=one !new !old")
        (new, old) = harness.state.findings

        assert ("!new", harness.time) == (new.diagnostic.message, new.since)
        assert ("!old", start) == (old.diagnostic.message, old.since)

        finished = harness.of(ReloadFinished)[-1]

        assert ["!new"] == [finding.diagnostic.message for finding in finished.new]
        assert ["!gone"] == [finding.diagnostic.message for finding in finished.gone]

    run(scenario, "a=one !old !gone")


def test_the_event_loop_goes_on_while_translating():
    """Translating happens elsewhere: what serves the streams is never kept waiting."""
    progress = asyncio.Event()

    def slow(inputs, previous):
        # The loop has to run for this to end.
        asyncio.run_coroutine_threadsafe(progress.wait(), loop).result(5)
        return translate(inputs, previous)

    loop = None

    async def main():
        nonlocal loop
        loop = asyncio.get_running_loop()
        harness = Harness("a=one", translate=slow)
        async with harness.running():
            await asyncio.sleep(0)
            progress.set()
            await harness.settled()

            assert 1 == harness.state.generation

    asyncio.run(main())


def test_each_of_equal_findings_comes_and_goes():
    """The same mistake in two places is two findings; that one of them is gone is told."""

    async def scenario(harness):
        await harness.say("a=one !typo !typo")
        await harness.say("a=one !typo")

        assert [(0, 0), (2, 0), (0, 1)] == [
            (len(event.new), len(event.gone)) for event in harness.of(ReloadFinished)
        ]

    run(scenario, "a=one")


@dataclass
class FakeDecision:
    held: bool
    proxy: ir.Proxy
    outcomes: dict = field(default_factory=dict)
    waiting: tuple = (SOURCE,)
    as_written: int = 0


def holding(inputs, previous):
    """As `translate`; a proxy is held as long as the text has `hold`."""
    translation = translate(inputs, previous)
    held = "hold" in inputs.files["x.yaml"].decode().split()
    translation.served = {
        each.name: FakeDecision(held=held, proxy=each) for each in translation.proxies
    }
    translation.holding = {name: translation.diagnostics for name in translation.served if held}
    return translation


def test_a_hold_is_told_once_and_ends():
    """That a proxy is held is told when it begins and when it ends, and remembered between."""

    async def scenario(harness):
        start = harness.time
        await harness.say("a=one hold !typo")
        harness.time += timedelta(minutes=1)
        await harness.say("a=one hold !typo !other")

        assert {"a": start} == dict(harness.state.held)

        (held,) = harness.of(ProxyHeld)

        assert ("a", ["!typo"], (SOURCE,)) == (
            held.proxy,
            [found.message for found in held.because],
            held.waiting,
        )
        assert [] == harness.of(ProxyReleased)

        await harness.say("crash")

        assert {"a": start} == dict(harness.state.held)

        await harness.say("a=one")

        assert {} == dict(harness.state.held)
        assert [ProxyReleased(proxy="a", seconds=60.0)] == harness.of(ProxyReleased)

    run(scenario, "a=one", translate=holding)


def test_a_deleted_proxy_is_not_held():
    """Deleted is not invalid: with the proxy its hold goes away."""

    async def scenario(harness):
        await harness.say("a=one b=two hold")
        await harness.say("b=two hold")

        assert ["b"] == list(harness.state.held)
        assert ["a"] == [event.proxy for event in harness.of(ProxyReleased)]

    run(scenario, "a=one b=two", translate=holding)
