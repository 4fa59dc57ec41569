"""Kinds of item."""

import pytest

from crossfade.core.errors import UnknownIdError
from crossfade.core.kinds import KINDS, item_fields, kind_named


def test_a_family_has_one_root():
    assert {name: kind.root for name, kind in KINDS.items()} == {
        "artist": "artist",
        "track": "artist",
        "show": "show",
        "episode": "show",
    }


def test_a_kind_that_does_not_exist_is_named_beside_those_that_do():
    with pytest.raises(UnknownIdError, match=r"'mood'.*: artist, track, show, episode"):
        kind_named("mood")


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_parent_comes_before_its_children(kind):
    assert kind.parent is None or list(KINDS).index(kind.parent) < list(KINDS).index(kind.name)


def test_fields_that_kinds_share_are_one():
    assert [field.name for field in item_fields()] == ["album", "duration_ms", "isrc"]
