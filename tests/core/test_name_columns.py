"""Ids of whole columns are those of each name."""

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from crossfade.core.name_columns import named_ids
from crossfade.core.names import LONGEST, named_id

ODD = [
    "",
    " Low ",
    "LOW",
    "a  b",
    "a\tb",
    "Björk",
    "Straße",
    "ﬁn",
    "x\u2003y",
    "\x1f",
    "İ",
    "e\u0301",
    "x" * (LONGEST + 1),
]
NAMES = st.one_of(st.none(), st.text(), st.sampled_from(ODD), st.text("aB /\x00\t"))


@given(pairs=st.lists(st.tuples(NAMES, NAMES)))
@example(pairs=[(one, other) for one in ODD for other in ODD])
def test_ids_are_made_of_both_names(pairs):
    names, parents = (pa.array([pair[place] for pair in pairs], pa.string()) for place in (0, 1))
    assert named_ids(names, parents).to_pylist() == [None if None in pair else named_id(*pair) for pair in pairs]
    assert named_ids(names).to_pylist() == [None if name is None else named_id(name) for name, _ in pairs]
