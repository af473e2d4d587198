from __future__ import annotations

import errno
import json
import os
import shutil

import pytest
from checkpoints import NOTHING, restore, save, summary, tell

from penstock.errors import StateUnwritable
from penstock.store import Store

pytestmark = pytest.mark.slow
(*_, BEFORE, LAST) = tell()


@pytest.fixture
def directory(tmp_path):
    directory = tmp_path / "state"
    save(directory, LAST)
    return directory


def tenths(data):
    return [data[: len(data) * part // 10] for part in range(10)]


def flips(data):
    """Damage one byte at a time, all over."""
    for place in range(0, len(data), max(1, len(data) // 60)):
        yield data[:place] + bytes([data[place] ^ 0x20]) + data[place + 1 :]


def test_a_truncated_manifest_is_reported(directory):
    """Wherever it ends, it is told, nothing is loaded, and a copy is kept."""
    manifest = directory / "manifest"
    for short in tenths(manifest.read_bytes()):
        manifest.write_bytes(short)

        loaded, problems = restore(directory)

        assert NOTHING == loaded
        assert f"the manifest in '{directory}' cannot be used: " in problems[0]
        assert 1 == len(problems)
        assert short == (directory / "manifest.damaged").read_bytes()


def test_a_changed_byte_of_the_manifest_is_noticed(directory):
    """Whichever byte it is."""
    manifest = directory / "manifest"
    for flipped in flips(manifest.read_bytes()):
        manifest.write_bytes(flipped)

        loaded, problems = restore(directory)

        assert (NOTHING, 1) == (loaded, len(problems))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"{}\n", "it is not a manifest of Penstock"),
        (b'{"version": 3}', "it is not a manifest of Penstock"),
        (b"\x00" * 4096, "it is not a manifest of Penstock"),
        (b"penstock-state 2\n{}\n", "it is not a manifest of Penstock"),
        (b"penstock-state 2 00\n{}\n", "its checksum is wrong"),
        (
            b"penstock-state 12 00\nsomething else\n",
            "it was written by a newer version (format 12, this version knows 2)",
        ),
        (
            b"penstock-state 1 00\nsomething else\n",
            "it was written by an earlier version (format 1, this version knows 2)",
        ),
    ],
)
def test_a_foreign_manifest_is_told_from_a_damaged_one(directory, content, said):
    """What is there is named, so that its owner knows what to do."""
    (directory / "manifest").write_bytes(content)

    loaded, problems = restore(directory)

    assert NOTHING == loaded
    assert (f"the manifest in '{directory}' cannot be used: {said}",) == problems
    assert content == (directory / "manifest.damaged").read_bytes()


def test_a_manifest_with_a_good_checksum_and_other_content(directory):
    """Even what only looks like ours does no harm."""
    from penstock.store.objects import digest

    for content in ([], {}, {"snapshots": 1}, {"snapshots": {"a": 1}}, None):
        body = json.dumps(content).encode()
        header = f"penstock-state 2 {digest(body)}\n".encode()
        (directory / "manifest").write_bytes(header + body + b"\n")

        loaded, problems = restore(directory)

        assert (NOTHING, 1) == (loaded, len(problems))


@pytest.mark.parametrize("make", ["mkdir", "fifo"])
def test_something_else_in_place_of_the_manifest(directory, make):
    """It is reported and moved or replaced, and the next save works."""
    (directory / "manifest").unlink()
    if make == "mkdir":
        (directory / "manifest").mkdir()
    else:
        os.mkfifo(directory / "manifest")

    loaded, problems = restore(directory)
    save(directory, LAST)

    assert NOTHING == loaded
    assert "cannot be read: not a file" in problems[0]
    assert (summary(LAST), ()) == restore(directory)


@pytest.mark.parametrize("damage", ["removed", "truncated", "flipped", "emptied", "directory"])
def test_any_damaged_object_is_left_out_and_told(directory, tmp_path, damage):
    """Whichever object it is, the rest is loaded as it was, and a save makes everything whole."""
    whole = summary(LAST)
    for path in sorted((directory / "objects").iterdir()):
        copy = tmp_path / "copy"
        shutil.copytree(directory, copy)
        spoil(copy / "objects" / path.name, damage)

        loaded, problems = restore(copy)

        assert problems
        assert any(path.name in problem for problem in problems)
        assert whole["facts"] == loaded["facts"]
        assert loaded["snapshots"].items() <= whole["snapshots"].items()
        assert loaded["resources"].items() <= whole["resources"].items()
        assert loaded["proxies"].items() <= whole["proxies"].items()
        assert (directory / "manifest").read_bytes() == (copy / "manifest.damaged").read_bytes()

        if damage != "directory":
            save(copy, LAST)

            assert (whole, ()) == restore(copy)
        shutil.rmtree(copy)


def spoil(path, damage):
    data = path.read_bytes()
    match damage:
        case "removed":
            path.unlink()
        case "truncated":
            path.write_bytes(data[:-1])
        case "flipped":
            path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        case "emptied":
            path.write_bytes(b"")
        case "directory":
            path.unlink()
            path.mkdir()


def test_a_file_in_place_of_the_directory(tmp_path):
    """It cannot be used, says so, and is not touched; once it is gone, saves work."""
    place = tmp_path / "state"
    place.write_text("mine")
    store = Store.open(place)

    assert f"the state cannot be saved in '{place}': not a directory" in store.problem.lower()
    assert {} == store.load().snapshots

    with pytest.raises(StateUnwritable, match="the state cannot be saved"):
        store.save(LAST)

    assert "mine" == place.read_text()

    place.unlink()

    assert store.save(LAST)
    assert "" == store.problem

    store.close()

    assert (summary(LAST), ()) == restore(place)


@pytest.mark.parametrize("call", ["open", "write", "fsync", "replace"])
@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_full_disk_costs_nothing_but_the_save(directory, monkeypatch, call, reason):
    """What was saved stays, no draft is left, and the next save after it works."""
    store = Store.open(directory)
    store.load()
    store.recall()
    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse(getattr(os, call), call, reason))

        with pytest.raises(StateUnwritable, match=os.strerror(reason)):
            store.save(BEFORE)

    assert os.strerror(reason) in store.problem
    assert not list(directory.rglob("*.new"))

    assert store.save(BEFORE)

    store.close()

    assert (summary(BEFORE), ()) == restore(directory)


def refuse(real, call, reason):
    def refusing(*arguments, **settings):
        if call == "open" and not arguments[1] & os.O_CREAT:
            return real(*arguments, **settings)
        raise OSError(reason, os.strerror(reason))

    return refusing


def test_short_writes_are_continued(tmp_path, monkeypatch):
    """A system that takes a few bytes at a time gets all of them."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:1000]))

    save(tmp_path, LAST)

    assert (summary(LAST), ()) == restore(tmp_path)


def test_a_damaged_manifest_survives_the_next_save(directory):
    """It was reported; whoever wants to look into it still can."""
    (directory / "manifest").write_bytes(b"rubbish")

    save(directory, LAST)

    assert b"rubbish" == (directory / "manifest.damaged").read_bytes()
    assert (summary(LAST), ()) == restore(directory)


def test_nothing_is_saved_before_loading(directory):
    """The past cannot be overwritten by somebody who never looked at it."""
    store = Store.open(directory)

    with pytest.raises(RuntimeError):
        store.save(LAST)

    store.close()
