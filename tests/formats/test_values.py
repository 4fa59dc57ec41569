import datetime
import math

import pytest

from crossfade.formats import values


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("12", 12.0),
        (" 1.5e3 ", 1500.0),
        (7, 7.0),
        ("-3", -3.0),
        ("", None),
        ("1_000", None),
        ("١٢", None),
        ("nan", None),
        ("inf", None),
        (math.nan, None),
        (True, None),
        (None, None),
        ([1], None),
        (10**400, None),
    ],
)
def test_numbers(said, meant):
    assert values.number(said) == meant


@pytest.mark.parametrize("said", ["19 Aug 2026, 20:48", "19 Aug 2026 20:48", " 19 aug 2026, 20:48:00 "])
def test_a_time_as_lastfm_writes_it(said):
    assert values.day_month_year(said) == datetime.datetime(2026, 8, 19, 20, 48, tzinfo=datetime.UTC).timestamp()


@pytest.mark.parametrize("said", ["31 Feb 2026, 20:48", "19 Xyz 2026, 20:48", "19 Aug 2026", "19 Aug 2026, 24:48"])
def test_a_time_that_never_was_is_none(said):
    assert values.day_month_year(said) is None


@pytest.mark.parametrize(
    "said",
    [
        1_143_374_412,
        "1143374412",
        1_143_374_412_000,
        "1143374412000",
        1_143_374_412_000_000,
        1_143_374_412_000_000_000,
        "2006-03-26T12:00:12Z",
        "2006-03-26 12:00:12",
        "2006-03-26 12:00:12 UTC",
        "2006-03-26T14:00:12+02:00",
        datetime.datetime(2006, 3, 26, 12, 0, 12),
        datetime.datetime(2006, 3, 26, 12, 0, 12, tzinfo=datetime.UTC),
    ],
)
def test_every_spelling_of_one_moment(said):
    # 26 March 2006 is day 13,233 since 1970.
    assert values.time(said) == 13_233 * 86_400 + 12 * 3600 + 12 == 1_143_374_412


@pytest.mark.parametrize("said", ["", "yesterday", "2006-13-01", None, 1e30, "26/03/2006", float("nan")])
def test_what_is_no_time_is_none(said):
    assert values.time(said) is None


def test_identifiers_are_taken_only_whole_and_in_lower_case():
    mbid = "8bfac288-ccc5-448d-9573-c33ea2aa5c30"
    assert values.mbid(f" {mbid.upper()} ") == mbid
    assert values.mbid(mbid[:-1]) is None
    assert values.mbid("8bfac288?-ccc5-448d-9573-c33ea2aa5c30") is None
    assert values.recording_in(f"https://musicbrainz.org/recording/{mbid}") == mbid
    assert values.recording_in(f"http://musicbrainz.org/track/{mbid}.html") == mbid
    assert values.recording_in(f"https://musicbrainz.org/artist/{mbid}") is None
    assert values.recording_in(f"https://example.org/recording/{mbid}") is None
    assert values.artist_in(f"https://musicbrainz.org/artist/{mbid}") == mbid


@pytest.mark.parametrize(("said", "meant"), [("215", 215_000), ("0", None), ("-1", None), ("", None), ("1e9", None)])
def test_lengths(said, meant):
    assert values.milliseconds(said, per_unit=1000) == meant


@pytest.mark.parametrize(
    ("said", "meant"), [("True", True), ("0", False), (1, True), (False, False), ("maybe", None), (None, None)]
)
def test_truth(said, meant):
    assert values.truth(said) is meant
