"""One listener's history: what is played next, whether it is skipped, and when the listener has had enough.

Choice. A play repeats with probability 1 - novelty or explores. A repeat copies an earlier finished play at
distance d back, P(d) ∝ 1 / (d + 1): copying by recency, in which frequent tracks win by standing there often
(Anderson, Kumar, Tomkins & Vassilvitskii, "The dynamics of repeat consumption", WWW 2014). What was on a moment
ago, or does not suit the moment, gives way to any earlier play. Exploring draws an artist with probability
∝ Σₖ shareₖ exp(-d² / 2·breadth²) · popularity^mainstream · match(context), and one of the artist's released tracks
∝ popularity · match(context), new releases first.

Skipping. P(skip) = σ(bias - 3.2 · fit + 0.7 · [not from memory] + 0.5 · times among the last 20 plays
+ 0.6 · (1 - match) + what the source and the moment add); the place of a skip is drawn from the published curve of
streaming skips (Lamere, "The Skip", 2014), half of them within five seconds.

Leaving. Satisfaction is the moving average of plays heard through; after each session the listener leaves with
hazard churn · exp(-6 · (satisfaction - 0.5)) a day.

Cost: O(events · (log artists + tracks of an artist)); `artist_weights` is O(interests · artists · dimensions).
"""

import math

import numpy as np
import numpy.typing as npt

from crossfade.kernels.compile import jit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

LIBRARY, SEARCH, ALBUM, PLAYLIST, RADIO = range(5)
"""Where a session's tracks come from."""

UNIFORMS = 12
"""Random numbers that one event may use."""

NEW_SECONDS = 45 * 86_400.0  # a release is pushed for some six weeks
NEW_BOOST = 4.0
"""How much likelier a track is while it is new."""


@jit
def artist_weights(
    interests: Floats, shares: Floats, breadth: float, mainstream: float, artists: Floats, log_popularity: Floats
) -> tuple[Floats, Floats]:
    """A listener's unnormalised choice weights and fit, (artists,) each.

    With d(k, i) the distance from ``interests`` (k, dimensions) to ``artists`` (artists, dimensions):
    weight = Σₖ shareₖ · exp(-d² / 2·breadth²) · exp(mainstream · log popularity) and
    fit = maxₖ exp(-d² / 2·(2·breadth)²), which is 1 at the heart of an interest and 0 far from all.
    """
    weights = np.empty(len(artists))
    fit = np.empty(len(artists))
    for artist in range(len(artists)):
        total, nearest = 0.0, np.inf
        for interest in range(len(interests)):
            squared = 0.0
            for dimension in range(artists.shape[1]):
                gap = interests[interest, dimension] - artists[artist, dimension]
                squared += gap * gap
            total += shares[interest] * math.exp(-squared / (2.0 * breadth * breadth))
            if shares[interest] > 0.0:
                nearest = min(nearest, squared)
        weights[artist] = (total + 1e-7) * math.exp(mainstream * log_popularity[artist])
        fit[artist] = math.exp(-nearest / (8.0 * breadth * breadth))
    return weights, fit


@jit
def recency_distance(count: int, uniform: float) -> int:
    """A distance 0 to count - 1 with P(d) ∝ 1 / (d + 1) in its continuous form: count^u - 1, rounded down."""
    return min(count - 1, int(math.exp(uniform * math.log(count + 1.0))) - 1)


@jit
def pick_track(
    artist: int,
    now: float,
    context: int,
    uniform: float,
    first_track: Ints,
    released: Floats,
    weights: Floats,
    match: Floats,
) -> int:
    """One of the artist's tracks that are out, or -1. ``released`` is ascending within the artist."""
    total = 0.0
    last = first_track[artist]
    for track in range(first_track[artist], first_track[artist + 1]):
        if released[track] > now:
            break
        last = track + 1
        total += weights[track] * match[context, track] * (NEW_BOOST if now - released[track] < NEW_SECONDS else 1.0)
    wanted = uniform * total
    for track in range(first_track[artist], last):
        wanted -= weights[track] * match[context, track] * (NEW_BOOST if now - released[track] < NEW_SECONDS else 1.0)
        if wanted < 0.0:
            return track
    return last - 1 if last > first_track[artist] else -1


@jit
def heard_of_skip(uniform: float, length: float) -> float:
    """How many of a skipped track's ``length`` seconds were heard.

    Half of the skips fall in the first 5 s, 0.6 by 10 s, 0.72 by 30 s; the rest spread evenly to the end.
    """
    if uniform < 0.497:
        heard = 5.0 * uniform / 0.497
    elif uniform < 0.596:
        heard = 5.0 + 5.0 * (uniform - 0.497) / 0.099
    elif uniform < 0.721:
        heard = 10.0 + 20.0 * (uniform - 0.596) / 0.125
    else:
        heard = 30.0 + (length - 30.0) * (uniform - 0.721) / 0.279
    return min(heard, 0.98 * length)


@jit
def listen(
    starts: Floats,
    lengths: Ints,
    contexts: Ints,
    modes: Ints,
    chosen_playlists: Ints,
    uniforms: Floats,
    memory: Floats,
    cumulative: Floats,
    fit: Floats,
    novelty: float,
    bias: float,
    churn: float,
    first_track: Ints,
    artist_of: Ints,
    album_end: Ints,
    released: Floats,
    seconds: Floats,
    weights: Floats,
    match: Floats,
    mode_bias: Floats,
    context_bias: Floats,
    similar: Ints,
    playlist_first: Ints,
    playlist_tracks: Ints,
) -> tuple[Ints, Floats, Floats, Ints, float, float]:
    """Play through the sessions of one listener.

    starts, lengths   (sessions,) seconds, ascending; most plays of the session
    contexts, modes   (sessions,) row of ``match`` and ``cumulative``; one of LIBRARY, SEARCH, …
    chosen_playlists  (sessions,) a row of ``playlist_first``, -1 where the session plays none
    uniforms          (≥ sum of lengths, UNIFORMS) in [0, 1)
    memory            (known, 2) in [0, 1): tracks that the listener knows from before, each drawn as if exploring
    cumulative        (contexts, artists) running sums of the choice weights
    fit               (artists,) 0 to 1
    first_track       (artists + 1,) where an artist's tracks begin; ``artist_of``, ``album_end`` (the row past the
                      track's album), ``released``, ``seconds``, ``weights`` are by track, ``match`` (contexts, tracks)
    mode_bias, context_bias   added to the log odds of a skip, by mode and by context
    similar           (artists, neighbours), nearest first, for the radio
    playlist_first, playlist_tracks   compressed rows

    Returns for each play its track, start (s), seconds heard and session; then when the listener left (inf: never)
    and the satisfaction at the end.
    """
    most = len(uniforms)
    tracks, begun = np.empty(most, dtype=np.int32), np.empty(most)
    heard, session_of = np.empty(most), np.empty(most, dtype=np.int32)
    finished = np.empty(most + len(memory), dtype=np.int32)  # the tracks heard through, oldest first
    plays, done = 0, 0
    for known in range(len(memory) if len(starts) > 0 else 0):
        wanted = memory[known, 0] * cumulative[0, -1]
        artist = min(np.searchsorted(cumulative[0], wanted, side="right"), len(fit) - 1)
        track = pick_track(artist, starts[0], 0, memory[known, 1], first_track, released, weights, match)
        if track >= 0:
            finished[done] = track
            done += 1
    clock, satisfaction, left_at = -np.inf, 0.6, np.inf
    for session in range(len(starts)):
        if starts[session] < clock:
            continue  # still listening to the session before
        idle = min(starts[session] - clock, 14 * 86_400.0) / 86_400.0
        # Whoever is dissatisfied leaves rather than comes back: the hazard works over the pause before a session.
        if session > 0 and uniforms[plays, 7] < 1.0 - math.exp(-churn * idle * math.exp(-6.0 * (satisfaction - 0.5))):
            left_at = clock
            break
        clock = starts[session]
        context, mode = contexts[session], modes[session]
        following, seed_artist, skips_in_a_row, begin = -1, -1, 0, plays
        entry = playlist_first[chosen_playlists[session]] if chosen_playlists[session] >= 0 else 0
        for _ in range(lengths[session]):
            u = uniforms[plays]
            track, outside = -1, False
            repeats = done > 0 and u[0] >= novelty * (1.8 if mode == SEARCH else 1.0)
            if mode == PLAYLIST and chosen_playlists[session] >= 0:
                listed = chosen_playlists[session]
                size = playlist_first[listed + 1] - playlist_first[listed]
                if plays == begin:
                    entry = playlist_first[listed] + int(u[1] * size)
                elif plays - begin >= size:
                    break  # played through
                elif entry >= playlist_first[listed + 1]:
                    entry = playlist_first[listed]
                if size > 0:
                    track = playlist_tracks[entry]
                    entry += 1
                    if released[track] > clock:
                        track = -1  # added to the playlist later on
            elif mode == ALBUM and following >= 0 and following < album_end[following - 1]:
                track = following
                if released[track] > clock:
                    track = -1
            elif mode == RADIO and seed_artist >= 0:
                similar_artist = similar[seed_artist, int(u[1] * u[1] * similar.shape[1])]
                track = pick_track(similar_artist, clock, context, u[3], first_track, released, weights, match)
                outside = True
            if track < 0 and repeats:
                for attempt in range(3):
                    # Recently heard first; then, where that has just been on or does not suit, further back.
                    back = recency_distance(done, u[1]) if attempt == 0 else int(u[8 + attempt] * done)
                    track = finished[done - 1 - back]
                    stale = False
                    for place in range(1, min(12, plays - begin) + 1):
                        stale = stale or tracks[plays - place] == track
                    if not stale and u[10 + attempt % 2] < match[context, track]:
                        break
                    if attempt == 2 and match[context, track] < 0.2:
                        track = -1  # nothing known suits the moment: look for something new
            if track < 0:
                for attempt in range(2):
                    wanted = u[1 + attempt] * cumulative[context, -1]
                    artist = min(np.searchsorted(cumulative[context], wanted, side="right"), len(fit) - 1)
                    track = pick_track(artist, clock, context, u[3], first_track, released, weights, match)
                    if track >= 0:
                        break
                outside = True
                if track < 0:
                    break
            artist = artist_of[track]
            if mode == RADIO and seed_artist < 0:
                seed_artist = artist
            if mode == ALBUM and (following < 0 or following >= album_end[following - 1]):
                # From the album's first track on, whichever track brought it to mind.
                while track > first_track[artist] and album_end[track - 1] == album_end[track]:
                    track -= 1
            following = track + 1
            odds = bias + mode_bias[mode] + context_bias[context] - 3.2 * fit[artist]
            if outside:
                odds += 0.7
            for back in range(1, min(20, plays) + 1):
                if tracks[plays - back] == track:
                    odds += 0.5
            # A track that does not suit the moment is skipped sooner.
            odds += 0.6 * (1.0 - min(1.0, match[context, track]))
            length = seconds[track]
            skipped = u[4] < 1.0 / (1.0 + math.exp(-odds))
            tracks[plays], begun[plays], session_of[plays] = track, clock, session
            heard[plays] = heard_of_skip(u[5], length) if skipped else length
            clock += heard[plays] + 0.4 + 2.5 * u[6] * u[6]
            satisfaction += 0.02 * ((0.0 if skipped else 1.0) - satisfaction)
            skips_in_a_row = skips_in_a_row + 1 if skipped else 0
            if not skipped:
                finished[done] = track
                done += 1
                if mode == RADIO and u[7] < 0.15:
                    seed_artist = artist
            plays += 1
            if skips_in_a_row >= 9:
                break  # nothing pleases today
    return tracks[:plays], begun[:plays], heard[:plays], session_of[:plays], left_at, satisfaction
