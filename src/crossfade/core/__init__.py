"""The words of Crossfade as types. Everything above speaks in these; they know of nothing above."""
