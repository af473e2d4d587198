"""The ledger itself: it objects to what it is there to object to, and to nothing else."""

import pytest
from conversation import CDS, EDS, RDS, world
from ledger import Ledger

from xds.delta import DeltaRequest, DeltaStream
from xds.exchange import Receipt, RequestKind, Response
from xds.sotw import SotwRequest, SotwStream
from xds.testing import FakeClock

AB = world("a b", routes={"r": "a", "s": "a"})
EDITED = world("a b", routes={"r": "a", "s": "a"}, edits={"EDS a": "2", "RDS r": "2"})


class Script:
    """Has a ledger watch a machine that answers whatever a test says."""

    def __init__(self, make):
        self.ledger = Ledger(make, FakeClock())
        self.ledger.machine, self.ledger.thorough = self, None
        self.answers = []
        self.nonce = 0
        self.delta = make is DeltaStream

    def receive(self, _):
        answers, self.answers = self.answers, []
        return answers

    publish = receive

    def response(self, type_url, *names, snapshot=AB, removed=()):
        self.nonce += 1
        resources = tuple(snapshot.get(type_url, name) for name in names)
        return Response(
            type_url=type_url,
            nonce=str(self.nonce),
            version=f"v{self.nonce}",
            resources=resources,
            removed=removed,
        )

    def send(self, *args, **fields):
        response = self.response(*args, **fields)
        self.answers = [response]
        self.ledger.publish(None)
        return response

    def ask(self, type_url, *names, **fields):
        kind = {"subscribe": names} if self.delta else {"names": names}
        request = DeltaRequest if self.delta else SotwRequest
        self.ledger.receive(request(type_url=type_url, **kind, **fields))

    def judge(self, response, *names, error=None):
        version = {} if self.delta else {"version": "" if error else response.version}
        self.ask(response.type_url, *names, nonce=response.nonce, error=error, **version)


@pytest.fixture(params=[SotwStream, DeltaStream])
def script(request):
    script = Script(request.param)
    script.ask(EDS, "a", "b")
    return script


def test_sent_again(script):
    """The same version again needs a reason, be it accepted or under way."""
    first = script.send(EDS, "a")
    with pytest.raises(AssertionError, match="EDS a is sent again"):
        script.send(EDS, "a")
    script.judge(first, *([] if script.delta else ["a", "b"]))
    script.send(EDS, "a", snapshot=EDITED)
    script.send(EDS, "a")


def test_asked_again(script):
    """A name that is dropped and asked for is sent again, once."""
    script.send(EDS, "a")
    if script.delta:
        script.ask(EDS, "a")
    else:
        script.ask(EDS, "b")
        script.ask(EDS, "a", "b")
    script.send(EDS, "a")
    with pytest.raises(AssertionError, match="EDS a is sent again"):
        script.send(EDS, "a")


def test_refused(script):
    """What is beside a culprit is sent again, and the culprit never."""
    response = script.send(EDS, "a", "b")
    receipt = Receipt(
        kind=RequestKind.NACK, type_url=EDS, rejected={"b": AB.get(EDS, "b").version}, text="no"
    )
    script.judge(response, *([] if script.delta else ["a", "b"]), error="no")
    script.ledger.hear(receipt)
    script.send(EDS, "a")
    with pytest.raises(AssertionError, match="EDS b is sent again"):
        script.send(EDS, "b")
    script.ask(EDS, "c")
    script.ask(EDS, "b")
    with pytest.raises(AssertionError, match="was refused"):
        script.send(EDS, "b")


def test_endpoints_behind_clusters(script):
    """Endpoints are sent again behind their cluster."""
    script.send(EDS, "a")
    script.ask(CDS)
    script.send(CDS, "a", "b")
    script.send(EDS, "a")


def test_names_and_routes(script):
    """No name comes twice, and no two route configurations in one response."""
    with pytest.raises(AssertionError, match="twice"):
        script.send(EDS, "a", "a")
    with pytest.raises(AssertionError, match="twice"):
        script.send(EDS, "a", removed=("a",))
    with pytest.raises(AssertionError, match="rule 101"):
        script.send(RDS, "r", "s")


def test_collections():
    """A collection is sent whole, but not twice the same."""
    script = Script(SotwStream)
    script.ask(CDS)
    script.send(CDS, "a", "b")
    script.send(CDS, "a")
    script.send(CDS, "a", "b")
    with pytest.raises(AssertionError, match="CDS is sent again"):
        script.send(CDS, "a", "b")
