"""
What one stream was sent, and whether there was a reason for it.

What the client refused is never sent again on its stream (rules 24 and 103). A resource is sent
for one of these reasons, and for no other:

- the client does not have it: it was never sent this version on this stream, was sent another one
  or its removal since, or has unsubscribed from it;
- the client asks for it, by a name that it did not ask for before, or (delta) asks again;
- a cluster that uses these endpoints was sent for one of these reasons (rule 79);
- the response it was in was refused, and it is not what was at fault (rules 73, 101 and 102);
- the response it was in was dropped: the client said that it has no use for it (rules 6 and 23), or
  gave a verdict on a later one and never on it (rule 72).

Beside the stream runs a second one, which looks at everything each time: what the first one finds
by looking only at what may be news must be the same.

A collection in the state-of-the-world protocol is sent whole (rule 40), so there the reasons are
those of the response: its content must differ from the one before, or the client must have asked
or dropped it.
"""

from conversation import CDS, EDS, RDS, SHORT

from xds.delta import DeltaStream
from xds.types import COLLECTIONS


def thorough(make):
    """Make a kind of stream machine that relies on nothing that it found out before."""

    class Thorough(make):
        __slots__ = ()

        def _look(self, snapshot, delivery, now):
            delivery.look_at_all()
            return super()._look(snapshot, delivery, now)

    return Thorough


class Ledger:
    """A stream machine under supervision; it is used like the machine itself."""

    def __init__(self, make, clock, **more):
        self.machine = make(clock=clock, heard=self.hear, **more)
        self.thorough = thorough(make)(clock=clock, **more)
        self.delta = make is DeltaStream
        self.sent = {}
        """The version that was sent last of each resource, by type and name."""
        self.reasons = {}
        """The resources that may be sent although they were, and why."""
        self.contents = {}
        """What the last response of each collection held."""
        self.responses = {}
        """The responses without a verdict, by nonce, oldest first."""
        self.refused = set()
        """The versions found at fault, with type and name; none of them may ever be sent again."""
        self.names = {}
        self.wildcard = set()

    @property
    def deadline(self):
        return self.machine.deadline

    def publish(self, snapshot):
        return self.check(self.ask("publish", snapshot))

    def expire(self, now):
        return self.check(self.ask("expire", now))

    def receive(self, request):
        settled = self.verdict(request)
        self.subscription(request)
        responses = self.ask("receive", request)
        self.responses = {n: r for n, r in self.responses.items() if n not in settled}
        return self.check(responses)

    def hear(self, receipt):
        for name, version in receipt.rejected.items():
            self.refused.add((receipt.type_url, name, version))
            self.reasons.pop((receipt.type_url, name), None)

    def verdict(self, request):
        """Find the reasons in what a request says to a response, and return what it settles."""
        response = self.responses.get(request.nonce)
        if response is None or request.type_url not in ("", response.type_url):
            return ()
        same = [r for r in self.responses.values() if r.type_url == response.type_url]
        older = same[: same.index(response)]
        dropped = list(older) if self.delta or not request.type_url else []
        accepted = [] if dropped else list(older)
        if request.error is not None:
            accepted = []
            if self.delta or request.type_url not in COLLECTIONS:
                self.allow(response, "innocent of a NACK")
        elif not request.type_url or (not self.delta and request.version != response.version):
            accepted = []
            self.allow(response, "dropped")
        else:
            accepted.append(response)
        for each in dropped:
            self.allow(each, "dropped")
        for each in accepted:
            for name in [r.name for r in each.resources]:
                self.reasons.pop((each.type_url, name), None)
        return [r.nonce for r in (*older, response)]

    def allow(self, response, reason):
        """Let what was in a response be sent again, unless it was superseded since."""
        for resource in response.resources:
            key = response.type_url, resource.name
            if self.sent.get(key) == resource.version:
                self.reasons[key] = reason
        if response.type_url in self.contents:
            self.reasons[response.type_url, None] = reason

    def subscription(self, request):
        """Find the reasons in the names of a request."""
        kind = request.type_url
        if not kind:
            return
        before, everything = self.names.get(kind, set()), kind in self.wildcard
        if self.delta:
            asked = set(request.subscribe) - set(request.unsubscribe)
            left = set(request.unsubscribe)
            names = (before | set(request.subscribe)) - left
            if everything:
                asked |= left & before  # rule 63
        else:
            names = set(request.names)
            asked = names - before
        wildcard = self.machine_wants_all(kind, request, first=kind not in self.names)
        self.names[kind] = names
        self.wildcard = self.wildcard | {kind} if wildcard else self.wildcard - {kind}
        if not wildcard:
            # Who does not want everything passes over what it does not name.
            for _, name in [key for key in self.sent if key[0] == kind and key[1] not in names]:
                self.forget(kind, name)
        for name in asked:
            self.reasons[kind, name] = "asked for"
        if asked or (wildcard and not everything):
            self.reasons[kind, None] = "asked for"

    def machine_wants_all(self, kind, request, *, first):
        if self.delta:
            legacy = first and not request.subscribe and not request.unsubscribe
            wants = kind in self.wildcard or "*" in request.subscribe
            wants |= legacy and kind in COLLECTIONS
            return wants and "*" not in request.unsubscribe
        named = any(self.names.get(kind, ())) or request.names
        legacy = kind in COLLECTIONS and not named and (first or kind in self.wildcard)
        return legacy or "*" in request.names

    def forget(self, kind, name):
        self.sent.pop((kind, name), None)
        self.reasons.pop((kind, name), None)

    def ask(self, method, argument):
        """Ask both machines the same."""
        responses = getattr(self.machine, method)(argument)
        if self.thorough is not None:
            assert getattr(self.thorough, method)(argument) == responses, "it was overlooked"
            assert self.thorough.deadline == self.machine.deadline
        return responses

    def check(self, responses):
        for response in responses:
            self.responses[response.nonce] = response
            names = [*(r.name for r in response.resources), *response.removed]
            assert len(names) == len(set(names)), "rules 44 and 70: a name comes twice"
            if response.type_url == RDS:
                assert len(response.resources) <= 1, "rule 101: two route configurations"
            if self.delta or response.type_url not in COLLECTIONS:
                self.check_parts(response)
            else:
                self.check_whole(response)
        return responses

    def check_parts(self, response):
        kind = response.type_url
        for resource in response.resources:
            key, version = (kind, resource.name), resource.version
            reason = self.reasons.pop(key, None)
            if self.sent.get(key) == version:
                assert reason, f"{SHORT[kind]} {resource.name} is sent again without a reason"
            self.note(resource, again=True)
        for name in response.removed:
            self.forget(kind, name)

    def check_whole(self, response):
        kind = response.type_url
        content = {r.name: r.version for r in response.resources}
        reason = self.reasons.pop((kind, None), None)
        if self.contents.get(kind) == content:
            assert reason, f"{SHORT[kind]} is sent again without a reason"
        self.contents[kind] = content
        for resource in response.resources:
            self.note(resource, again=bool(reason))
        for _, name in [key for key in self.sent if key[0] == kind and key[1] not in content]:
            self.forget(kind, name)

    def note(self, resource, *, again):
        key = resource.type_url, resource.name
        assert (*key, resource.version) not in self.refused, f"{key} was refused and is sent again"
        if resource.type_url == CDS and (again or self.sent.get(key) != resource.version):
            for name in resource.requires:
                self.reasons[EDS, name] = "its cluster was sent"
        self.sent[key] = resource.version
