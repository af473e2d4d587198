"""Golden files: read, compared, and written anew when asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_inputs(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read_outputs(folder: Path, actual: dict[str, str], request) -> dict[str, str]:
    """Read what is expected; with `--update-golden` that is what is, and orphans go away."""
    if request.config.getoption("--update-golden"):
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            if path.name not in actual:
                path.unlink()
        for name, text in actual.items():
            (folder / name).write_text(text)
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}
