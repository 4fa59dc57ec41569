"""The log of a service that the guide for engineers imports: equal for equal seeds, and importable as its help says."""

import re
import sys

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks import logs
from crossfade.core.home import Home
from crossfade.importing.imports import import_paths


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("logs")
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {"GROUPS": 5, "BLOCK": 3_000}.items():
            patched.setattr(logs, name, value)
        patched.setattr(
            sys,
            "argv",
            ["logs", str(place), "--rows", "8000", "--day", "400", "--listeners", "300", "--tracks", "2000"],
        )
        logs.main()
    return place


def test_the_day_follows_the_past_and_every_event_has_an_id(made):
    past, day = (pq.read_table(made / f"{name}.parquet") for name in ("past", "day"))
    assert (len(past), len(day)) == (8_000, 400)
    assert pc.max(past["started"]).as_py() < pc.min(day["started"]).as_py()
    assert pc.count_distinct(past["event_id"]).as_py() == 8_000
    plays = sorted(pc.value_counts(past["account_id"]).field("counts").to_pylist())
    assert plays[-30:] > plays[:30]
    assert sum(plays[-30:]) > 3_000, "a tenth of the listeners play a large part"


def test_its_help_says_how_to_import_it(made, tmp_path):
    columns = dict(re.findall(r"--column (\w+)=(\w+)", logs.__doc__))
    ledgers = import_paths(
        Home(tmp_path / "home"), [made / "past.parquet", made / "day.parquet"], columns=columns, now=logs.UNTIL + 1e6
    )
    assert [ledger.read for ledger in ledgers] == [8_000, 400]
    assert all(ledger.accepted == ledger.read for ledger in ledgers)
    assert ledgers[0].plays / ledgers[0].read == pytest.approx(11 / 12, abs=0.02)
