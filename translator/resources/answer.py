"""What a route answers without a backend."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import Field

from translator.resources.base import (
    Choice,
    Flag,
    Integer,
    Model,
    Port,
    Text,
    message,
)


class RedirectCode(StrEnum):
    """The status of a redirect."""

    MOVED_PERMANENTLY = "MOVED_PERMANENTLY"
    FOUND = "FOUND"
    SEE_OTHER = "SEE_OTHER"
    TEMPORARY_REDIRECT = "TEMPORARY_REDIRECT"
    PERMANENT_REDIRECT = "PERMANENT_REDIRECT"


@message
class RegexPattern(Model):
    """A regular expression."""

    UNSUPPORTED: ClassVar[Mapping[str, str]] = MappingProxyType({"googleRe2": ""})

    regex: Annotated[Text, Field(min_length=1)]
    """An RE2 expression."""


@message
class RegexRewrite(Model):
    """A replacement by regular expression."""

    pattern: RegexPattern
    """What to replace."""
    substitution: Text = ""
    """What to put in its place; `\\1` refers to a group."""


@message
class RedirectAction(Choice):
    """Answer with a redirect."""

    EXCLUSIVE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("pathRedirect", "prefixRewrite", "regexRewrite"),
    )

    host_redirect: Text | None = None
    """The host to redirect to."""
    path_redirect: Text | None = None
    """The path to redirect to."""
    prefix_rewrite: Text | None = None
    """Replaces the matched prefix in the path."""
    regex_rewrite: RegexRewrite | None = None
    """Replaces parts of the path."""
    response_code: RedirectCode = RedirectCode.MOVED_PERMANENTLY
    """The status of the answer."""
    https_redirect: Flag = False
    """Whether to redirect to https."""
    strip_query: Flag = False
    """Whether to drop the query string."""
    port_redirect: Port | None = None
    """The port to redirect to."""


@message
class DirectResponseAction(Model):
    """Answer without a backend."""

    status: Annotated[Integer, Field(ge=200, le=599)]
    """The status of the answer."""
    body: Text = ""
    """The body of the answer."""
