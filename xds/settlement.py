"""What follows from a client's verdict on a response, for what it is sent next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xds.delivery import Rejection
from xds.rejection import clean, culprits
from xds.subscription import NO_NAMES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from xds.delivery import Delivery, Sent


def repeat(delivery: Delivery, sent: Sent, *, but: Collection[str] = ()) -> None:
    """
    Count a response as not received: what the client wants of it is sent again.

    Args:
        delivery: The state of the type.
        sent: The response.
        but: The names of what has been sent since; what is under way again is not repeated
            either, since its own verdict is to come.
    """
    names = [
        name
        for name, resource in sent.resources.items()
        if delivery.held.get(name) == resource.version
        and name not in but
        and delivery.under_way(name) is None
    ]
    delivery.repeat(names)
    if sent.doubted_at is not None:
        delivery.owed |= {name for name in names if delivery.subscription.wants(name)}


def accept(delivery: Delivery, sent: Sent) -> Mapping[str, str]:
    """
    Note an ACK (rules 22 and 59), and return the versions it is for.

    What a client does not want any more it passes over, whatever it is.
    """
    delivery.trust_later(sent)
    taken, subscription = sent.resources, delivery.subscription
    if not subscription.wildcard:
        taken = {name: each for name, each in taken.items() if name in subscription.names}
    delivery.acked.update(taken)
    if delivery.refused:
        # It stands in for what was refused.
        delivery.look_at(taken)
    delivery.acked_version = sent.version
    delivery.clear()
    delivery.absolve()
    return {name: resource.version for name, resource in taken.items()}


def reject(
    delivery: Delivery,
    sent: Sent,
    text: str,
    *,
    older: Iterable[Sent],
    complete: bool,
    now: float,
) -> Mapping[str, str]:
    """
    Note a NACK, and return the versions at fault.

    What is refused is never sent again (rule 24). Of a response with several resources some
    may be applied and some not (rule 73): the innocent ones are sent again. If the text does
    not tell which they are, each is sent alone, once, or for a collection, of which every
    response is the whole, by halves (rules 101 and 102).

    Args:
        delivery: The state of the type.
        sent: The response that was refused.
        text: The client's words.
        older: The responses before it without a verdict. Of clusters it comes when they are warm,
            that on a refused response at once (rule 80).
        complete: Whether the response had to hold everything, so that it cannot be split.
        now: When it came, by the stream's clock.
    """
    delivery.trust_later(sent)
    delivery.uncertain = delivery.uncertain.union(*(each.resources for each in older)) or NO_NAMES
    everything = {name: resource.version for name, resource in sent.resources.items()}
    changed = {
        name: version
        for name, version in everything.items()
        if name not in delivery.acked or delivery.acked[name].version != version
    }
    suspects = changed or everything
    known = frozenset(name for name in suspects if (name, suspects[name]) in delivery.refused)
    named = culprits(text, suspects) or known
    unknown = len(suspects) > 1 and not named
    rejected = {} if unknown else {name: suspects[name] for name in named or suspects}
    delivery.rejection = Rejection(
        version=sent.version, names=tuple(sorted(rejected)), text=clean(text), at=now
    )
    if not complete:
        innocent = everything.keys() - rejected.keys()
        if everything and (innocent or sent.removed):
            # Of what is under way again another verdict is to come.
            again = {n for n in innocent.union(sent.removed) if delivery.under_way(n) is None}
            delivery.repeat(again)
            if unknown:
                delivery.apart |= again & innocent
    else:
        if unknown:
            delivery.divide(suspects)
        # Only the verdict on another response tells what became of the innocent ones.
        delivery.answer_owed |= not delivery.in_flight and bool(
            changed.keys() - rejected.keys() or delivery.acked.keys() - everything.keys()
        )
    delivery.refuse(rejected, delivery.rejection)
    return rejected
