import json

import pytest


def test_an_export(read, examples):
    found = read("maloja", examples["maloja"])
    assert found.listened == [
        {
            "line": 1,
            "listened_at": 1_650_684_324.0,
            "parent": "Nina Simone",
            "name": "Sinnerman",
            "album": "Pastel Blues",
            "ms_played": 180_000,
            "duration_ms": 620_000,
        },
        {
            "line": 2,
            "listened_at": 1_650_685_000.0,
            "parent": "Low",
            "name": "Sunflower",
            "album": None,
            "ms_played": None,
            "duration_ms": None,
        },
    ]
    assert found.dropped == []


def test_answers_of_the_api_and_version_2(read, recognised):
    old = {"time": 7, "artists": ["Low"], "title": "Fly", "album": "Trust", "duration": 300}
    for key in ("list", "scrobbles"):
        content = json.dumps({"status": "ok", key: [old]}).encode()
        assert recognised("maloja", "x.json", content) > 0.5
        (listen,) = read("maloja", {"x.json": content}).listened
        assert (listen["album"], listen["duration_ms"], listen["ms_played"]) == ("Trust", 300_000, None)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("text", "malformed"),
        ({"time": 1, "track": "Fly"}, "malformed"),
        ({"time": "soon", "track": {"artists": ["Low"], "title": "Fly"}}, "malformed"),
        ({"track": {"artists": ["Low"], "title": "Fly"}}, "incomplete"),
        ({"time": 1, "track": {"artists": [], "title": "Fly"}}, "incomplete"),
        ({"time": 1, "track": {"artists": "Low", "title": "Fly"}}, "incomplete"),
        ({"time": 1, "track": {"artists": ["Low"]}}, "incomplete"),
    ],
)
def test_a_bad_scrobble_costs_itself_alone(bad, reason, read):
    good = {"time": 5, "track": {"artists": ["Low"], "title": "Fly"}}
    found = read("maloja", {"x.json": json.dumps({"scrobbles": [good, bad, good]}).encode()})
    assert [listen["line"] for listen in found.listened] == [1, 3]
    assert found.reasons == [(2, reason)]
