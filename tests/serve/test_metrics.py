"""What Prometheus reads."""

import os
import re
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crossfade.core.artifacts import MANIFEST
from crossfade.surfaces.asking import OpenRelease

GUIDE = (Path(__file__).parents[2] / "docs" / "http.md").read_text()


@pytest.fixture
def measured(client):
    """``measured(name, **labels)``: the value of a sample; None if there is none."""

    def value(name, **labels):
        answer = client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert answer.headers["cache-control"] == "no-store"
        samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
        return next((one.value for one in samples if one.name == name and labels.items() <= one.labels.items()), None)

    return value


def test_answers_are_counted_by_route_and_status(client, measured):
    labels = {"method": "GET", "route": "/v1/users/{id}/discover", "status": "200"}
    before = measured("crossfade_request_seconds_count", **labels) or 0
    seconds = measured("crossfade_request_seconds_sum", **labels) or 0
    for _ in range(3):
        client.get("/v1/users/hetrec:2/discover")
    assert measured("crossfade_request_seconds_count", **labels) == before + 3
    assert seconds < measured("crossfade_request_seconds_sum", **labels) < seconds + 10


def test_nobody_is_named_and_no_method_is_made_up(client, measured):
    client.get("/v1/users/hetrec:2/nowhere")
    client.request("SECRET", "/v1/users/hetrec:2/discover")
    assert measured("crossfade_request_seconds_count", method="GET", route="(no route)", status="404")
    assert measured("crossfade_request_seconds_count", method="other", status="405")
    assert not re.search("hetrec|SECRET", client.get("/metrics").text)


def test_an_error_of_ours_is_counted(client, measured, monkeypatch):
    def fail(*_):
        raise RuntimeError

    labels = {"route": "/v1/popular", "status": "500"}
    before = measured("crossfade_request_seconds_count", **labels) or 0
    with monkeypatch.context() as patched:
        patched.setattr(OpenRelease, "table", fail)
        client.get("/v1/popular?limit=17")
    assert measured("crossfade_request_seconds_count", **labels) == before + 1


def test_the_release_and_its_age_are_shown(client, served, measured):
    with served.active.reading() as opened:
        release = opened.release
    manifest = served.home.releases / release.version / MANIFEST
    was = manifest.stat()
    os.utime(manifest, (was.st_atime, time.time() - 3600))
    assert 3600 <= measured("crossfade_release_age_seconds") < 3700
    os.utime(manifest, (was.st_atime, was.st_mtime))
    assert measured("crossfade_release", version=release.version) == 1


def test_without_a_release_it_has_no_age(empty):
    text = empty.get("/metrics").text
    assert "\ncrossfade_release_age_seconds" not in text
    assert "crossfade_request_seconds" in text


def test_every_metric_of_ours_is_documented_and_no_other(client):
    names = {family.name for family in text_string_to_metric_families(client.get("/metrics").text)}
    assert {name for name in names if name.startswith("crossfade")} == set(
        re.findall(r"^\| `(crossfade_\w+)`", GUIDE, re.M)
    )
