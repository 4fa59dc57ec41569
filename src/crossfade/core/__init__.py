"""The vocabulary of Crossfade as types, used by every other room; this one imports no other."""
