"""Values that are kept in memory."""

from crossfade.live.cache import Cache


def test_those_that_were_asked_for_last_are_kept():
    cache = Cache(2)
    cache.keep("a", 1)
    cache.keep("b", 2)
    assert cache.find("a") == 1
    cache.keep("c", 3)
    assert [cache.find(key) for key in "abc"] == [1, None, 3]
    cache.keep("a", 4)
    cache.keep("d", 5)
    assert [cache.find(key) for key in "acd"] == [4, None, 5]


def test_a_value_is_not_found_by_another_stamp():
    cache = Cache(2)
    cache.keep("a", 1, stamp=7)
    assert (cache.find("a", 7), cache.find("a", 8), cache.find("a")) == (1, None, None)
