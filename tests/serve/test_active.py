"""The release that is being served."""

import asyncio
import logging
import threading

import pytest

from crossfade.core.errors import ArtifactError, NotReadyError
from crossfade.serve.active import ActiveRelease
from crossfade.serve.settings import ServeSettings


def version_of(active):
    with active.reading() as opened:
        return opened.release.version


def test_there_must_be_a_release(active):
    with pytest.raises(NotReadyError), active.reading():
        pass


def test_a_new_release_is_served_without_a_restart(active, release_parts, releases):
    first = release_parts.publish(releases, day="1").version
    assert version_of(active) == first
    second = release_parts.publish(releases, day="2").version
    assert version_of(active) == second
    releases.roll_back()
    assert version_of(active) == first


def test_one_request_sees_one_release(active, release_parts, releases):
    first = release_parts.publish(releases, day="1").version
    with active.reading() as opened:
        second = release_parts.publish(releases, day="2").version
        assert version_of(active) == second
        assert releases.prune(1) == []
        assert opened.release.version == first
        assert opened.release.tables.item("artist", "bjork").id == "mb:bjork"
    # Nobody reads the first one any more.
    assert releases.prune(1) == [first]


def test_the_registry_is_not_asked_by_every_request(release_parts, releases):
    active = ActiveRelease(releases, check_seconds=3600)
    first = release_parts.publish(releases, day="1").version
    assert version_of(active) == first
    release_parts.publish(releases, day="2")
    assert version_of(active) == first
    active.close()


def test_the_first_release_is_looked_for_by_every_request(release_parts, releases):
    active = ActiveRelease(releases, check_seconds=3600)
    with pytest.raises(NotReadyError):
        version_of(active)
    first = release_parts.publish(releases).version
    assert version_of(active) == first
    active.close()


def test_a_release_that_cannot_be_opened_leaves_the_old_one(active, release_parts, releases, home, caplog):
    caplog.set_level(logging.INFO)
    first = release_parts.publish(releases, day="1").version
    assert version_of(active) == first
    second = release_parts.publish(releases, day="2").version
    # Another file in its place, since releases with equal tables share one.
    tables = home.releases / "tables" / second / "release.sqlite"
    tables.unlink()
    tables.write_bytes(b"damaged")
    assert [version_of(active) for _ in range(3)] == [first] * 3
    assert caplog.text.count(f"Still serving release {first}: the active one could not be opened (") == 1
    (home.releases / "CURRENT").write_bytes(b"damaged")
    assert version_of(active) == first
    assert releases.roll_back() == first
    assert version_of(active) == first


def test_a_damaged_first_release_is_an_error(active, release_parts, releases, home):
    first = release_parts.publish(releases).version
    (home.releases / "tables" / first / "release.sqlite").write_bytes(b"damaged")
    with pytest.raises(ArtifactError):
        version_of(active)


def test_readers_of_one_release_share_what_is_opened_of_it(active, release_parts, releases):
    release_parts.publish(releases, day="1")
    with active.reading() as one, active.reading() as other:
        assert one is other
    with active.reading() as later:
        assert later is one
    release_parts.publish(releases, day="2")
    with active.reading() as newer:
        assert newer is not one


def test_a_pin_is_known(active, release_parts, releases):
    release_parts.publish(releases, day="1")
    for change, pinned in (
        (releases.active, False),
        (lambda: releases.activate(version_of(active)), True),
        (releases.unpin, False),
    ):
        change()
        version_of(active)
        assert active.pinned == pinned


def test_a_release_that_is_published_under_a_pin_is_not_served(active, release_parts, releases):
    first = release_parts.publish(releases, day="1").version
    releases.activate(first)
    second = release_parts.publish(releases, day="2").version
    assert version_of(active) == first
    releases.unpin()
    assert version_of(active) == second


def test_closing_waits_for_those_who_read(active, release_parts, releases):
    release_parts.publish(releases)
    with active.reading() as opened:
        active.close()
        assert opened.release.tables.item("artist", "bjork").id == "mb:bjork"


def test_many_threads_across_a_change(active, release_parts, releases):
    versions = [release_parts.publish(releases, day=str(day)).version for day in range(6)]
    stop, seen, wrong = threading.Event(), set(), []

    def read():
        while not stop.is_set():
            try:
                with active.reading() as opened:
                    seen.add(opened.release.version)
                    if opened.release.tables.item("artist", "bjork").id != "mb:bjork":
                        wrong.append(opened.release.version)
            except Exception as error:  # noqa: BLE001 (whatever it is, it is wrong)
                wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for version in versions * 3:
            releases.activate(version)
            assert version_of(active) == version
    finally:
        stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert seen <= set(versions)


def test_what_was_removed_is_not_served_on(active, release_parts, releases):
    first, second = (release_parts.publish(releases, day=day).version for day in "12")
    assert version_of(active) == second
    with active.reading() as opened:
        releases.retire([second], patience=0)
        # A request that has begun ends as it began; the next one gets what is left.
        assert opened.release.tables.item("artist", "bjork").id == "mb:bjork"
        assert version_of(active) == first
    releases.retire([first], patience=0)
    with pytest.raises(NotReadyError):
        version_of(active)


def test_a_server_that_nobody_asks_lets_a_release_go(releases, release_parts, monkeypatch):
    """Else `crossfade forget` would wait for it in vain."""
    from crossfade.serve import app as app_module

    monkeypatch.setattr(app_module, "CHECK_SECONDS", 0.01)
    active = ActiveRelease(releases, check_seconds=0)
    app = app_module.create_app(active, ServeSettings())
    first = release_parts.publish(releases, day="1").version

    async def serve():
        async with app.router.lifespan_context(app):
            assert version_of(active) == first
            release_parts.publish(releases, day="2")
            for _ in range(500):
                if releases.prune(1):
                    return True
                await asyncio.sleep(0.01)
        return False

    assert asyncio.run(serve())
