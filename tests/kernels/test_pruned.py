"""Pruned top-k gives what the plain scan gives, to the bit, and looks at less."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfade.kernels.search import byte_lanes
from crossfade.kernels.search.byte_lanes import add_products, at_least, load_bytes, lowest, spread_word, store_sums
from crossfade.kernels.search.oracle import all_scores, top_k
from crossfade.kernels.search.panels import packed
from crossfade.kernels.search.pruned import scan_pruned
from crossfade.kernels.search.scan import scan
from crossfade.kernels.search.sketch import CHUNK, FOUR, PAIR, WIDTH, least_sum, sketch_queries, sketched, slack_of


def exclusions(excluded):
    indptr = np.cumsum([0, *map(len, excluded)]).astype(np.int64)
    return indptr, np.array([row for rows in excluded for row in sorted(rows)], dtype=np.int32)


def pruned(items, queries, k, *, opened=None, excluded=None, patience=None):
    """(rows, scores, passed, met)"""
    opened = np.ones(len(items), dtype=bool) if opened is None else opened
    rows = np.full((len(queries), k), 99, dtype=np.int32)
    scores = np.full((len(queries), k), 99, dtype=np.float32)
    passed, met = np.full((2, len(queries)), 99, dtype=np.int64)
    patience = len(items) if patience is None else patience
    restriction = exclusions(excluded or [[]] * len(queries))
    scan_pruned(sketched(items), queries, opened, bool(opened.all()), *restriction, patience, rows, scores, passed, met)
    return rows, scores, passed, met


def plain(items, queries, k, *, opened=None, excluded=None):
    """(rows, scores)"""
    opened = np.ones(len(items), dtype=bool) if opened is None else opened
    rows = np.empty((len(queries), k), dtype=np.int32)
    scores = np.empty((len(queries), k), dtype=np.float32)
    panels = packed(items, np.arange(len(items), dtype=np.int32), unit=False)
    scan(panels, len(items), queries, opened, *exclusions(excluded or [[]] * len(queries)), rows, scores)
    return rows, scores


def assert_same(one, other):
    np.testing.assert_array_equal(one[0], other[0])
    # As whole numbers, so that 0 and -0 differ.
    np.testing.assert_array_equal(one[1].view(np.int32), other[1].view(np.int32))


def floats(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def long_tailed(rng, items, factors):
    """Vectors in some directions more than in others, their lengths over two powers of ten."""
    vectors = floats(rng, items, factors) * np.linspace(2, 0.2, factors, dtype=np.float32)
    return vectors * rng.lognormal(0.0, 1.2, (items, 1)).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_ties_exclusions_and_closed_items_as_in_the_oracle(data, seed):
    rng = np.random.default_rng(seed)
    items = data.draw(st.sampled_from([1, 31, 33, CHUNK, CHUNK + 1, 2 * CHUNK + 40, 3 * CHUNK - 1]), "items")
    queries, factors = data.draw(st.integers(1, 19), "queries"), data.draw(st.integers(1, 9), "factors")
    k = min(items, data.draw(st.sampled_from([1, 5, 40, 200]), "k"))
    # Small whole numbers: every sum is exact, and most scores are shared by several items, many of them equal.
    vectors = rng.integers(-2, 3, (items, factors)).astype(np.float32)
    vectors[rng.random(items) < data.draw(st.sampled_from([0.0, 0.5, 1.0]), "share of zero vectors")] = 0
    asked = rng.integers(-2, 3, (queries, factors)).astype(np.float32)
    opened = rng.random(items) < data.draw(st.sampled_from([0.0, 0.01, 0.5, 1.0]), "share open")
    excluded = [np.flatnonzero(rng.random(items) < 0.3).tolist() for _ in range(queries)]
    found = pruned(vectors, asked, k, opened=opened, excluded=excluded)
    assert_same(found, top_k(asked @ vectors.T + np.float32(0), k, opened, excluded))


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_vectors_of_any_size_as_in_the_plain_scan(data, seed):
    rng = np.random.default_rng(seed)
    items, factors = data.draw(st.integers(1, 3 * CHUNK), "items"), data.draw(st.integers(1, 70), "factors")
    vectors, asked = long_tailed(rng, items, factors), floats(rng, data.draw(st.integers(1, 20), "queries"), factors)
    # From where products vanish to where they nearly overflow, and some vectors much larger than their neighbours.
    exponents = st.sampled_from([-45, -38, -20, 0, 12])
    vectors *= np.float32(10.0 ** data.draw(exponents, "items' exponent"))
    asked *= np.float32(10.0 ** data.draw(exponents, "queries' exponent"))
    vectors[rng.integers(items, size=3)] *= np.float32(data.draw(st.sampled_from([0.0, 1.0, 1e3])))
    vectors[rng.integers(items, size=items // 3)] = vectors[0]
    k = min(items, data.draw(st.integers(1, 130), "k"))
    assert_same(pruned(vectors, asked, k), plain(vectors, asked, k))


@pytest.mark.parametrize("factors", [1, 3, 48, 257])
def test_many_queries_that_end_at_different_lengths(rng, factors):
    items, asked = long_tailed(rng, 9000, factors), floats(rng, 77, factors)
    asked[5] = 0
    asked[9] = asked[8]
    excluded = [rng.choice(9000, rng.integers(0, 400), replace=False).tolist() for _ in asked]
    assert_same(pruned(items, asked, 30, excluded=excluded), plain(items, asked, 30, excluded=excluded))


def test_the_plain_scan_s_rows_are_the_oracle_s_here_too(rng):
    items, asked = long_tailed(rng, 4000, 24), floats(rng, 9, 24)
    assert_same(pruned(items, asked, 20), top_k(all_scores(items, asked), 20, np.ones(4000, bool), [[]] * 9))


def test_long_items_end_a_query_and_few_items_are_scored(rng):
    items = long_tailed(rng, 20_000, 32)
    _, _, passed, met = pruned(items, floats(rng, 40, 32), 10)
    # Whatever is better than the tenth best has to be scored, and the longest chunk to be met.
    assert (passed >= 10).all()
    assert passed.mean() < 100
    assert (met >= CHUNK).all()
    assert met.mean() < 0.6 * len(items)


def test_a_query_that_excludes_its_best_still_ends(rng):
    items, asked = long_tailed(rng, 6000, 16), floats(rng, 6, 16)
    order = np.argsort(-(asked @ items.T), axis=1)[:, :500]
    found = pruned(items, asked, 10, excluded=order.tolist())
    assert_same(found, plain(items, asked, 10, excluded=order.tolist()))
    assert found[2].max() < 1000


def test_an_impatient_query_is_given_up_and_says_so(rng):
    items = np.ones((5000, 4), dtype=np.float32)
    items[:2000, 0] = rng.random(2000).astype(np.float32) + 5
    asked = np.array([[1, 0, 0, 0], [0, 1, 0, 0]], dtype=np.float32)
    rows, _, passed, _ = pruned(items, asked, 5, patience=300)
    # By the second all items are equal, so that each may be among the best; by the first, just some are near.
    assert passed[0] <= 300 < passed[1]
    assert rows[0].tolist() == np.argsort(-items[:, 0], kind="stable")[:5].tolist()


def test_what_the_bytes_say_is_as_near_to_the_score_as_promised(rng):
    items, asked = long_tailed(rng, 3 * CHUNK - 5, 19), floats(rng, 12, 19) ** 3
    sketch = sketched(items)
    steps = -(-19 // FOUR)
    words, shapes = np.zeros((12, steps), np.int32), np.zeros((12, 3))
    shifts = np.zeros(12, np.int64)
    sketch_queries(asked, words, shapes, shifts)
    of_queries = words.view(np.int8).astype(np.int64)
    of_items = sketch.bytes.reshape(-1, steps, PAIR // WIDTH, WIDTH, FOUR).transpose(0, 2, 3, 1, 4)
    of_items = of_items.reshape(-1, steps * FOUR)[: len(items)].astype(np.int64)
    sums = of_queries @ of_items.T
    scores = all_scores(items, asked)[:, sketch.order]
    np.testing.assert_array_equal(sketch.places[sketch.order], np.arange(len(items)))
    np.testing.assert_array_equal(sketch.vectors, items[sketch.order])
    nearness = []
    for query in range(len(asked)):
        for chunk in range(len(sketch.scales)):
            part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
            said = shapes[query, 0] * sketch.scales[chunk] * (sums[query, part] - shifts[query])
            slack = slack_of(sketch, chunk, shapes[query], 19)
            away = np.abs(scores[query, part] - said)
            assert (away <= slack).all()
            nearness.append(away.max() / slack)
            for wanted in scores[query, part][::100]:
                least = least_sum(float(wanted), sketch, chunk, shapes[query], shifts[query], 19)
                assert (sums[query, part][scores[query, part] >= wanted] >= least).all()
    # The worst case is never met, but the promise is no idle one either.
    assert 0.2 < max(nearness) <= 1


@pytest.mark.parametrize("instruction", [False, True])
def test_products_of_bytes_with_and_without_the_instruction(rng, monkeypatch, instruction):
    if instruction and not byte_lanes.has_byte_products():
        pytest.skip("this processor has no instruction for products of bytes")
    monkeypatch.setattr(byte_lanes, "has_byte_products", lambda: instruction)

    @numba.njit
    def products(items, words, sums):
        store_sums(sums, 0, add_products(load_bytes(items, 0), spread_word(words, 1), spread_word(words, 2)))
        return at_least(sums, 0, sums[3])

    items = rng.integers(0, 256, 64).astype(np.uint8)
    items[:4] = 255
    query = np.array([-128, 127, -128, -1], dtype=np.int8)
    words = np.array([7, query.view(np.int32)[0], -5], dtype=np.int32)
    sums = np.zeros(16, dtype=np.int32)
    bits = products(items, words, sums)
    expected = items.reshape(16, 4).astype(int) @ query.astype(int) - 5
    assert sums.tolist() == expected.tolist()
    assert bits == sum(1 << lane for lane in range(16) if expected[lane] >= expected[3])


def test_the_lowest_bit(rng):
    @numba.njit
    def found(bits):
        return lowest(bits)

    assert [found(bits) for bits in (1, 6, 1 << 31, 0b1010000)] == [0, 1, 31, 4]


@pytest.mark.parametrize(
    ("name", "features", "expected"),
    [("generic", None, False), (None, "+avx2,+avx512vnni", True), (None, "+avx2", False), (None, "", False)],
)
def test_code_for_other_processors_goes_without_the_instruction(monkeypatch, name, features, expected):
    monkeypatch.setattr(byte_lanes.config, "CPU_NAME", name)
    monkeypatch.setattr(byte_lanes.config, "CPU_FEATURES", features)
    assert byte_lanes.has_byte_products() is expected


@pytest.mark.parametrize("swapped", [False, True])
def test_what_is_lost_between_two_bytes_is_allowed_for(swapped):
    # The first is 127 and 0 in whole numbers, the second 0 and 127, so the bytes say 0; the score is 0.49 · 127.
    one, other = np.array([[[127, 0.49]], [[0, 127]]], dtype=np.float32)[:: -1 if swapped else 1]
    sketch, shapes = sketched(other), np.zeros((1, 3))
    words, shifts = np.zeros((1, 1), np.int32), np.zeros(1, np.int64)
    sketch_queries(one, words, shapes, shifts)
    assert slack_of(sketch, 0, shapes[0], 2) == pytest.approx(0.49 * 127, abs=0.02)  # and rounding
    assert -3 < least_sum(0.49 * 127, sketch, 0, shapes[0], shifts[0], 2) - shifts[0] <= 0


def test_a_query_goes_on_while_the_longest_item_left_could_tie():
    # The first chunk's items are long and score 1; behind it are one that ties, in a lower row, and one that is better.
    items = np.zeros((2 * CHUNK, 2), dtype=np.float32)
    items[1 : CHUNK + 1] = 1, 9
    items[0] = 1, 0
    asked = np.array([[1, 0]], dtype=np.float32)
    assert pruned(items, asked, 3)[0].tolist() == [[0, 1, 2]]
    items[-1] = 1.02, 0
    assert pruned(items, asked, 3)[0].tolist() == [[2 * CHUNK - 1, 0, 1]]


def test_a_list_that_the_first_chunk_cannot_fill_takes_what_comes(rng):
    items, asked = long_tailed(rng, 3 * CHUNK, 12), floats(rng, 9, 12)
    opened = np.zeros(len(items), dtype=bool)
    opened[np.argsort(-np.linalg.norm(items, axis=1))[CHUNK - 6 :]] = True
    assert_same(pruned(items, asked, 30, opened=opened), plain(items, asked, 30, opened=opened))
