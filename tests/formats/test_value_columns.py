"""Whole columns are converted as `values` converts each value."""

import datetime

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crossfade.formats import value_columns, values

ODD = [
    *(
        "",
        " ",
        "\x1fLow\x85",
        "\u2003Fly\u00a0",
        "\u200bx",
        "51",
        " 5 ",
        "-3",
        "+3",
        "1_0",
        "١",
        "1e3",
        "inf",
        "nan",
        "0x1",
    ),
    *(
        "0",
        "0.5",
        "2.5",
        "3.5",
        "2147483646.5",
        "2147483647",
        "1" * 30,
        "1." + "3" * 9,
        "yes",
        " No ",
        "T",
        "2",
        "soon",
    ),
    *("1143374412", "1143374412000", "1143374412000000", "1143374412000000000", "1e21", "-99999999999", "100000000000"),
    *("2006-03-26T12:00:12Z", "2006-03-26 12:00", "2006-03-26 12:00:12.5", "2006-03-26T12:00:12.123456", "2006-03-26"),
    *(
        "2006-03-26T12:00:12+02:00",
        "2006-02-29T12:00:00Z",
        "2004-02-29 12:00:00",
        "2006-04-31 12:00:00",
        "20060326T120012",
    ),
    *(
        "2006-03-26T24:00:00",
        "2006-03-26 12:00:12 UTC",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59.999999Z",
        "26 Mar 2006, 12:00",
    ),
    *(
        "2006-03-26T12:00:12ZZ",
        "2006-03-26T12:00:12.123Z",
        "2006-03-26Z",
        "2006-03-26T12Z",
        "2006-03-26T12:00:12\n",
        None,
    ),
]
PAIRS = {
    "names": (value_columns.names, values.text),
    "numbers": (value_columns.numbers, values.number),
    "times": (value_columns.times, values.time),
    "truths": (value_columns.truths, values.truth),
    "milliseconds": (value_columns.milliseconds, values.milliseconds),
    "played": (lambda column: value_columns.milliseconds(column, zero=True), values.played),
}


def agree(name: str, given: list) -> None:
    of_columns, of_values = PAIRS[name]
    column = value_columns.plain(pa.array(given))
    assert of_columns(column).to_pylist() == [None if value is None else of_values(value) for value in given]


@pytest.mark.parametrize("name", PAIRS)
def test_odd_texts_are_converted_alike(name):
    agree(name, ODD)
    agree(name, ODD[:1])


NEAR_TIMES = st.from_regex(
    r"\A[0-3][0-9]{3}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{0,7})?)?)?Z?\Z"
)


@pytest.mark.parametrize("name", PAIRS)
@settings(max_examples=50)
@given(texts=st.lists(st.one_of(st.none(), st.text(), NEAR_TIMES, st.from_regex(r"\A[-+]?[0-9]*\.?[0-9]*\Z"))))
@example(texts=["2900-02-29 10:00"])
def test_texts_are_converted_alike(name, texts):
    agree(name, [*texts, "x"])


@pytest.mark.parametrize("name", ["numbers", "times", "truths", "milliseconds", "played"])
@settings(max_examples=50)
@given(numbers=st.one_of(st.lists(st.floats()), st.lists(st.integers(-(2**63), 2**63 - 1)), st.lists(st.booleans())))
def test_numbers_are_converted_alike(name, numbers):
    agree(name, numbers)


@given(times=st.lists(st.datetimes(max_value=datetime.datetime(5000, 1, 1))))
def test_datetimes_are_seconds(times):
    since = [time.replace(tzinfo=datetime.UTC).timestamp() for time in times]
    assert value_columns.times(value_columns.plain(pa.array(times, pa.timestamp("us")))).to_pylist() == pytest.approx(
        since
    )
