from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from penstock.errors import SourceEmpty, SourceError, SourceMissing
from penstock.sources import FolderReader
from penstock.sources.links import links_on_the_way


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "config"
    folder.mkdir()
    return folder


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def age(path: Path, seconds: float = 60.0) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def origins(folder: Path) -> list[str]:
    return list(FolderReader(folder).read().inputs.files)


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("a.yaml", True),
        ("a.yml", True),
        ("a.json", True),
        ("A.YAML", True),
        ("deep/er/and/deeper/a.yaml", True),
        ("folder.yaml/a.yaml", True),
        ("a.txt", False),
        ("yaml", False),
        ("a.yaml~", False),
        ("a.yaml.tmp", False),
        (".a.yaml", False),
        (".git/a.yaml", False),
        ("..2026_2/a.yaml", False),
    ],
)
def test_which_names_are_read(folder, path, read):
    """Resource files at any depth are read, and nothing whose name or folder begins with a dot."""
    put(folder / "always.yaml")
    put(folder / path)

    assert sorted(["always.yaml", *([path] if read else [])]) == origins(folder)


def test_order_is_that_of_names(folder):
    """The order of the inputs is that of their names, not that of the file system."""
    for name in ("b.yaml", "a/z.yaml", "c/a.yaml", "a.yaml"):
        put(folder / name)

    assert ["a.yaml", "a/z.yaml", "b.yaml", "c/a.yaml"] == origins(folder)


def test_configmap_yields_each_file_once(folder):
    """A mounted ConfigMap, whose files are links through `..data`, is read once."""
    put(folder / "..2026_1" / "routes.yaml", "v1")
    (folder / "..data").symlink_to("..2026_1")
    (folder / "routes.yaml").symlink_to("..data/routes.yaml")

    assert {"routes.yaml": b"v1"} == FolderReader(folder).read().inputs.files


def test_links_in_a_circle_end(folder):
    """A link to a folder around it is not followed, for that folder is read already."""
    put(folder / "a" / "x.yaml")
    (folder / "a" / "up").symlink_to("..")
    (folder / "self").symlink_to(".")

    assert ["a/x.yaml"] == origins(folder)


def test_a_folder_keeps_its_real_name(folder):
    """What is reached by its name and by a link has its name, even if the link's sorts first."""
    put(folder / "b" / "x.yaml")
    (folder / "a").symlink_to("b")

    assert ["b/x.yaml"] == origins(folder)


def test_linked_folders_outside_are_read_and_watched(folder, tmp_path):
    """A link out of the folder is followed, and its target is among the folders to watch."""
    put(tmp_path / "elsewhere" / "x.yaml")
    (folder / "team").symlink_to(tmp_path / "elsewhere")

    reading = FolderReader(folder).read()

    assert ["team/x.yaml"] == list(reading.inputs.files)
    assert (f"{folder}/", f"{tmp_path}/elsewhere/") == reading.folders


def test_linked_files_outside_are_watched_by_name(folder, tmp_path):
    """Every name on the way to a linked file is to be watched, for any of them may be swapped."""
    put(tmp_path / "map" / "..1" / "x.yaml")
    (tmp_path / "map" / "..data").symlink_to("..1")
    (tmp_path / "map" / "x.yaml").symlink_to("..data/x.yaml")
    (folder / "x.yaml").symlink_to(tmp_path / "map" / "x.yaml")

    links = FolderReader(folder).read().links

    assert links == {
        (f"{tmp_path}", "config"),
        (f"{tmp_path}/map", "x.yaml"),
        (f"{tmp_path}/map", "..data"),
        (f"{tmp_path}/map/..1", "x.yaml"),
    }


def test_endless_links_end(tmp_path):
    """A link to itself is looked at a bounded number of times."""
    (tmp_path / "a").symlink_to("a")

    assert 50 > len(list(links_on_the_way(str(tmp_path / "a"))))


def make_dangling(path):
    path.symlink_to("nowhere")


def make_loop(path):
    path.symlink_to(path.name)


def make_pipe(path):
    os.mkfifo(path)


def make_large(path):
    path.write_text("x" * 101)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_dangling, "it is a link to nothing"),
        (make_loop, "too many levels of symbolic links"),
        (make_pipe, "it is not a regular file"),
        (make_large, "it is larger than 100 bytes"),
    ],
)
def test_what_cannot_be_read_is_told(folder, make, reason):
    """A file that cannot be read is named with the reason; all others are read."""
    put(folder / "good.yaml", "good")
    make(folder / "bad.yaml")

    inputs = FolderReader(folder, max_bytes=100).read().inputs

    assert {"good.yaml": b"good"} == inputs.files
    assert {"bad.yaml": reason} == inputs.unreadable


def test_an_unreadable_folder_is_not_a_removed_one(folder, monkeypatch):
    """When a folder cannot be listed any more, the files that it had are told as unreadable."""
    put(folder / "good.yaml")
    put(folder / "team" / "x.yaml")
    reader = FolderReader(folder)
    reader.read()
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("team"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)

    for _ in range(2):
        inputs = reader.read().inputs

        assert ["good.yaml"] == list(inputs.files)
        assert inputs.unreadable == {
            "team/": "permission denied",
            "team/x.yaml": "its folder cannot be read: permission denied",
        }
        assert reader.reread([f"{folder}/good.yaml"]) is None


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda path: None, SourceMissing, "no such file or folder: {}"),
        (
            Path.mkdir,
            SourceEmpty,
            "no resources found in {}: it has no *.yaml, *.yml, *.json file",
        ),
        (make_loop, SourceError, "cannot read {}: too many levels of symbolic links"),
    ],
)
def test_no_source_is_an_exception(tmp_path, make, kind, message):
    """That there is nothing to read is the world's failure, with a sentence that says which."""
    path = tmp_path / "config"
    make(path)

    with pytest.raises(kind) as caught:
        FolderReader(path).read()

    assert message.format(path) == str(caught.value)


def test_one_file_is_a_source_too(folder):
    """A file is read whatever its name, and its origin is its name."""
    path = put(folder / "routes.txt", "text")

    reader = FolderReader(path)

    assert {"routes.txt": b"text"} == reader.read().inputs.files
    assert str(path) == reader.locate("routes.txt")


@pytest.mark.parametrize(
    ("root", "origin", "path"),
    [
        ("config", "a/x.yaml", "config/a/x.yaml"),
        ("./config/", "x.yaml", "config/x.yaml"),
        (".", "x.yaml", "x.yaml"),
        ("/etc/penstock", "x.yaml", "/etc/penstock/x.yaml"),
        ("config", "", "config"),
    ],
)
def test_origins_become_paths_to_open(root, origin, path):
    """A finding's path can be opened from where the program was started."""
    assert path == FolderReader(Path(root)).locate(origin)


def test_unchanged_files_are_the_same_object(folder):
    """A file that did not change is not opened again, and not copied."""
    path = put(folder / "x.yaml", "text")
    reader = FolderReader(folder, now=lambda: time.time() + 60)
    first = reader.read().inputs.files["x.yaml"]
    path.chmod(0o600)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))

    assert reader.read().inputs.files["x.yaml"] is first


def test_same_size_edit_in_the_same_tick_is_seen(folder):
    """An edit that leaves size and time as they were is seen, for young files are always read."""
    path = put(folder / "x.yaml", "aaaa")
    status = path.stat()
    reader = FolderReader(folder)
    reader.read()
    path.write_text("bbbb")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert reader.read().inputs.files["x.yaml"] == b"bbbb"


def test_copy_that_keeps_size_and_mtime_is_seen(folder):
    """`cp -p` and `rsync --times` of an old file are seen by ctime, however old it is."""
    path = put(folder / "x.yaml", "aaaa")
    age(path)
    reader = FolderReader(folder, now=lambda: time.time() + 60)
    reader.read()
    put(folder / "other", "bbbb")
    age(folder / "other")
    status = path.stat()
    os.utime(folder / "other", ns=(status.st_atime_ns, status.st_mtime_ns))
    (folder / "other").replace(path)

    assert reader.read().inputs.files["x.yaml"] == b"bbbb"


def test_a_file_that_is_being_written_is_told(folder):
    """A file that changed a moment ago may be half written; one that rests is not."""
    path = put(folder / "x.yaml", "half")

    assert FolderReader(folder).read().writing
    assert not FolderReader(folder, now=lambda: time.time() + 1).read().writing

    age(path)

    assert not FolderReader(folder).read().writing


def test_a_file_that_is_gone_may_be_on_its_way_back(folder):
    """A file that is gone since the last look is looked for once more before that is believed."""
    put(folder / "stays.yaml")
    path = put(folder / "x.yaml")
    reader = FolderReader(folder, now=lambda: time.time() + 60)
    reader.read()
    path.unlink()

    assert reader.read().writing
    assert not reader.read().writing


def test_a_file_that_was_just_emptied_keeps_its_text(folder):
    """An editor empties a file before it writes it; what stood there holds for two seconds."""
    path = put(folder / "x.yaml", "text")
    late = 1.0
    reader = FolderReader(folder, now=lambda: time.time() + late)
    reader.read()
    path.write_text("")

    reading = reader.read()

    assert {"x.yaml": b"text"} == reading.inputs.files
    assert 0.5 < reading.look_again < 1.0

    late = 2.5

    assert {"x.yaml": b""} == reader.read().inputs.files


def test_names_that_are_not_utf8_can_be_printed(folder):
    """A file name of any bytes becomes text that can be encoded."""
    put(folder / os.fsdecode(b"\xff.yaml"))

    assert ["\\xff.yaml"] == origins(folder)
