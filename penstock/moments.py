"""Moments, written for people and for programs; always in UTC."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["clock", "iso"]


def iso(moment: datetime) -> str:
    """Write a moment as ISO 8601, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(moment: datetime, now: datetime) -> str:
    """Write a moment as the time of day, with the date in front if that is not today's."""
    moment, today = moment.astimezone(UTC), now.astimezone(UTC).date()
    return f"{moment:%H:%M:%SZ}" if moment.date() == today else f"{moment:%Y-%m-%d %H:%M:%SZ}"
