"""What happens to a request on its way, and what a route inherits of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from translator import ir
from translator.lower.headers import NO_EDITS, lower_edits, value_complaint
from translator.lower.paths import rewrite_complaint
from translator.report import rules

if TYPE_CHECKING:
    from translator.lower.findings import Findings, Place
    from translator.resources.options import RouteOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionsDraft:
    """The options that a route sets; None is what it does not set."""

    prefix_rewrite: str | None = None
    host_rewrite: str | None = None
    timeout: int | None = None
    retries: ir.RetryPolicy | None = None
    headers: ir.HeaderEdits | None = None

    def below(self, parent: OptionsDraft) -> OptionsDraft:
        """Fill from the parent what is not set, option by option (gloo-behaviour 3.5)."""
        if parent == UNSET:
            return self
        mine = {field.name: getattr(self, field.name) for field in fields(self)}
        return OptionsDraft(
            **{
                name: getattr(parent, name) if value is None else value
                for name, value in mine.items()
            }
        )

    def of(self, action: ir.Action | None) -> ir.Options:
        """Keep what an action can use: what answers by itself forwards nothing."""
        if self is UNSET:
            return _PLAIN
        headers = self.headers or NO_EDITS
        if not isinstance(action, ir.Forward | ir.Split):
            return ir.Options(headers=headers)
        return ir.Options(
            prefix_rewrite=self.prefix_rewrite,
            host_rewrite=self.host_rewrite,
            timeout=self.timeout,
            retries=self.retries,
            headers=headers,
        )


UNSET = OptionsDraft()
_PLAIN = ir.Options()

_FOR_FORWARDING = ("prefix_rewrite", "host_rewrite", "timeout", "retries")


def lower_options(
    spec: RouteOptions | None, place: Place, findings: Findings, *, answers: bool
) -> tuple[OptionsDraft, tuple[str, ...]]:
    """
    Lower the options of a route.

    Args:
        spec: The options as written.
        place: Where.
        findings: Where mistakes go.
        answers: Whether the route answers by itself, by a redirect or a response.

    Returns:
        The options, and the codes of the mistakes in them.
    """
    if spec is None:
        return UNSET, ()
    faults: list[str] = []
    if answers:
        faults += _misplaced(spec, place, findings)
    if spec.prefix_rewrite is not None:
        complaint = rewrite_complaint(spec.prefix_rewrite)
        if complaint:
            where = place.at("prefixRewrite")
            message = f"the rewrite '{spec.prefix_rewrite}' makes no path: {complaint}"
            faults.append(findings.add(rules.BAD_REWRITE, where, message))
    if spec.host_rewrite is not None:
        complaint = value_complaint(spec.host_rewrite) or (
            "" if spec.host_rewrite else "the host is empty"
        )
        if complaint:
            faults.append(findings.add(rules.BAD_HEADER, place.at("hostRewrite"), complaint))
    headers: ir.HeaderEdits | None = None
    if spec.header_manipulation is not None:
        headers, codes = lower_edits(
            spec.header_manipulation, place.at("headerManipulation"), findings
        )
        faults.extend(codes)
    retries: ir.RetryPolicy | None = None
    if spec.retries is not None:
        retries = ir.RetryPolicy(
            retry_on=spec.retries.retry_on,
            num_retries=spec.retries.num_retries or 1,
            per_try_timeout=spec.retries.per_try_timeout,
        )
    draft = OptionsDraft(
        prefix_rewrite=spec.prefix_rewrite,
        host_rewrite=spec.host_rewrite,
        timeout=spec.timeout,
        retries=retries,
        headers=headers,
    )
    return draft, tuple(faults)


def _misplaced(spec: RouteOptions, place: Place, findings: Findings) -> list[str]:
    """Report options that Gloo ignores silently on a redirect or a response."""
    return [
        findings.add(
            rules.MISPLACED_OPTION,
            place.at(_camel(name)).key,
            f"'{_camel(name)}' has no effect on a route that forwards nothing",
            help="remove it, or forward the requests",
        )
        for name in _FOR_FORWARDING
        if getattr(spec, name) is not None
    ]


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
