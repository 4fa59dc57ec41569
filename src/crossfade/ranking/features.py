"""Features: the columns of candidates that scorers read.

A model's column, called by its name, is the model's own score of the pair, exact, for the profile of the user: the one
that the model was fitted with, or that of the history for a user whom the model has not seen
(`crossfade.models.by_rows`).
"""

POPULARITY = "popularity"
"""The column of `crossfade.ranking.popularity.popularity`."""
