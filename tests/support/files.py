from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def save(path: Path, text: str | bytes) -> None:
    """Save as careful editors do: under another name, then renamed, so that nobody reads half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(text.encode() if isinstance(text, str) else text)
    draft.replace(path)


def delete(path: Path) -> None:
    path.unlink()
