"""What the program saves for its next start, and what it makes of what was saved."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from penstock.errors import StateError
from penstock.judgement import Judgement
from penstock.state import Publication, Saving
from penstock.store import Checkpoint, VerdictRecord, plain_refusals, read_refusals
from translator import ir
from translator.pipeline import restored
from xds.verdicts import Content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.state import State
    from penstock.store import Facts, LastGood, Store
    from translator.ir.plain import Plain
    from translator.pipeline import Translation
    from xds.snapshot import Snapshot

__all__ = ["Keeper", "Loaded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What an earlier process served."""

    proxies: Mapping[str, Publication]
    """By name, sorted; empty if nothing was kept."""
    held: Mapping[str, datetime]
    """Which of them were held, with since when."""
    judgement: Judgement
    """What Envoys had said to it."""
    problems: tuple[str, ...]
    """What is damaged, a sentence each."""


class Keeper:
    """Keeps where the program stands in a store; every call may take its time."""

    def __init__(self, store: Store) -> None:
        """
        Begin to keep.

        Args:
            store: Is closed by whoever opened it.
        """
        self._store = store
        self._since: Mapping[tuple[str, str, str], datetime] = {}
        self._record = VerdictRecord()

    @property
    def saving(self) -> Saving:
        """Where it saves, and why that does not work if it does not."""
        return Saving(directory=str(self._store.directory), problem=self._store.problem)

    @property
    def since(self) -> Mapping[tuple[str, str, str], datetime]:
        """Since when an earlier process had found what it found, by the identity of findings."""
        return self._since

    def load(self, now: datetime) -> Loaded:
        """
        Load what an earlier process served.

        Args:
            now: Stands in for times that are not known.
        """
        loaded = self._store.load()
        self._since = _findings_since(loaded.facts)
        return Loaded(
            proxies=_publications(loaded, now),
            held=_held(loaded.facts),
            judgement=Judgement(
                refusals=read_refusals(loaded.facts.get("refusals")),
                **_bases(loaded.accepted),
                verdicts=dict(loaded.verdicts),
            ),
            problems=loaded.problems,
        )

    def recall(self) -> tuple[Translation, tuple[str, ...]]:
        """
        Load what an earlier process knew, for the first translation; only to be asked once.

        Returns:
            The translation to build on, and what is damaged, a sentence each.
        """
        recalled = self._store.recall()
        return restored(recalled.memory, recalled.files), recalled.problems

    def save(self, state: State, judgement: Judgement) -> Saving:
        """Save where the program stands, unless that fails; the result tells."""
        started = time.monotonic()
        written, problem = False, ""
        if state.translation is not None:
            checkpoint = Checkpoint(
                snapshots={name: each.snapshot for name, each in state.proxies.items()},
                memory=judgement.inform(state.translation.memory),
                facts=_facts(state) | {"refusals": plain_refusals(judgement.refusals)},
                accepted=_accepted(judgement),
                verdicts=self._record.take(judgement.verdicts.items()),
            )
            try:
                written = self._store.save(checkpoint)
            except StateError as error:
                problem = str(error)
        return Saving(
            directory=str(self._store.directory),
            problem=problem,
            written=written,
            seconds=time.monotonic() - started,
        )


_NODE, _CONTENT = "node ", "content "
"""How what is behind the name of a proxy begins, if it is not about all that was accepted."""


def _accepted(judgement: Judgement) -> dict[tuple[str, str], Snapshot]:
    return {
        **{(proxy, ""): each for proxy, each in judgement.bases.items()},
        **{(proxy, f"{_NODE}{node}"): each for (proxy, node), each in judgement.own.items()},
        **{
            (proxy, _CONTENT + json.dumps(content)): each
            for (proxy, content), each in judgement.former.items()
        },
    }


def _bases(accepted: Mapping[tuple[str, str], Snapshot]) -> dict[str, Any]:
    """Sort what was saved by `_accepted` into the fields of a judgement."""
    bases, own, former = {}, {}, {}
    for (proxy, key), snapshot in accepted.items():
        if key.startswith(_NODE):
            own[proxy, key.removeprefix(_NODE)] = snapshot
        elif key.startswith(_CONTENT):
            former[proxy, Content(*json.loads(key.removeprefix(_CONTENT)))] = snapshot
        else:
            bases[proxy] = snapshot
    return {"bases": bases, "own": own, "former": former}


def _facts(state: State) -> dict[str, Plain]:
    return {
        "published": {
            name: [each.since.isoformat(), each.generation] for name, each in state.proxies.items()
        },
        "held": {name: since.isoformat() for name, since in state.held.items()},
        "findings": [[*each.identity, each.since.isoformat()] for each in state.findings],
    }


def _publications(loaded: LastGood, now: datetime) -> Mapping[str, Publication]:
    published = loaded.facts.get("published")
    known = published if isinstance(published, dict) else {}
    publications = {}
    for name, snapshot in sorted(loaded.snapshots.items()):
        since, generation = now, 1
        match known.get(name):
            case [str(text), int(number)]:
                since, generation = _time(text) or now, max(number, 1)
        publications[name] = Publication(
            proxy=ir.Proxy(
                name=name, listeners=(), route_configurations=(), clusters=(), load_assignments=()
            ),
            snapshot=snapshot,
            since=since,
            generation=generation,
            noticed=time.monotonic(),
            loaded=True,
        )
    return MappingProxyType(publications)


def _held(facts: Facts) -> Mapping[str, datetime]:
    held = facts.get("held")
    times = {
        name: _time(text)
        for name, text in (held if isinstance(held, dict) else {}).items()
        if isinstance(text, str)
    }
    return MappingProxyType({name: since for name, since in times.items() if since is not None})


def _findings_since(facts: Facts) -> Mapping[tuple[str, str, str], datetime]:
    findings = facts.get("findings")
    since = {}
    for each in findings if isinstance(findings, list) else ():
        match each:
            case [str(code), str(owner), str(message), str(text)] if moment := _time(text):
                since[code, owner, message] = moment
    return since


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
