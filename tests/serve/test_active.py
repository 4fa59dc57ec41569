"""The release that is being served."""

import logging
import threading

import pytest

from crossfade.core.errors import ArtifactError, NotReadyError
from crossfade.serve.active import ActiveRelease


def version_of(active):
    with active.reading() as reader:
        return reader.version


def test_there_must_be_a_release(active):
    with pytest.raises(NotReadyError), active.reading():
        pass


def test_a_new_release_is_served_without_a_restart(active, release_parts, store):
    first = release_parts.publish(store, day="1")
    assert version_of(active) == first
    second = release_parts.publish(store, day="2")
    assert version_of(active) == second
    store.roll_back()
    assert version_of(active) == first


def test_one_request_sees_one_release(active, release_parts, store):
    first = release_parts.publish(store, day="1")
    with active.reading() as reader:
        second = release_parts.publish(store, day="2")
        assert version_of(active) == second
        assert store.prune(1) == []
        assert reader.version == first
        assert reader.artist("bjork").id == "mb:bjork"
    # Nobody reads the first one any more.
    assert store.prune(1) == [first]


def test_the_store_is_not_asked_by_every_request(release_parts, store):
    active = ActiveRelease(store, check_seconds=3600)
    first = release_parts.publish(store, day="1")
    assert version_of(active) == first
    release_parts.publish(store, day="2")
    assert version_of(active) == first
    active.close()


def test_the_first_release_is_looked_for_by_every_request(release_parts, store):
    active = ActiveRelease(store, check_seconds=3600)
    with pytest.raises(NotReadyError):
        version_of(active)
    first = release_parts.publish(store)
    assert version_of(active) == first
    active.close()


def test_a_release_that_cannot_be_opened_leaves_the_old_one(active, release_parts, store, home, caplog):
    caplog.set_level(logging.INFO)
    first = release_parts.publish(store, day="1")
    assert version_of(active) == first
    second = release_parts.publish(store, day="2")
    (home.releases / second / "release.sqlite").write_bytes(b"damaged")
    assert [version_of(active) for _ in range(3)] == [first] * 3
    assert caplog.text.count("is served on") == 1
    (home.releases / "CURRENT").write_bytes(b"damaged")
    assert version_of(active) == first
    assert store.roll_back() == first
    assert version_of(active) == first


def test_a_damaged_first_release_is_an_error(active, release_parts, store, home):
    first = release_parts.publish(store)
    (home.releases / first / "release.sqlite").write_bytes(b"damaged")
    with pytest.raises(ArtifactError):
        version_of(active)


def test_closing_waits_for_those_who_read(active, release_parts, store):
    release_parts.publish(store)
    with active.reading() as reader:
        active.close()
        assert reader.artist("bjork").id == "mb:bjork"


def test_many_threads_across_a_change(active, release_parts, store):
    versions = [release_parts.publish(store, day=str(day)) for day in range(6)]
    stop, seen, wrong = threading.Event(), set(), []

    def read():
        while not stop.is_set():
            try:
                with active.reading() as reader:
                    seen.add(reader.version)
                    if reader.artist("bjork").id != "mb:bjork":
                        wrong.append(reader.version)
            except Exception as error:  # noqa: BLE001 (whatever it is, it is wrong)
                wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for version in versions * 3:
        store.activate(version)
        assert version_of(active) == version
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert seen <= set(versions)
