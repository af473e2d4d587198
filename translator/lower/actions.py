"""What a route does with a request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from translator import ir
from translator.lower import regexes
from translator.lower.destinations import Target
from translator.lower.paths import host_complaint, rewrite_complaint
from translator.report import rules
from translator.resources.answer import RedirectCode

if TYPE_CHECKING:
    from translator.lower.destinations import Destinations
    from translator.lower.findings import Findings, Place
    from translator.resources.answer import RedirectAction, RegexRewrite
    from translator.resources.destination import RouteAction
    from translator.resources.route import Route

_REDIRECT_CODES = {
    RedirectCode.MOVED_PERMANENTLY: 301,
    RedirectCode.FOUND: 302,
    RedirectCode.SEE_OTHER: 303,
    RedirectCode.TEMPORARY_REDIRECT: 307,
    RedirectCode.PERMANENT_REDIRECT: 308,
}


def lower_action(
    route: Route, place: Place, findings: Findings, destinations: Destinations
) -> Target:
    """Lower the action of a route that does not delegate."""
    if route.route_action is not None:
        return _forward(route.route_action, place.at("routeAction"), findings, destinations)
    if route.redirect_action is not None:
        return _redirect(route.redirect_action, place.at("redirectAction"), findings)
    if route.direct_response_action is not None:
        response = route.direct_response_action
        return Target(action=ir.DirectResponse(status=response.status, body=response.body))
    code = findings.add(
        rules.NO_ACTION,
        place,
        "the route has no action",
        help="set 'routeAction', 'redirectAction', 'directResponseAction' or 'delegateAction'",
    )
    return Target(action=None, faults=(code,))


def _forward(
    spec: RouteAction, place: Place, findings: Findings, destinations: Destinations
) -> Target:
    if spec.single is not None:
        return destinations.forward(spec.single, place.at("single"), findings)
    if spec.upstream_group is not None:
        return destinations.group(spec.upstream_group, place.at("upstreamGroup"), findings)
    members = spec.multi.destinations if spec.multi is not None else ()
    return destinations.split(members, place.at("multi", "destinations"), findings)


def _redirect(spec: RedirectAction, place: Place, findings: Findings) -> Target:
    faults: list[str] = []
    for field, value, complaint in (
        ("hostRedirect", spec.host_redirect, host_complaint),
        ("pathRedirect", spec.path_redirect, rewrite_complaint),
        ("prefixRewrite", spec.prefix_rewrite, rewrite_complaint),
    ):
        why = complaint(value) if value is not None else ""
        if why:
            message = f"nothing can be redirected to '{value}': {why}"
            faults.append(findings.add(rules.BAD_REWRITE, place.at(field), message))
    rewrite: tuple[str, str] | None = None
    if spec.regex_rewrite is not None:
        rewrite = spec.regex_rewrite.pattern.regex, spec.regex_rewrite.substitution
        faults += _regex_rewrite(spec.regex_rewrite, place.at("regexRewrite"), findings)
    action = ir.Redirect(
        host=spec.host_redirect,
        path=spec.path_redirect,
        prefix_rewrite=spec.prefix_rewrite,
        regex_rewrite=rewrite,
        code=_REDIRECT_CODES[spec.response_code],
        https=spec.https_redirect,
        strip_query=spec.strip_query,
        port=spec.port_redirect,
    )
    return Target(action=action, faults=tuple(faults))


def _regex_rewrite(spec: RegexRewrite, place: Place, findings: Findings) -> list[str]:
    regex = spec.pattern.regex
    complaint = regexes.complaint(regex)
    if complaint:
        message = f"Envoy refuses the expression '{regex}': {complaint}"
        return [findings.add(rules.BAD_REGEX, place.at("pattern", "regex"), message)]
    # RE2 rewrites nothing if the substitution has an escape that it does not know.
    for escape in re.findall(r"\\(.?)", spec.substitution, re.DOTALL):
        if escape == "\\":
            continue
        why = ""
        if not (escape.isascii() and escape.isdigit()):
            why = r"a '\' must be followed by a digit or another '\'"
        elif int(escape) > regexes.groups(regex):
            why = f"the expression has no group {escape}"
        if why:
            return [findings.add(rules.BAD_REWRITE, place.at("substitution"), why)]
    return []
