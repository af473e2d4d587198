"""A real folder, really watched; every wait ends with the event it waits for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from contextlib import aclosing, asynccontextmanager

import pytest
from structlog.testing import capture_logs

from penstock.errors import SourceMissing
from penstock.sources import Observation, Outage
from penstock.sources import reader as reader_module
from penstock.sources.folder import FolderSource, Pace

PROMPT = 5.0
"""Seconds within which an edit is served, however busy the machine is."""
CALM = Pace(poll=60.0, retry=60.0)
"""A pace at which nothing is found without an event."""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "routes.yaml").write_text("v1")
    return folder


class Seen:
    """What a source reported."""

    def __init__(self, source, queue):
        self.source = source
        self._queue = queue

    async def next(self, within=PROMPT):
        async with asyncio.timeout(within):
            return await self._queue.get()

    async def files(self):
        event = await self.next()
        assert isinstance(event, Observation)
        return {origin: text.decode() for origin, text in event.inputs.files.items()}

    async def until(self, files):
        """Wait for a state, through those on the way to it."""
        async with asyncio.timeout(PROMPT):
            while await self.files() != files:
                pass

    async def nothing(self, seconds=0.3):
        with contextlib.suppress(TimeoutError):
            event = await self.next(seconds)
            raise AssertionError(f"unexpected {event}")


@asynccontextmanager
async def watching(path, pace=CALM):
    source = FolderSource(path, pace=pace)
    await source.first()
    queue = asyncio.Queue()

    async def follow():
        async with aclosing(source.events()) as events:
            async for event in events:
                queue.put_nowait(event)

    task = asyncio.create_task(follow())
    seen = Seen(source, queue)
    # When a requested look has been reported, the watch is in place.
    source.refresh()
    await seen.next()
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def run(scenario, path, pace=CALM):
    async def main():
        async with watching(path, pace) as seen:
            await scenario(seen)

    asyncio.run(main())


def in_place(folder):
    (folder / "routes.yaml").write_text("v2")
    return {"routes.yaml": "v2"}


def atomically(folder):
    (folder / "routes.yaml.tmp").write_text("v2")
    (folder / "routes.yaml.tmp").replace(folder / "routes.yaml")
    return {"routes.yaml": "v2"}


def like_vim(folder):
    (folder / "routes.yaml").replace(folder / "routes.yaml~")
    (folder / "routes.yaml").write_text("v2")
    (folder / "routes.yaml~").unlink()
    return {"routes.yaml": "v2"}


def new_folder(folder):
    (folder / "team").mkdir()
    (folder / "team" / "x.yaml").write_text("new")
    return {"routes.yaml": "v1", "team/x.yaml": "new"}


def moved_in(folder):
    made = folder.parent / "made"
    (made / "deep").mkdir(parents=True)
    (made / "deep" / "x.yaml").write_text("new")
    made.rename(folder / "team")
    return {"routes.yaml": "v1", "team/deep/x.yaml": "new"}


def many_at_once(folder):
    for number in range(200):
        (folder / f"{number:03}.yaml").write_text("new")
    return {f"{number:03}.yaml": "new" for number in range(200)} | {"routes.yaml": "v1"}


def added_and_removed(folder):
    (folder / "other.yaml").write_text("new")
    (folder / "routes.yaml").unlink()
    return {"other.yaml": "new"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [in_place, atomically, like_vim, new_folder, moved_in, many_at_once, added_and_removed],
)
def test_a_change_is_seen_once(folder, change):
    """However a folder is changed, its new state is reported once, and within a second."""

    async def scenario(seen):
        expected = change(folder)

        assert expected == await seen.files()

        await seen.nothing()

    run(scenario, folder)


@pytest.mark.slow
def test_a_configmap_swap_is_seen(tmp_path):
    """When Kubernetes swaps `..data`, no file that is read changes, and yet all do."""
    folder = tmp_path / "config"
    (folder / "..1").mkdir(parents=True)
    (folder / "..1" / "routes.yaml").write_text("v1")
    (folder / "..data").symlink_to("..1")
    (folder / "routes.yaml").symlink_to("..data/routes.yaml")

    async def scenario(seen):
        for version in ("2", "3"):
            (folder / f"..{version}").mkdir()
            (folder / f"..{version}" / "routes.yaml").write_text(f"v{version}")
            (folder / "..data_tmp").symlink_to(f"..{version}")
            (folder / "..data_tmp").rename(folder / "..data")
            shutil.rmtree(folder / f"..{int(version) - 1}")

            assert {"routes.yaml": f"v{version}"} == await seen.files()

            await seen.nothing()

    run(scenario, folder)


@pytest.mark.slow
def test_a_folder_behind_a_link_is_followed(tmp_path):
    """Git-sync swaps a link on the way to the folder; what it leads to now is read and watched."""
    for version in ("1", "2"):
        (tmp_path / version / "config").mkdir(parents=True)
        (tmp_path / version / "config" / "routes.yaml").write_text(f"v{version}")
    (tmp_path / "current").symlink_to("1")

    async def scenario(seen):
        (tmp_path / "next").symlink_to("2")
        (tmp_path / "next").rename(tmp_path / "current")

        assert {"routes.yaml": "v2"} == await seen.files()

        (tmp_path / "2" / "config" / "routes.yaml").write_text("v3")

        assert {"routes.yaml": "v3"} == await seen.files()

    run(scenario, tmp_path / "current" / "config")


@pytest.mark.slow
@pytest.mark.parametrize("link", ["team", "team.yaml"])
def test_what_a_link_leads_to_is_watched(folder, tmp_path, link):
    """An edit outside of the folder is seen if a link leads there."""
    target = tmp_path / "elsewhere" / "x.yaml"
    target.parent.mkdir()
    target.write_text("v1")
    (folder / link).symlink_to(target if link.endswith("yaml") else target.parent)

    async def scenario(seen):
        target.write_text("v2")

        assert "v2" in (await seen.files()).values()

    run(scenario, folder)


@pytest.mark.slow
def test_one_file_is_watched(folder):
    """A single file is followed through atomic saves, and its neighbours are not looked at."""

    async def scenario(seen):
        (folder / "other.yaml").write_text("other")
        await seen.nothing()
        for version in ("v2", "v3"):
            (folder / "tmp").write_text(version)
            (folder / "tmp").replace(folder / "routes.yaml")

            assert {"routes.yaml": version} == await seen.files()

    run(scenario, folder / "routes.yaml")


@pytest.mark.slow
def test_a_new_folder_is_watched(folder):
    """Not only the arrival of a folder is seen, but also what then happens in it."""

    async def scenario(seen):
        (folder / "team").mkdir()
        (folder / "team" / "x.yaml").write_text("v1")
        await seen.until({"routes.yaml": "v1", "team/x.yaml": "v1"})
        (folder / "team" / "x.yaml").write_text("v2")

        assert {"routes.yaml": "v1", "team/x.yaml": "v2"} == await seen.files()

    run(scenario, folder)


@pytest.mark.slow
def test_same_content_is_no_change(folder):
    """A touched or rewritten file with the same text is not reported."""

    async def scenario(seen):
        (folder / "routes.yaml").write_text("v1")
        (folder / "notes.txt").write_text("not read")
        (folder / ".routes.yaml.swp").write_text("not read")
        await seen.nothing()

    run(scenario, folder)


def count_full_looks(monkeypatch):
    """Return a list that grows with every look at everything."""
    looks = []
    read = reader_module.FolderReader.read

    def counted(reader):
        looks.append(time.monotonic())
        return read(reader)

    monkeypatch.setattr(reader_module.FolderReader, "read", counted)
    return looks


@pytest.mark.slow
@pytest.mark.parametrize("change", [in_place, atomically, like_vim, added_and_removed])
def test_a_change_of_a_file_is_no_reason_to_look_at_all(folder, monkeypatch, change):
    """However files are saved, made and removed, only they are looked at."""
    looks = count_full_looks(monkeypatch)

    async def scenario(seen):
        looks.clear()

        assert change(folder) == await seen.files()
        assert [] == looks

    run(scenario, folder)


@pytest.mark.slow
def test_a_source_begins_with_two_looks(folder, monkeypatch):
    """After the first look it watches, looks once more for what happened meanwhile, and waits."""
    looks = count_full_looks(monkeypatch)

    async def main():
        source = FolderSource(folder, pace=CALM)
        os.utime(folder / "routes.yaml", (0, 0))  # a young file would be read once more
        await source.first()
        (folder / "routes.yaml").write_text("v2")
        os.utime(folder / "routes.yaml", (0, 0))
        async with aclosing(source.events()) as events, asyncio.timeout(PROMPT):
            assert b"v2" == (await anext(events)).inputs.files["routes.yaml"]

            (folder / "other.yaml").write_text("new")

            assert "other.yaml" in (await anext(events)).inputs.files

    asyncio.run(main())

    assert 2 == len(looks)


@pytest.mark.slow
def test_a_large_burst_is_a_reason_to_look_at_all(folder, monkeypatch):
    """Of very many changes the system may have dropped some, so everything is looked at."""
    looks = count_full_looks(monkeypatch)
    monkeypatch.setattr("penstock.sources.folder._MANY", 50)

    async def scenario(seen):
        looks.clear()

        assert many_at_once(folder) == await seen.files()
        assert [] != looks

    run(scenario, folder)


@pytest.mark.slow
def test_what_no_event_tells_is_found_between_events(folder, tmp_path):
    """However often something happens, everything is looked at from time to time."""
    (folder / "quiet.yaml").write_text("v1")
    (tmp_path / "other name").hardlink_to(folder / "quiet.yaml")

    async def scenario(seen):
        (tmp_path / "other name").write_text("v2")
        for number in range(100):
            (folder / "routes.yaml").write_text(str(number))
            if (await seen.files())["quiet.yaml"] == "v2":
                return
        raise AssertionError

    run(scenario, folder, Pace(poll=1.0))


@pytest.mark.slow
def test_a_steady_stream_of_changes_is_served_in_between(folder):
    """Changes that never pause are reported all the same, and far fewer times than they happen."""

    async def scenario(seen):
        reports = 0
        end = time.monotonic() + 2.0
        writes = 0
        while time.monotonic() < end:
            writes += 1
            (folder / "routes.yaml").write_text(str(writes))
            with contextlib.suppress(TimeoutError):
                await seen.next(0.01)
                reports += 1

        assert 1 <= reports <= 8 < writes

        await seen.until({"routes.yaml": str(writes)})

    run(scenario, folder)


@pytest.mark.slow
def test_a_slow_write_never_shows_an_empty_file(folder):
    """While a file is emptied and slowly written anew, its old text holds."""

    async def scenario(seen):
        with (folder / "routes.yaml").open("w") as stream:
            stream.flush()
            await seen.nothing(0.7)
            stream.write("v2")

        assert {"routes.yaml": "v2"} == await seen.files()

    run(scenario, folder)


@pytest.mark.slow
def test_an_emptied_file_is_empty_in_the_end(folder, monkeypatch):
    """A file that stays empty is believed after its grace, without another event."""
    monkeypatch.setattr(reader_module, "EMPTY_GRACE", 0.3)

    async def scenario(seen):
        (folder / "routes.yaml").write_text("")

        assert {"routes.yaml": ""} == await seen.files()

    run(scenario, folder)


@pytest.mark.slow
@pytest.mark.parametrize("pace", [CALM, Pace(poll=60.0, retry=0.05)], ids=["event", "look"])
def test_a_folder_that_vanishes_and_comes_back(folder, pace):
    """An outage is told once; its end is too, and the folder that came back is watched."""

    async def scenario(seen):
        for round_ in range(3):
            shutil.rmtree(folder)
            event = await seen.next()
            assert isinstance(event, Outage)
            assert str(event.error) == f"no such file or folder: {folder}"

            await seen.nothing(0.2)
            folder.mkdir()
            (folder / "routes.yaml").write_text(f"back {round_}")
            await seen.until({"routes.yaml": f"back {round_}"})
            (folder / "routes.yaml").write_text(f"edit {round_}")

            assert {"routes.yaml": f"edit {round_}"} == await seen.files()

    run(scenario, folder, pace)


@pytest.mark.slow
def test_the_same_text_after_an_outage_is_told(folder, tmp_path):
    """That a source can be read again is news, even if it says what it said before."""

    async def scenario(seen):
        folder.rename(tmp_path / "away")

        assert isinstance(await seen.next(), Outage)

        (tmp_path / "away").rename(folder)

        assert {"routes.yaml": "v1"} == await seen.files()

    run(scenario, folder)


@pytest.mark.slow
def test_an_emptied_folder_is_an_outage(folder):
    """A folder without any file looks like a volume that is not mounted, not like a wish."""

    async def scenario(seen):
        (folder / "routes.yaml").unlink()
        event = await seen.next()

        assert isinstance(event, Outage)
        assert str(event.error).startswith(f"no resources found in {folder}")

    run(scenario, folder)


@pytest.mark.slow
def test_an_unreadable_file_does_not_hide_the_others(folder):
    """One file that cannot be read is named in the inputs, beside all that can."""

    async def scenario(seen):
        (folder / "bad.yaml").symlink_to("nowhere")
        event = await seen.next()

        assert {"routes.yaml": b"v1"} == event.inputs.files
        assert {"bad.yaml": "it is a link to nothing"} == event.inputs.unreadable

    run(scenario, folder)


@pytest.mark.slow
def test_without_events_regular_looks_find_changes(folder, monkeypatch):
    """On a file system that reports nothing, the regular look does."""

    async def deaf(*_, **__):
        await asyncio.Event().wait()
        yield

    monkeypatch.setattr("penstock.sources.lookout.awatch", deaf)

    async def scenario(seen):
        (folder / "routes.yaml").write_text("v2")

        assert {"routes.yaml": "v2"} == await seen.files()

    run(scenario, folder, Pace(poll=0.1))


@pytest.mark.slow
def test_a_failing_watch_means_more_looks(folder, monkeypatch):
    """When the system has no watches left, the folder is looked at more often, and that is said."""
    attempts = 0

    async def fail(*_, **__):
        nonlocal attempts
        attempts += 1
        raise OSError(28, "OS file watch limit reached")
        yield

    monkeypatch.setattr("penstock.sources.lookout.awatch", fail)

    async def scenario(seen):
        (folder / "routes.yaml").write_text("v2")

        assert {"routes.yaml": "v2"} == await seen.files()

    with capture_logs() as logs:
        run(scenario, folder, Pace(poll=60.0, retry=0.1))

    assert ["watch_failed"] == [entry["event"] for entry in logs]
    assert 20 > attempts


@pytest.mark.slow
def test_a_requested_look_is_always_reported(folder):
    """Who asks for a reload gets an answer, even if nothing changed."""

    async def scenario(seen):
        seen.source.refresh()

        assert {"routes.yaml": "v1"} == await seen.files()

        await seen.nothing()

    run(scenario, folder)


def test_a_missing_folder_at_the_start_is_an_error(tmp_path):
    """There is nothing to wait for in a folder that was probably misspelt."""
    with pytest.raises(SourceMissing):
        asyncio.run(FolderSource(tmp_path / "typo").first())
