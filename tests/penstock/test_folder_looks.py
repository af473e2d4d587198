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
    """List a path and all that is below it, as a watch names what goes away."""
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
@settings(max_examples=200, deadline=None)
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
                    # It may have got half way.
                    changed |= {root / f"{at}{suffix}" for suffix in ("", "~", ".tmp")}
            now = max(now, time.time()) + seconds
            # As events are named, whatever link somebody came through.
            paths = {str(path.parent.resolve() / path.name) for path in changed}

            found = found_by(lambda paths=paths: quick.reread(paths))

            event(f"{'full' if found is None else 'quick'}, {len(batch)} changes")
            if found is None:
                found = found_by(quick.read)
            assert found_by(full.read) == found


@pytest.fixture
def root(tmp_path):
    root = tmp_path.resolve() / "root"
    for at in ("x.yaml", "a/x.yaml", "a/y.yaml", ".git/x.yaml"):
        (root / at).parent.mkdir(parents=True, exist_ok=True)
        (root / at).write_text("0")
    return root


@pytest.mark.parametrize(
    "change",
    [
        lambda root: write(root, "a/x.yaml", "1"),
        lambda root: write(root, "a/new.yaml", "1"),
        lambda root: write(root, "a/notes", "1"),
        lambda root: write(root, "a/.x.yaml.swp", "1"),
        lambda root: write(root, ".git/x.yaml", "1"),
        lambda root: make_folder(root, ".git/objects", ""),
        lambda root: save(root, "a/x.yaml", "1"),
        lambda root: save_hidden(root, "a/new.yaml", "1"),
        lambda root: back_up(root, "a/x.yaml", "1"),
        lambda root: remove(root, "a/x.yaml", ""),
        lambda root: move("a/new.yaml")(root, "a/x.yaml", ""),
        lambda root: touch(root, "a/x.yaml", ""),
        lambda root: link("nowhere")(root, "a/.#x.yaml", ""),
    ],
)
def test_what_happens_to_a_file_needs_no_look_at_others(root, monkeypatch, change):
    """However a file is saved, made or removed, no folder is listed and no other file looked at."""
    reader = FolderReader(root, now=lambda: time.time() + 60)
    before = reader.read().inputs
    changed = {str(path) for path in change(root)}
    expected = FolderReader(root).read().inputs
    looked_at = set()

    def note(look):
        def noted(path):
            looked_at.add(path)
            return look(path)

        return noted

    with monkeypatch.context() as patch:
        for name in ("stat", "lstat", "scandir"):
            patch.setattr(os, name, note(getattr(os, name)))
        after = reader.reread(changed).inputs

    assert looked_at <= changed
    assert expected == after
    assert list(expected.files) == list(after.files)
    assert before.files["x.yaml"] is after.files["x.yaml"]


def a_linked_file(root):
    (root / "b.yaml").symlink_to("a/x.yaml")
    yield
    yield write(root, "a/x.yaml", "1")


def a_link_to_nothing_that_leads_to_a_folder(root):
    (root / "b").symlink_to(".new")
    yield
    yield make_full_folder(root, ".new", "1")


def a_file_with_two_names(root):
    os.link(root / "a/x.yaml", root / "b.yaml")
    yield
    yield write(root, "a/x.yaml", "1")


def a_new_folder(root):
    yield
    yield make_full_folder(root, "a/new", "1")


def a_folder_in_a_new_one(root):
    yield
    (root / "new").mkdir()
    yield make_full_folder(root, "new/b", "1")


def a_removed_folder(root):
    yield
    remove(root, "a", "")
    yield {root / "a"}


def a_folder_called_like_a_file(root):
    yield
    remove(root, "a/x.yaml", "")
    yield make_full_folder(root, "a/x.yaml", "1")


def a_new_link(root):
    yield
    yield link(".git/x.yaml")(root, "b.yaml", "")


def a_pipe(root):
    yield
    yield make_pipe(root, "b.yaml", "")


def the_last_file(root):
    yield
    yield remove(root, "x.yaml", "") | remove(root, "a/x.yaml", "") | remove(root, "a/y.yaml", "")


@pytest.mark.parametrize(
    "change",
    [
        a_linked_file,
        a_link_to_nothing_that_leads_to_a_folder,
        a_file_with_two_names,
        a_new_folder,
        a_folder_in_a_new_one,
        a_removed_folder,
        a_folder_called_like_a_file,
        a_new_link,
        a_pipe,
        the_last_file,
    ],
)
def test_what_may_concern_others_is_a_matter_of_all(root, change):
    """What a change of a folder, a link or a second name comes to, no path can tell."""
    steps = change(root)
    next(steps)
    late = time.time() + 60
    quick, full = (FolderReader(root, now=lambda: late) for _ in range(2))
    assert found_by(quick.read) == found_by(full.read)
    changed = {str(path) for path in next(steps)}

    found = found_by(lambda: quick.reread(changed))

    assert found is None
    assert found_by(quick.read) == found_by(full.read)


def test_a_quick_look_follows_a_full_one(root):
    """Without a look at everything before it, and after one that failed, there is no quick look."""
    reader = FolderReader(root)

    assert reader.reread([]) is None

    reader.read()

    assert reader.reread([]) is not None

    root.rename(root.with_name("away"))
    with pytest.raises(SourceError):
        reader.read()

    assert reader.reread([]) is None


def test_nothing_new_is_the_very_same(root):
    """If nothing differs the inputs are the same object, however closely one looks."""
    reader = FolderReader(root)
    inputs = reader.read().inputs
    changed = {str(path) for path in touch(root, "x.yaml", "") | write(root, "a/x.yaml", "0")}

    assert reader.reread(changed).inputs is inputs
    assert reader.read().inputs is inputs


def test_a_hidden_folder_that_is_linked_is_not_hidden(root):
    """What a link leads to is read by its place, wherever that is."""
    (root / "b").symlink_to(".git")
    reader = FolderReader(root)
    reader.read()
    changed = {
        str(path) for path in write(root, ".git/x.yaml", "1") | save(root, ".git/n.yaml", "")
    }

    found = found_by(lambda: reader.reread(changed))

    assert found_by(FolderReader(root).read)[:3] == found[:3]
    assert {"b/x.yaml": b"1", "b/n.yaml": b""}.items() <= found[0].items()
