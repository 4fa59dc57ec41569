"""Candidates and pages of one user in plain NumPy: the readable forms of the kernels in `crossfade.ranking.jitted`."""

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import Rows
from crossfade.ranking.jitted import Asked, Pairs, Points, Rules, Seeds, Tables


def candidates(user: int, asked: Asked, tables: Tables) -> list[tuple[int, int, float]]:
    """Return the candidates of ``user`` in the order of their proposal: item, root and closeness."""
    span = slice(*asked.seed_indptr[user : user + 2])
    seeds, weights = asked.seeds[span], asked.weights[span]
    closeness = np.zeros(len(tables.related))
    for seed, weight in zip(seeds, weights, strict=True):
        listed = tables.related[seed] >= 0
        closeness[tables.related[seed][listed]] += weight * tables.related_scores[seed][listed]
    familiar = asked.familiar[slice(*asked.familiar_indptr[user : user + 2])]
    played = asked.played[slice(*asked.played_indptr[user : user + 2])]
    roots = np.concatenate([*tables.related[seeds], asked.best[user]])
    return [
        (int(item), root, float(closeness[root]))
        for root in dict.fromkeys(roots[roots >= 0].tolist())
        if tables.variants[root] not in familiar
        for item in tables.children[root]
        if item >= 0 and item not in played
    ]


def page(
    user: int, pairs: Pairs, seeds: Seeds, tables: Tables, items: Points, roots: Points, rules: Rules
) -> list[tuple[int, float, int, int]]:
    """Return the page of ``user``: item, value, reason and plays of the reason."""
    span, seed_span = slice(*pairs.indptr[user : user + 2]), slice(*seeds.indptr[user : user + 2])
    scores, groups = pairs.scores[span], pairs.groups[span]
    units, root_units = laid_out(items, pairs.points[span]), laid_out(roots, pairs.root_points[span])
    seed_rows, plays, weights = seeds.rows[seed_span], seeds.plays[seed_span], seeds.weights[seed_span]
    seed_units = laid_out(roots, seeds.points[seed_span])
    uses = np.zeros(len(seed_rows), dtype=np.int64)
    waiting = list(np.argsort(-scores, kind="stable"))
    pool: list[int] = []
    page: list[int] = []
    entries: list[tuple[int, float, int, int]] = []
    while len(page) < rules.size:
        pool += [waiting.pop(0) for _ in range(min(rules.pool - len(pool), len(waiting)))]
        if not pool:
            break
        likeness = np.maximum(units[pool] @ units[page].T, 0).max(axis=1, initial=0.0)
        values = (1 - rules.diversity) * scores[pool] - rules.diversity * likeness
        value = float(values.max())
        chosen = pool.pop(int(values.argmax()))
        if np.count_nonzero(groups[page] == groups[chosen]) >= rules.per_root:
            continue
        close = [
            closeness(seed, int(pairs.roots[span][chosen]), tables, float(unit @ root_units[chosen]), rules.threshold)
            for seed, unit in zip(seed_rows, seed_units, strict=True)
        ]
        strengths = np.where(uses < rules.per_reason, weights * np.array(close, dtype=np.float32), 0)
        if strengths.max(initial=0.0) <= 0:
            continue
        reason = int(strengths.argmax())
        uses[reason] += 1
        page.append(chosen)
        lowest = min(value, entries[-1][1] if entries else np.inf)
        entries.append((int(pairs.items[span][chosen]), lowest, int(seed_rows[reason]), int(plays[reason])))
    return entries


def closeness(seed: int, root: int, tables: Tables, near: float, threshold: float) -> float:
    """Return the closeness of ``seed`` and ``root``, whose points are ``near`` each other; 0 if they are not close."""
    listed = np.flatnonzero(tables.related[seed] == root)
    if listed.size:
        return float(tables.related_scores[seed][listed[0]])
    return near if near > threshold else 0.0


def laid_out(points: Points, rows: Rows) -> npt.NDArray[np.float32]:
    """Return the points (n, width) at the lengths of their scales; zeros for a row that does not exist."""
    vectors = points.vectors[rows, : points.width]
    lengths = np.linalg.norm(vectors, axis=1)
    scales = np.where((rows >= 0) & (lengths > 0), points.scales[rows] / np.where(lengths > 0, lengths, 1), 0)
    return (vectors * scales[:, None]).astype(np.float32)
