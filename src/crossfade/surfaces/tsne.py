"""t-SNE: places in the plane that keep each point close to those that are alike.

The chance that two points are neighbours by their vectors is p, and on the map

    qᵢⱼ = (1 + |yᵢ - yⱼ|²)⁻¹ / Σ over pairs k, l of (1 + |yₖ - yₗ|²)⁻¹

The places y make the Kullback-Leibler divergence of q from p small, by gradient descent from the two main axes of the
vectors. Cost: O(rounds · n²), for some hundreds of points.

van der Maaten & Hinton, "Visualizing data using t-SNE", JMLR 2008.
"""

import numpy as np
import numpy.typing as npt

PERPLEXITY = 10.0
"""Neighbours of a point, roughly."""

ROUNDS = 300
"""Steps of the descent; in the first third neighbours attract each other four times as much."""

Places = npt.NDArray[np.float64]


def places_of(vectors: Places) -> Places:
    """Return (n, 2) places from -1 to 1 of unit ``vectors`` (n, factors), the same each time."""
    count = len(vectors)
    if count < 3:
        return np.array([[0.0, 0.0], [1.0, 0.0]])[:count]
    wanted = _chances(np.clip(2.0 - 2.0 * vectors @ vectors.T, 0.0, None))
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    places = vectors @ axes[:, [-1, -2]]
    places *= np.sign(places[np.abs(places).argmax(axis=0), [0, 1]])  # axes have no sign of their own
    places *= 1e-2 / np.maximum(places.std(axis=0), 1e-9)
    moved, gain = np.zeros_like(places), np.ones_like(places)
    for number in range(ROUNDS):
        early = number < ROUNDS // 3
        squares = (places**2).sum(axis=1)
        near = 1.0 / (1.0 + np.maximum(squares[:, None] + squares - 2.0 * places @ places.T, 0.0))
        np.fill_diagonal(near, 0.0)
        pull = ((4.0 if early else 1.0) * wanted - near / near.sum()) * near
        slope = 4.0 * (pull.sum(axis=1)[:, None] * places - pull @ places)
        gain = np.where(np.sign(slope) != np.sign(moved), gain + 0.2, np.maximum(gain * 0.8, 0.01))
        moved = (0.5 if early else 0.8) * moved - max(count / 12.0, 10.0) * gain * slope
        places = places + moved
        places -= places.mean(axis=0)
    places -= (places.max(axis=0) + places.min(axis=0)) / 2
    spread: Places = np.round(places / max(float(np.abs(places).max()), 1e-9), 4)
    return spread


def _chances(squares: Places) -> Places:
    """(n, n) the chance that two are neighbours by their ``squares`` of distances; each has `PERPLEXITY` of them."""
    count = len(squares)
    target = np.log(min(PERPLEXITY, (count - 1) / 2))
    low, high, sharpness = np.zeros(count), np.full(count, np.inf), np.ones(count)
    for _ in range(40):  # halves the interval each time
        chances = np.exp(-squares * sharpness[:, None])
        np.fill_diagonal(chances, 0.0)
        chances /= np.maximum(chances.sum(axis=1, keepdims=True), 1e-300)
        entropy = -(chances * np.log(np.maximum(chances, 1e-300))).sum(axis=1)
        broad = entropy > target
        low, high = np.where(broad, sharpness, low), np.where(broad, high, sharpness)
        sharpness = np.where(np.isinf(high), 2.0 * sharpness, (low + high) / 2)
    both: Places = (chances + chances.T) / (2 * count)
    return both
