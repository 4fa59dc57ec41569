"""Audioscrobbler 1.2 and 2.0, for players that know nothing else."""
