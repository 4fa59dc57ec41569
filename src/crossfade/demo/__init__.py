"""A simulated world to try everything on: its own artists, listeners, playlists, and years of listening.

`crossfade.demo.world` makes it, `crossfade.demo.importing` imports it, `crossfade.demo.report` compares it
with published figures, and `crossfade.demo.truth` keeps the taste behind it for evaluation.
"""
