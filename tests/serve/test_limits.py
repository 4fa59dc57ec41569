"""How many requests a client may make."""

import pytest

from crossfade.serve import limits as limits_module
from crossfade.serve.limits import RateLimits


@pytest.fixture
def clock():
    return [1000.0]


def test_requests_of_a_window_are_counted_for_each_client(clock):
    limits = RateLimits(2, 10, clock=lambda: clock[0])
    assert [limits.spend("a").remaining for _ in range(4)] == [1, 0, -1, -1]
    assert limits.spend("b").remaining == 1
    clock[0] += 10
    assert limits.spend("a").remaining == 1


def test_headers_are_whole_numbers_and_say_when_to_come_back(clock):
    limits = RateLimits(1, 10, clock=lambda: clock[0])
    clock[0] += 3.6
    first, second = limits.spend("a"), limits.spend("a")
    assert first.allowed
    assert first.headers == {"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-In": "6"}
    assert not second.allowed
    assert second.headers == {**first.headers, "Retry-After": "6"}


def test_many_clients_take_no_more_memory(clock, monkeypatch):
    monkeypatch.setattr(limits_module, "MOST_CLIENTS", 2)
    limits = RateLimits(5, 10, clock=lambda: clock[0])
    assert [limits.spend(name).remaining for name in "abcda"] == [4, 4, 4, 3, 3]
