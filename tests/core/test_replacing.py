"""Putting something new in the place of something old."""

import os

import pytest

from crossfade.core import replacing
from crossfade.core.artifacts import Identity, write_file, writing
from crossfade.core.replacing import draft_beside, make_directory, make_private, move_into_place, remove, sweep


def directory_with(path, name):
    path.mkdir()
    (path / name).write_bytes(b"")
    return path


def names(directory):
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("exchange", [True, False])
def test_a_directory_takes_the_place_of_another(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(replacing, "_renameat2", lambda: None)
    place = directory_with(tmp_path / "x", "old")
    move_into_place(directory_with(draft_beside(place), "new"), place)
    assert names(place) == ["new"]
    assert names(tmp_path) == ["x"]


def test_something_stands_there_at_every_moment(tmp_path, monkeypatch):
    """With two renames there would be a moment without; the exchange has none."""
    if replacing._renameat2() is None:
        pytest.skip("needs renameat2 (Linux)")
    place = directory_with(tmp_path / "x", "old")
    monkeypatch.setattr(type(place), "rename", lambda *_: pytest.fail("renamed instead of exchanged"))
    move_into_place(directory_with(draft_beside(place), "new"), place)
    assert names(place) == ["new"]


def test_a_failed_move_puts_the_old_one_back(tmp_path, monkeypatch):
    monkeypatch.setattr(replacing, "_renameat2", lambda: None)
    place = directory_with(tmp_path / "x", "old")
    with pytest.raises(FileNotFoundError):
        move_into_place(draft_beside(place), place)
    assert names(place) == ["old"]


def test_a_link_in_the_way_is_replaced_and_not_followed(tmp_path):
    elsewhere = directory_with(tmp_path / "elsewhere", "kept")
    place = tmp_path / "x"
    place.symlink_to(elsewhere)
    move_into_place(directory_with(draft_beside(place), "new"), place)
    assert not place.is_symlink()
    assert names(place) == ["new"]
    assert names(elsewhere) == ["kept"]
    assert names(tmp_path) == ["elsewhere", "x"]


def test_sweeping_removes_what_was_not_finished(tmp_path):
    (tmp_path / "deep").mkdir()
    for parent in (tmp_path, tmp_path / "deep"):
        directory_with(draft_beside(parent / "x"), "half")
        draft_beside(parent / "CURRENT").write_bytes(b"half")
    sweep(tmp_path)
    assert names(tmp_path) == ["deep"]
    assert names(tmp_path / "deep") == []


def test_sweeping_the_top_alone_leaves_what_lies_below(tmp_path):
    draft_beside(tmp_path / "x").write_bytes(b"")
    (tmp_path / "deep").mkdir()
    draft_beside(tmp_path / "deep" / "x").write_bytes(b"")
    sweep(tmp_path, below=False)
    assert names(tmp_path) == ["deep"]
    assert len(names(tmp_path / "deep")) == 1


@pytest.mark.parametrize("name", [".x.partial", "x.12345678.partial", ".x.1234567g.partial", ".x.12345678.partial.npy"])
def test_sweeping_touches_nothing_of_others(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    sweep(tmp_path)
    assert names(tmp_path) == [name]


def test_sweeping_does_not_follow_links(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    left = draft_beside(elsewhere / "x")
    left.write_bytes(b"")
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to(elsewhere)
    draft_beside(home / "y").symlink_to(elsewhere)
    sweep(home)
    assert left.exists()
    assert names(home) == ["link"]


def test_sweeping_puts_back_what_stepped_aside(tmp_path):
    directory_with(tmp_path / ".x.0123abcd.aside.partial", "old")
    directory_with(tmp_path / ".x.89abcdef.partial", "new")
    sweep(tmp_path)
    assert names(tmp_path) == ["x"]
    assert names(tmp_path / "x") == ["old"]


def test_sweeping_removes_what_stepped_aside_when_the_new_one_stands(tmp_path):
    directory_with(tmp_path / ".x.0123abcd.aside.partial", "old")
    directory_with(tmp_path / "x", "new")
    sweep(tmp_path)
    assert names(tmp_path) == ["x"]
    assert names(tmp_path / "x") == ["new"]


def test_sweeping_where_nothing_is_does_nothing(tmp_path):
    sweep(tmp_path / "none")


def test_made_directories_reach_the_disk(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(replacing, "flush_directory", flushed.append)
    make_directory(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert flushed == [tmp_path, tmp_path / "a"]
    make_directory(tmp_path / "a" / "b")
    assert len(flushed) == 2


def test_a_directory_cannot_be_made_where_a_file_is(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileExistsError):
        make_directory(tmp_path / "file")


def test_removing_a_link_leaves_what_it_leads_to(tmp_path):
    kept = directory_with(tmp_path / "kept", "x")
    (tmp_path / "link").symlink_to(kept)
    remove(tmp_path / "link")
    remove(tmp_path / "never-there")
    assert names(tmp_path) == ["kept"]
    assert names(kept) == ["x"]


@pytest.mark.parametrize("exchange", [True, False])
def test_the_old_one_goes_only_when_the_new_one_is_on_the_disk(tmp_path, monkeypatch, exchange):
    if not exchange:
        monkeypatch.setattr(replacing, "_renameat2", lambda: None)
    place = directory_with(tmp_path / "x", "old")
    seen = []
    monkeypatch.setattr(replacing, "flush_directory", lambda path: seen.append((path, len(names(path)))))
    move_into_place(directory_with(draft_beside(place), "new"), place)
    # At the time of the flush both were there: the new one in its place, the old one aside.
    assert seen == [(tmp_path, 2)]


def test_what_is_made_is_for_its_owner_alone_and_the_umask_stays(tmp_path):
    before = os.umask(0)
    try:
        make_directory(tmp_path / "a" / "b")
        with writing(tmp_path / "artifact", Identity(kind="test", version=1)) as draft:
            (draft.path / "deep").mkdir()
            (draft.path / "deep" / "file").write_text("as a library writes it")
            assert draft.path.stat().st_mode & 0o777 == 0o700
        write_file(tmp_path / "file", b"")
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    assert {path: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")} == {
        path: 0o700 if path.is_dir() else 0o600 for path in tmp_path.rglob("*")
    }


def test_permissions_that_cannot_be_changed_are_left(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "not yours")

    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setattr(os, "chmod", refuse)
    make_private(tmp_path / "file")
