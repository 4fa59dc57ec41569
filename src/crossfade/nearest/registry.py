"""The indexes by name. A new one is a file in this room and a line here."""

BACKENDS: dict[str, str] = {
    "exact": "crossfade.nearest.exact:ExactIndex",
    "clusters": "crossfade.nearest.clusters:ClusterIndex",
    "forest": "crossfade.nearest.forest:ForestIndex",
    "graph": "crossfade.nearest.graph:GraphIndex",
}
"""The class of each, as "module:class"; imported only when it is used."""
