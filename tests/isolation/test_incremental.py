"""What a translation takes over from the one before changes nothing of what it says."""

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from mutations import mutate
from rewiring import rewire
from served import everything
from support.grpc_emission import emit_for_grpc, remade, wire
from teams import configurations

from translator import reuse
from translator.emit import emit
from translator.pipeline import Inputs, restored, translate
from translator.policy import suspect, suspects

PROFILE = settings.get_profile("isolation")


@pytest.fixture(autouse=True, scope="module")
def _patches():
    """Let mappings as small as these share what has not changed, as large ones do."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reuse, "_SMALL", 2)
        patched.setattr(reuse, "_MOST_PATCHES", 6)
        yield


@PROFILE
@given(data=st.data())
def test_edits_one_by_one_equal_a_translation_from_nothing(data):
    """
    After any series of edits, everything is as if it had been translated from nothing.

    "From nothing" means from the texts and from what has to be remembered, as after a restart. The
    same are all reports, what is served and why, what is remembered, and every byte and version,
    for Envoys and for gRPC clients. What gRPC clients are served as before is the very same object.
    """
    configuration = data.draw(configurations())
    now = translate(Inputs(files=configuration.files))
    sent = {proxy.name: (proxy, emit(proxy)) for proxy in now.proxies}
    calls = {proxy.name: emit_for_grpc(proxy) for proxy in now.proxies}
    files, refusals = dict(configuration.files), ()
    for _ in range(data.draw(st.integers(1, 5))):
        files = data.draw(edits(configuration, files))
        if data.draw(st.integers(0, 4)) == 0:
            refusals = data.draw(refused(now))
        unreadable = data.draw(lost(files))
        inputs = Inputs(
            files={o: text for o, text in files.items() if o not in unreadable},
            refusals=refusals,
            unreadable=unreadable,
        )
        note(sorted(files.items()))
        fresh = translate(inputs, restored(now.memory))
        now = translate(inputs, now)

        assert everything(fresh) == everything(now)
        assert reasons(fresh) == reasons(now)
        for proxy, other in zip(now.proxies, fresh.proxies, strict=True):
            snapshot = emit(proxy, sent.get(proxy.name))
            sent[proxy.name] = proxy, snapshot
            assert wire(emit(other)) == wire(snapshot)
            before = calls.get(proxy.name)
            calls[proxy.name] = emit_for_grpc(proxy, before)
            at_once = emit_for_grpc(other)
            assert at_once[0] == calls[proxy.name][0]
            assert wire(at_once[1]) == wire(calls[proxy.name][1])
            assert [] == (remade(calls[proxy.name], before) if before is not None else [])


_EDITS = ("mutate", "mutate", "rewire", "rewire", "restore", "touch", "remove")


@st.composite
def edits(draw, configuration, files):
    """Change some files: at random, back to what they were, or so that they are gone."""
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(_EDITS))
        owner = draw(st.sampled_from([*configuration.teams, configuration.ops]))
        mine = {o: text for o, text in files.items() if o.startswith(f"{owner}/")}
        rest = {o: text for o, text in files.items() if o not in mine}
        origin = draw(st.sampled_from(sorted(mine) or [""]))
        match kind:
            case "mutate":
                mine = mutate(draw, mine, owner, configuration)
            case "rewire":
                mine = rewire(draw, mine, owner, configuration)
            case "restore":
                mine = configuration.of(owner)
            case "touch" if origin:
                mine[origin] = b"# as before\n" + mine[origin]
            case "remove" if origin:
                del mine[origin]
        files = rest | mine
    return dict(sorted(files.items()))


@st.composite
def lost(draw, files):
    """Choose files or folders that cannot be read for the moment."""
    if draw(st.integers(0, 5)):
        return {}
    folders = {origin.rpartition("/")[0] for origin in files}
    origin = draw(st.sampled_from(sorted({*files, *folders} - {""}) or ["x"]))
    return {o: "no" for o in (*files, origin) if o == origin or o.startswith(f"{origin}/")}


@st.composite
def refused(draw, translation):
    """Choose what Envoys refuse of what is served."""
    found = [
        each
        for proxy in translation.proxies
        for configuration in proxy.route_configurations
        for each in suspects(configuration, None)
    ]
    found += [
        suspect(proxy, kind, name)
        for proxy in translation.proxies
        for kind, name in (
            *(("Cluster", each.name) for each in proxy.clusters),
            *(("Listener", each.name) for each in proxy.listeners if each.source is not None),
            *(("ClusterLoadAssignment", each.cluster) for each in proxy.load_assignments),
        )
    ]
    found = [each for each in found if each is not None]
    chosen = draw(st.lists(st.sampled_from(found), max_size=2)) if found else []
    return tuple(sorted({each.refusal("no", "envoy") for each in chosen}))


def reasons(translation):
    """Why everything is served as it is."""
    return translation.holding, {
        name: (
            served.held,
            served.invalid,
            served.outcomes,
            list(served.outcomes),
            served.shares,
            served.waiting,
            served.needed,
            served.as_written,
            {key: (d.served, d.good, d.outcomes) for key, d in served.decisions.items()},
        )
        for name, served in translation.served.items()
    }
