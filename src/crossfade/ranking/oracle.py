"""Candidates and pages of one user in plain NumPy: the readable forms of the kernels in `crossfade.ranking.jitted`."""

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import CSR
from crossfade.core.ids import Rows
from crossfade.ranking.jitted import Ints, Longs, Pairs, Points, Rules, Tables


def candidates(
    user: int, seeds: CSR, best: Ints, familiar: tuple[Longs, Longs], played: tuple[Longs, Ints], tables: Tables
) -> list[tuple[int, int, float]]:
    """Return the candidates of ``user`` in the order of their proposal: item, root and closeness."""
    rows, weights = seeds.indices[seeds.of(user)], seeds.values[seeds.of(user)]
    closeness = np.zeros(len(tables.related))
    for seed, weight in zip(rows, weights, strict=True):
        listed = tables.related[seed] >= 0
        closeness[tables.related[seed][listed]] += weight * tables.related_scores[seed][listed]
    known, history = (rows[slice(*indptr[user : user + 2])] for indptr, rows in (familiar, played))
    roots = np.concatenate([*tables.related[rows], best[user]])
    return [
        (int(item), root, float(closeness[root]))
        for root in dict.fromkeys(roots[roots >= 0].tolist())
        if tables.variants[root] not in known and tables.last[root] not in known
        for item in tables.children[root]
        if item >= 0 and item not in history
    ]


def page(
    user: int, pairs: Pairs, seeds: CSR, seed_points: Ints, tables: Tables, items: Points, roots: Points, rules: Rules
) -> list[tuple[int, int, float]]:
    """Return the page of ``user``: place in ``pairs``, place of the reason in ``seeds``, and value."""
    first, last = pairs.indptr[user : user + 2]
    rows, weights = seeds.indices[seeds.of(user)], seeds.values[seeds.of(user)]
    units, seed_units = laid_out(items, pairs.points), laid_out(roots, seed_points[seeds.of(user)])
    uses = np.zeros(len(rows), dtype=np.int64)
    waiting = list(first + np.argsort(-pairs.scores[first:last], kind="stable"))
    pool: list[int] = []
    chosen: list[int] = []
    entries: list[tuple[int, int, float]] = []
    while len(chosen) < rules.size:
        pool += [waiting.pop(0) for _ in range(min(rules.pool - len(pool), len(waiting)))]
        if not pool:
            break
        likeness = np.maximum(units[pool] @ units[chosen].T, 0).max(axis=1, initial=0.0)
        values = (1 - rules.diversity) * pairs.scores[pool] - rules.diversity * likeness
        value, pair = float(values.max()), pool.pop(int(values.argmax()))
        if np.count_nonzero(pairs.variants[chosen] == pairs.variants[pair]) >= rules.per_root:
            continue
        closeness = (seed_units @ laid_out(roots, pairs.root_points[[pair]]).T)[:, 0]
        closeness[closeness <= rules.threshold] = 0
        listed = tables.related[rows] == pairs.roots[pair]
        closeness[listed.any(axis=1)] = tables.related_scores[rows][listed]
        strengths = np.where(uses < rules.per_reason, weights * closeness, 0)
        if strengths.max(initial=0.0) <= 0:
            continue
        reason = int(strengths.argmax())
        uses[reason] += 1
        chosen.append(pair)
        lowest = min(value, entries[-1][2] if entries else np.inf)
        entries.append((int(pair), int(seeds.indptr[user]) + reason, lowest))
    return entries


def laid_out(points: Points, rows: Rows) -> npt.NDArray[np.float32]:
    """Return the points (n, width) at the lengths of their scales; zeros for a row that does not exist."""
    vectors = points.vectors[rows, : points.width]
    lengths = np.linalg.norm(vectors, axis=1)
    scales = np.where((rows >= 0) & (lengths > 0), points.scales[rows] / np.where(lengths > 0, lengths, 1), 0)
    return (vectors * scales[:, None]).astype(np.float32)
