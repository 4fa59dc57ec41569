"""Places by t-SNE."""

import numpy as np

from crossfade.surfaces.tsne import places_of


def test_places_keep_the_distances_of_what_lies_in_a_plane():
    """Three groups of vectors: distances on the map order as the cosines do."""
    rng = np.random.default_rng(3)
    vectors = np.repeat(np.eye(3), 5, axis=0) + rng.normal(0, 0.1, (15, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    places = places_of(vectors)
    group = np.repeat(np.arange(3), 5)
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2)
    assert gaps[group[:, None] == group].max() < gaps[group[:, None] != group].min()
    np.testing.assert_array_equal(places, places_of(vectors))
