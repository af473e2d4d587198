from __future__ import annotations

_LONGEST = 60


def quote(text: str) -> str:
    """Quote what somebody wrote so that it stays on one line of a message, and a short one."""
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() else repr(character)[1:-1] for character in text
        )
    return f"'{text}'"
