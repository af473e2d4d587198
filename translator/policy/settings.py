from __future__ import annotations

from typing import TYPE_CHECKING

from translator.policy.mode import DEFAULT_BODY, DEFAULT_CODE, InvalidConfig, Mode
from translator.report import Diagnostic, rules

if TYPE_CHECKING:
    from translator.resources import Index, Resource
    from translator.resources.specs import SettingsSpec

_KEY = ("gloo-system", "default")
"""The one that counts, as in Gloo: a team that writes Settings of its own changes nothing."""

_CODES = range(200, 600)
"""What Envoy takes as the status of a direct response."""


def read_policy(index: Index) -> tuple[InvalidConfig, tuple[Diagnostic, ...]]:
    """Read the policy for what is invalid off the settings."""
    found = [
        Diagnostic(
            rule=rules.UNUSED_SETTINGS,
            resource=resource.ref,
            position=resource.locator.value("metadata", "name"),
            message=f"these settings are not used: they are not '{'/'.join(_KEY)}'",
            help="there is one Settings resource for everybody",
        )
        for key, resource in index.settings.items()
        if key != _KEY
    ]
    settings = index.settings.get(_KEY)
    if settings is None or settings.spec.gloo is None:
        return InvalidConfig(), tuple(found)
    spec = settings.spec.gloo.invalid_config_policy
    if spec is None:
        return InvalidConfig(), tuple(found)
    mode = Mode.HOLD
    if spec.keep_last_good_routes:
        mode = Mode.KEEP
    elif spec.replace_invalid_routes:
        mode = Mode.REPLACE
    code = spec.invalid_route_response_code
    if code is not None and code not in _CODES:
        found.append(_bad_code(settings, code))
        code = None
    body = spec.invalid_route_response_body
    policy = InvalidConfig(
        mode=mode,
        code=DEFAULT_CODE if code is None else code,
        body=DEFAULT_BODY if body is None else body,
    )
    return policy, tuple(found)


def _bad_code(settings: Resource[SettingsSpec], code: int) -> Diagnostic:
    path = ("spec", "gloo", "invalidConfigPolicy", "invalidRouteResponseCode")
    return Diagnostic(
        rule=rules.BAD_STATUS,
        resource=settings.ref,
        position=settings.locator.value(*path),
        message=f"{code} is not a status that Envoy can answer",
        help=f"use {_CODES.start} to {_CODES.stop - 1}",
        effect=f"replaced routes answer {DEFAULT_CODE}",
    )
