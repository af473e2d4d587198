"""Which client may ask for which proxies: the rules, one by one and together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from penstock.access import Access, Rule
from xds.identity import Identity, Reason

EDGE = "spiffe://cluster.local/ns/edge/sa/"


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def access_of(*rules):
    return Access([Rule.parse(rule) for rule in rules], lambda: NOW)


@pytest.mark.parametrize(
    ("text", "pattern", "proxies"),
    [
        ("a.example = p", "a.example", {"p"}),
        ("a.example=p", "a.example", {"p"}),
        ("  A.Example  =  p ,  q  ", "a.example", {"p", "q"}),
        ("*.edge.example = *", "*.edge.example", None),
        ("* = public", "*", {"public"}),
        (f"{EDGE}* = gateway-proxy", f"{EDGE}*", {"gateway-proxy"}),
        ("https://a.example/?role=edge = p", "https://a.example/?role=edge", {"p"}),
        ("spiffe://Trust/Path = p", "spiffe://Trust/Path", {"p"}),
    ],
)
def test_rules_are_read(text, pattern, proxies):
    """A rule is a pattern, an equals sign and proxies; spaces around them mean nothing."""
    rule = Rule.parse(text)

    assert (pattern, proxies) == (rule.pattern, rule.proxies)
    assert rule == Rule.parse(str(rule))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not PATTERN = PROXY"),
        ("a.example", "is not PATTERN = PROXY"),
        ("a.example =", "is not PATTERN = PROXY"),
        ("= p", "is not PATTERN = PROXY"),
        ("a example = p", "'a example' is neither a DNS name nor a URI"),
        ("a..example = p", "neither a DNS name nor a URI"),
        (".example = p", "neither a DNS name nor a URI"),
        ("cluster.local/ns/edge = p", "neither a DNS name nor a URI"),
        ("a[bc].example = p", "neither a DNS name nor a URI"),
        ("spiffe:// = p", "is not a URI"),
        ("SPIFFE://a/b = p", "is not a URI"),
        ("spi*ffe://a/b = p", "is not a URI"),
        ("spiffe://a b/c = p", "is not a URI"),
        ("spiffe://a/** = p", "'spiffe://a/**' has '**'"),
        ("** = p", "'**' has '**'"),
        ("a.example = p,,q", "'' in 'a.example = p,,q' is not the name of a proxy"),
        ("a.example = p, *", "'*' in 'a.example = p, *' is not the name of a proxy"),
        ("a.example = p*", "'*' alone stands for all of them"),
        ("a.example = p q", "'p q' in"),
    ],
)
def test_anything_else_is_refused(text, words):
    """What is not quite a rule is refused with words that say why."""
    with pytest.raises(ValueError, match=r".") as caught:
        Rule.parse(text)

    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("a.example", "a.example", True),
        ("a.example", "A.EXAMPLE", True),
        ("a.example", "b.a.example", False),
        ("a.example", "a.example.evil", False),
        ("a.example", "aXexample", False),
        ("a.example", "a.example\n", False),
        ("a.example", "a.example\0.evil", False),
        ("*.example", "a.example", True),
        ("*.example", ".example", False),
        ("*.example", "a.b.example", False),
        ("edge-*.example", "edge-7.example", True),
        ("edge-*.example", "edge-.example", False),
        ("*.example", "a/b.example", False),
        (f"{EDGE}*", f"{EDGE}proxy", True),
        (f"{EDGE}*", f"{EDGE}proxy.v2", True),
        (f"{EDGE}*", EDGE, False),
        (f"{EDGE}*", f"{EDGE}a/b", False),
        (f"{EDGE}*", f"{EDGE}a\0b", False),
        (f"{EDGE}*", f"{EDGE}a\nb", False),
        (f"{EDGE}proxy", f"{EDGE}Proxy", False),
        ("spiffe://*/ns/edge/sa/a", f"{EDGE}a", True),
        ("spiffe://cluster.local/*/edge/sa/*", f"{EDGE}a", True),
        ("spiffe://cluster.local/*", f"{EDGE}a", False),
        ("spiffe://cluster.local/ns", "spiffe://cluster.local/ns/", False),
    ],
)
def test_patterns(pattern, name, matches):
    """A `*` stands for some text within one segment or label; all the rest is literal."""
    rule = Rule.parse(f"{pattern} = p")
    identity = Identity(uris=(name,)) if "://" in name else Identity(dns=(name,))

    assert matches == rule.is_about(identity)


@pytest.mark.parametrize(
    ("pattern", "identity"),
    [
        ("a.example", Identity(uris=("a.example",))),
        (f"{EDGE}a", Identity(dns=(f"{EDGE}a",))),
        ("a.example", Identity(subject="CN=a.example")),
        ("*.example", Identity()),
    ],
)
def test_kinds_of_names_do_not_mix(pattern, identity):
    """A DNS name is no URI, whatever it looks like, and a subject is neither."""
    assert not Rule.parse(f"{pattern} = p").is_about(identity)


RULES = (
    f"{EDGE}* = gateway-proxy",
    f"{EDGE}boss = internal-proxy",
    "*.lab.example = lab-one, lab-two",
    "spiffe://cluster.local/ns/ops/sa/debug = *",
)
BOSS, EDGE_ONE = Identity(uris=(f"{EDGE}boss",)), Identity(uris=(f"{EDGE}one",))
LAB = Identity(dns=("unknown.example", "x.lab.example"))
OPS = Identity(uris=("spiffe://cluster.local/ns/ops/sa/debug",))


@pytest.mark.parametrize(
    ("identity", "proxy", "reason"),
    [
        (EDGE_ONE, "gateway-proxy", None),
        (EDGE_ONE, "internal-proxy", Reason.OTHER_PROXY),
        (EDGE_ONE, "", Reason.OTHER_PROXY),
        (BOSS, "gateway-proxy", None),
        (BOSS, "internal-proxy", None),
        (BOSS, "lab-one", Reason.OTHER_PROXY),
        (LAB, "lab-two", None),
        (LAB, "gateway-proxy", Reason.OTHER_PROXY),
        (OPS, "anything", None),
        (Identity(dns=("a.example",)), "gateway-proxy", Reason.STRANGER),
        (Identity(subject="CN=gateway-proxy"), "gateway-proxy", Reason.ANONYMOUS),
        (None, "gateway-proxy", Reason.ANONYMOUS),
    ],
)
def test_rules_together(identity, proxy, reason):
    """A client may have what any rule about any of its names allows, and nothing else."""
    denial = access_of(*RULES)(identity, proxy)

    assert reason == (denial and denial.reason)


def test_without_rules():
    """Without a rule every client may ask for everything."""
    assert access_of()(Identity(), "p") is None
    assert access_of()(None, "p") is None


def test_a_rule_for_everybody():
    """A lone `*` is every client that has a certificate, with or without names in it."""
    access = access_of("* = public", "a.example = private")

    assert access(Identity(), "public") is None
    assert access(EDGE_ONE, "public") is None
    assert access(EDGE_ONE, "private").reason is Reason.OTHER_PROXY
    assert access(None, "public").reason is Reason.ANONYMOUS


def test_a_denial_names_the_client_and_the_proxy():
    """Who is denied is told what is known of him, and nothing of what there is."""
    access = access_of(*RULES)

    assert f"{EDGE}one may not ask for the proxy 'lab-one'" == access(EDGE_ONE, "lab-one").text
    assert len(access(EDGE_ONE, "p" * 1_000_000).text) < 1_000
    assert "no rule allows a.example anything" == access(Identity(dns=("a.example",)), "p").text
    assert (
        "a client without a certificate has no name that a rule could allow"
        == access(None, "p").text
    )


@pytest.mark.parametrize("rules", [(), ("a.example = p",), ("* = *",)])
def test_an_expired_certificate_is_none(rules):
    """A certificate counts until the second that it names, whatever session it is shown in."""
    names = {"dns": ("a.example",)}

    for seconds, reason in ((1, None), (0, Reason.EXPIRED), (-1, Reason.EXPIRED)):
        identity = Identity(**names, not_after=NOW + timedelta(seconds=seconds))
        denial = access_of(*rules)(identity, "p")
        assert reason == (denial and denial.reason)
