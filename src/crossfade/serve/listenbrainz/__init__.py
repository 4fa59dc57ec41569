"""The ListenBrainz API, so that a player submits to Crossfade by changing one address."""
