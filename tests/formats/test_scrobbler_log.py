import pytest

TRACK = "62c2e20a-559e-422f-a44c-9afa7882f0c4"


def test_plays_and_skips(read, examples):
    found = read("scrobbler-log", examples["scrobbler-log"])
    common = {"platform": "Rockbox sansae200 1.1"}
    assert found.listened == [
        {
            "line": 4,
            "listened_at": 1_143_374_412.0,
            "parent": "Metallica",
            "name": "Enter Sandman",
            "album": "Metallica",
            "item_id": TRACK,
            "duration_ms": 331_000,
            "skipped": False,
            **common,
        },
        {
            "line": 5,
            "listened_at": 1_143_374_777.0,
            "parent": "Portishead",
            "name": "Cowboys",
            "album": "Portishead",
            "item_id": None,
            "duration_ms": 279_000,
            "skipped": True,
            **common,
        },
    ]
    assert found.dropped == []


def test_version_1_0_has_no_identifier_and_headers_may_be_missing(read, recognised):
    content = b"Low\t\tFly\t\t\tL\t0\n"
    assert recognised("scrobbler-log", "log", content) > 0.9
    (listen,) = read("scrobbler-log", {"log": content}).listened
    # A player without a clock writes 0: to be judged where all times are judged.
    assert (listen["listened_at"], listen["duration_ms"], listen["album"], listen["platform"]) == (
        0.0,
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Low\tTrust\tFly\t1\t100\tL", "malformed"),
        ("Low\tTrust\tFly\t1\t100\tL\t1\tx\ty", "malformed"),
        ("Low\tTrust\tFly\t1\t100\tB\t1", "malformed"),
        ("Low\tTrust\tFly\t1\t100\tL\tnow", "malformed"),
        ("Low\tTrust\tFly\t1\t100\tL\t", "incomplete"),
        ("\tTrust\tFly\t1\t100\tL\t1", "incomplete"),
        ("Low\tTrust\t\t1\t100\tL\t1", "incomplete"),
    ],
)
def test_a_bad_row_costs_itself_alone(row, reason, read):
    found = read("scrobbler-log", {"log": f"#AUDIOSCROBBLER/1.0\n{row}\nLow\t\tFly\t\t100\tL\t5\n".encode()})
    assert [listen["line"] for listen in found.listened] == [3]
    assert found.reasons == [(2, reason)]
