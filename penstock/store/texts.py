"""The texts that good resources are read from, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from penstock.store.comparing import changes
from translator.policy import Good
from translator.report import ResourceRef
from translator.reuse import updated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from penstock.store.packs import Entry
    from translator.ir.plain import Plain
    from translator.texts import FileReading

__all__ = ["Text", "Texts", "decode_texts", "encode_texts", "read_text"]


class Text(NamedTuple):
    """A text, and which resources in it were good."""

    text: bytes
    refs: tuple[ResourceRef, ...]
    """Sorted."""


@dataclass(frozen=True, slots=True)
class Texts:
    """All texts that some resources were read from."""

    resources: Mapping[ResourceRef, Good]
    by_origin: Mapping[str, tuple[Text, ...]]
    """Sorted; several if resources of one place were good at different times."""

    @classmethod
    def of(cls, resources: Mapping[ResourceRef, Good], before: Texts | None = None) -> Texts:
        """
        Find the texts.

        Args:
            resources: The resources.
            before: The texts of other resources; only what differs is looked at.
        """
        if before is None:
            before = cls({}, {})
        changed, gone = changes(before.resources, resources)
        places: dict[str, dict[bytes, set[ResourceRef]]] = {}

        def refs_in(good: Good) -> set[ResourceRef]:
            if good.origin not in places:
                known = before.by_origin.get(good.origin, ())
                places[good.origin] = {text: set(refs) for text, refs in known}
            return places[good.origin].setdefault(good.text, set())

        for ref in (*gone, *(ref for ref in changed if ref in before.resources)):
            refs_in(before.resources[ref]).discard(ref)
        for ref, good in changed.items():
            refs_in(good).add(ref)
        found = {
            origin: tuple(
                sorted(Text(text, tuple(sorted(refs))) for text, refs in texts.items() if refs)
            )
            for origin, texts in places.items()
        }
        by_origin = {origin: texts or None for origin, texts in found.items()}
        return cls(resources, updated(before.by_origin, by_origin, ordered=False))


def encode_texts(texts: tuple[Text, ...]) -> Entry:
    """Write the texts of one place with their good resources."""
    note: list[Plain] = [
        [len(each.text), [[ref.kind, ref.namespace, ref.name] for ref in each.refs]]
        for each in texts
    ]
    return note, b"".join(each.text for each in texts)


def decode_texts(note: Plain, body: bytes) -> Iterator[Text]:
    """
    Yield what `encode_texts` wrote.

    Raises:
        ValueError: It is something else.
        TypeError: Likewise.
    """
    start = 0
    for length, refs in cast("list[tuple[int, list[tuple[str, str, str]]]]", note):
        yield Text(body[start : start + length], tuple(ResourceRef(*ref) for ref in refs))
        start += length


def read_text(origin: str, text: Text, reading: FileReading) -> dict[ResourceRef, Good]:
    """Find the resources in a text that were good in it, as far as they still are."""
    wanted = set(text.refs)
    found: dict[ResourceRef, Good] = {}
    for each in reading.readings:
        # Of two with one identity in one file, the first counts, and had counted.
        if each.ref in wanted:
            wanted.discard(each.ref)
            if each.resource is not None:
                found[each.ref] = Good(origin=origin, text=text.text, resource=each.resource)
    return found
