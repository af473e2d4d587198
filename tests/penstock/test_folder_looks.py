"""A look at what has changed finds what a look at everything would find."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from penstock.errors import SourceError
from penstock.sources import FolderReader
from penstock.sources.reader import EMPTY_GRACE, QUIET

MAX_BYTES = 8

FOLDERS = ["", "a/", "a/b/", "c.yaml/", ".hidden/", "a/.git/"]
NAMES = ["x.yaml", "y.json", "z.YML", "x.yaml~", "notes", ".x.yaml", "b", "c.yaml", ".git"]
TEXTS = ["", "1", "2", "11", "22", "longest-", "too large"]

places = st.builds(str.__add__, st.sampled_from(FOLDERS), st.sampled_from(NAMES))
texts = st.sampled_from(TEXTS)


def all_below(path):
    """List a path and all that is below it, as a watch names what goes away or arrives."""
    below = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
    return {path, *below}


def write(root, at, text):
    """Write in place, in two steps."""
    path = root / at
    if path.is_fifo():
        raise OSError  # it would wait for a reader
    path.write_text(text[:1])
    with path.open("a") as stream:
        stream.write(text[1:])
    return {path.resolve()}


def save(root, at, text):
    draft = root / f"{at}.tmp"
    draft.write_text(text)
    draft.replace(root / at)
    return {draft, root / at}


def save_hidden(root, at, text):
    draft = (root / at).with_name(".draft")
    draft.write_text(text)
    draft.replace(root / at)
    return {draft, root / at}


def back_up(root, at, text):
    """Save as vim does."""
    backup = root / f"{at}~"
    (root / at).replace(backup)
    (root / at).write_text(text)
    backup.unlink()
    return {backup, root / at}


def touch(root, at, text):
    (root / at).touch()
    return {(root / at).resolve()}


def date_back(root, at, text):
    then = time.time() - 3600
    os.utime(root / at, (then, then))
    return {(root / at).resolve()}


def remove(root, at, text):
    path = root / at
    gone = all_below(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
    return gone


def make_folder(root, at, text):
    (root / at).mkdir()
    return {root / at}


def make_full_folder(root, at, text):
    """Move in a folder with files; they have no events of their own."""
    made = root.parent / "made"
    made.mkdir()
    (made / "x.yaml").write_text(text)
    try:
        made.rename(root / at)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return {root / at}


def link(target):
    def make(root, at, text):
        (root / at).symlink_to(root / target)
        return {root / at}

    make.__name__ = f"link_to_{target}"
    return make


def link_hard(root, at, text):
    os.link(root / "x.yaml", root / at)
    return {root / at}


def make_pipe(root, at, text):
    os.mkfifo(root / at)
    return {root / at}


def move(target):
    def make(root, at, text):
        gone = all_below(root / at)
        (root / at).rename(root / target)
        return gone | {root / target}

    make.__name__ = f"move_to_{target}"
    return make


OPERATIONS = [
    *(write, save, save_hidden, back_up) * 3,
    *(touch, date_back, remove, make_folder, make_full_folder, link_hard, make_pipe),
    *map(link, ["x.yaml", "a", "a/x.yaml", ".hidden", ".hidden/x.yaml", "notes", "b"]),
    *map(move, ["x.yaml", "a", "a/y.json", ".hidden/x.yaml", "notes", "c.yaml"]),
]
operations = st.tuples(st.sampled_from(OPERATIONS), places, texts)
steps = st.lists(
    st.tuples(
        st.lists(operations, max_size=3),
        st.sampled_from([0.0, QUIET, 0.5, EMPTY_GRACE, 5.0]),
    ),
    max_size=12,
)


def found_by(look):
    try:
        reading = look()
    except SourceError as error:
        return str(error)
    if reading is None:
        return None
    return (
        dict(reading.inputs.files),
        dict(reading.inputs.unreadable),
        list(reading.inputs.files),
        reading.writing,
        reading.look_again,
        reading.folders,
        reading.links,
    )


@pytest.mark.slow
@given(steps=steps)
@settings(max_examples=300, deadline=None)
def test_a_quick_look_finds_what_a_full_one_finds(steps):
    """Whatever happens in a folder: who looks where it happened sees all there is to see."""
    with TemporaryDirectory() as temporary:
        root = Path(temporary).resolve() / "root"
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
        for at in ("x.yaml", "a/x.yaml", "a/b/y.json", ".hidden/x.yaml"):
            (root / at).write_text("0")
        now = time.time()
        quick, full = (FolderReader(root, max_bytes=MAX_BYTES, now=lambda: now) for _ in range(2))
        found = found_by(quick.read)
        assert found_by(full.read) == found

        for batch, seconds in steps:
            changed = set()
            for operation, at, text in batch:
                try:
                    changed |= operation(root, at, text)
                except OSError:
                    changed |= {root / at}  # it may have got half way
            now = max(now, time.time()) + seconds
            # As events are named, whatever link somebody came through.
            paths = {str(path.parent.resolve() / path.name) for path in changed}

            found = found_by(lambda paths=paths: quick.reread(paths))

            event(f"{'full' if found is None else 'quick'}, {len(batch)} changes")
            if found is None:
                found = found_by(quick.read)
            assert found_by(full.read) == found
