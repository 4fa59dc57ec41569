"""The map of genres: a tree of families with neighbours across it, and the traits that their music has.

A genre's place in taste space is

    centre(g) = family(g) + 0.55 · own(g) + 0.25 · mean over g's neighbours n of (family(n) + 0.55 · own(n) - family(g))

with family and own fixed random directions of length 1, so that genres of one family lie near each other, and
neighbours (jazz rap and bebop) nearer than their families would say. The map is the same in every world.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

DIMENSIONS = 12
"""Width of every latent vector."""

_MAP_SEED = 53


@dataclass(frozen=True)
class Genre:
    """One leaf of the tree.

    tempo       beats a minute, where its tracks centre
    energy      0 (hushed) to 1 (furious)
    brightness  0 (dark) to 1 (sunny)
    minutes     length of its typical track
    year        in which its typical artist began
    share       how much of all listening it draws, relative to the others
    synonyms    what people also write when they tag it
    neighbours  genres of other families, or close ones of its own, that its listeners drift to
    """

    name: str
    family: str
    tempo: float
    energy: float
    brightness: float
    minutes: float
    year: int
    share: float
    synonyms: tuple[str, ...]
    neighbours: tuple[str, ...]


def _genres(family: str, *rows: tuple[str, float, float, float, float, int, float, str, str]) -> list[Genre]:
    return [
        Genre(name, family, tempo, energy, brightness, minutes, year, share, _listed(synonyms), _listed(neighbours))
        for name, tempo, energy, brightness, minutes, year, share, synonyms, neighbours in rows
    ]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


# name, tempo, energy, brightness, minutes, year, share, synonyms, neighbours
GENRES: tuple[Genre, ...] = tuple(
    _genres(
        "rock",
        ("indie rock", 126, 0.66, 0.55, 3.7, 2006, 9.0, "indie, indierock", "dream pop, alt-country"),
        ("classic rock", 122, 0.70, 0.60, 4.2, 1972, 7.0, "70s rock, oldies", "electric blues, psychedelic rock"),
        ("punk", 172, 0.93, 0.50, 2.3, 1985, 3.5, "punk rock, hardcore", "grunge, indie rock"),
        ("grunge", 118, 0.82, 0.28, 4.0, 1992, 3.0, "90s alternative, alternative", "punk, doom metal"),
        ("psychedelic rock", 112, 0.58, 0.52, 5.1, 1974, 2.5, "psych, psych rock", "classic rock, dub"),
        ("post-rock", 108, 0.52, 0.30, 7.0, 2005, 1.6, "postrock, instrumental rock", "ambient, minimalism"),
    )
    + _genres(
        "metal",
        ("heavy metal", 138, 0.92, 0.36, 4.8, 1986, 3.5, "metal, nwobhm", "classic rock"),
        (
            "black metal",
            164,
            0.95,
            0.08,
            6.2,
            1998,
            1.3,
            "blackmetal, atmospheric black metal",
            "doom metal, nordic folk",
        ),
        ("doom metal", 72, 0.72, 0.12, 7.6, 1999, 1.1, "doom, sludge", "black metal, post-rock"),
        ("progressive metal", 128, 0.86, 0.34, 6.4, 2001, 1.5, "prog metal, prog", "heavy metal, jazz fusion"),
    )
    + _genres(
        "pop",
        ("synth-pop", 120, 0.66, 0.68, 3.8, 1998, 7.0, "synthpop, electropop, 80s", "house, dance pop"),
        ("dream pop", 104, 0.42, 0.48, 4.2, 2008, 3.5, "dreampop, shoegaze", "indie rock, ambient"),
        ("dance pop", 124, 0.80, 0.82, 3.3, 2011, 11.0, "pop, dancepop, chart", "contemporary r&b, house"),
        ("bedroom pop", 98, 0.38, 0.58, 3.0, 2018, 4.0, "lo-fi pop, diy", "lo-fi hip hop, indie rock"),
    )
    + _genres(
        "electronic",
        ("house", 124, 0.80, 0.66, 5.6, 2007, 6.0, "deep house, house music", "techno, dance pop"),
        ("techno", 132, 0.86, 0.26, 6.6, 2008, 4.0, "techno music, club", "house, trance"),
        ("ambient", 76, 0.14, 0.42, 6.4, 2004, 3.0, "ambient music, drone", "minimalism, downtempo"),
        ("drum and bass", 174, 0.90, 0.38, 5.0, 2003, 2.5, "dnb, drum n bass, jungle", "techno, dub"),
        ("trance", 138, 0.84, 0.60, 6.8, 2002, 2.2, "psytrance, uplifting", "techno, house"),
        ("downtempo", 92, 0.36, 0.50, 4.8, 2005, 3.0, "chillout, trip hop", "ambient, jazz rap"),
    )
    + _genres(
        "hip hop",
        ("boom bap", 92, 0.66, 0.50, 3.8, 1996, 4.5, "hip-hop, hiphop, rap", "jazz rap, funk"),
        ("trap", 142, 0.72, 0.36, 3.0, 2016, 8.0, "trap music, rap", "contemporary r&b, boom bap"),
        ("lo-fi hip hop", 82, 0.28, 0.54, 2.4, 2018, 3.5, "lofi, chillhop, beats", "downtempo, bedroom pop"),
        ("jazz rap", 94, 0.54, 0.60, 3.9, 2001, 2.2, "jazzrap, conscious hip hop", "bebop, neo-soul"),
    )
    + _genres(
        "soul",
        ("classic soul", 108, 0.56, 0.70, 3.1, 1967, 3.5, "soul, northern soul, 60s", "funk, electric blues"),
        ("neo-soul", 90, 0.46, 0.60, 4.2, 2004, 3.0, "neosoul, nu soul", "jazz rap, contemporary r&b"),
        ("funk", 108, 0.78, 0.80, 4.6, 1975, 3.0, "funky, groove", "classic soul, afrobeat"),
        ("contemporary r&b", 100, 0.58, 0.58, 3.5, 2012, 6.0, "rnb, r&b", "trap, dance pop"),
    )
    + _genres(
        "jazz",
        ("bebop", 168, 0.60, 0.62, 5.6, 1958, 1.6, "jazz, bop, hard bop", "cool jazz"),
        ("cool jazz", 110, 0.34, 0.54, 5.4, 1961, 2.4, "jazz, smooth, late night jazz", "bossa nova, bebop"),
        ("jazz fusion", 118, 0.66, 0.60, 6.4, 1977, 1.5, "fusion, jazz-funk", "funk, progressive metal"),
    )
    + _genres(
        "classical",
        ("chamber music", 96, 0.26, 0.52, 6.0, 1988, 2.0, "classical, string quartet", "solo piano"),
        ("solo piano", 82, 0.16, 0.46, 4.0, 2006, 3.0, "piano, neoclassical", "ambient, minimalism"),
        ("minimalism", 112, 0.30, 0.48, 8.0, 1992, 1.2, "minimalist, contemporary classical", "ambient, post-rock"),
        ("choral", 70, 0.24, 0.50, 5.0, 1985, 1.0, "choir, sacred", "nordic folk, chamber music"),
    )
    + _genres(
        "folk",
        ("singer-songwriter", 104, 0.34, 0.50, 3.8, 2005, 5.0, "songwriter, acoustic", "indie rock, americana"),
        ("nordic folk", 98, 0.42, 0.34, 4.6, 2007, 1.0, "scandinavian folk, nordic", "celtic folk, black metal"),
        ("celtic folk", 118, 0.56, 0.66, 4.2, 1989, 1.5, "celtic, trad", "bluegrass, nordic folk"),
        ("americana", 106, 0.46, 0.54, 4.0, 2003, 2.5, "roots rock, roots", "alt-country, delta blues"),
    )
    + _genres(
        "country",
        ("classic country", 112, 0.48, 0.60, 3.0, 1970, 3.0, "country, honky tonk", "bluegrass"),
        ("alt-country", 110, 0.54, 0.46, 4.0, 2000, 1.6, "altcountry, alternative country", "americana, indie rock"),
        ("bluegrass", 148, 0.62, 0.72, 3.0, 1982, 1.2, "banjo, string band", "celtic folk, classic country"),
    )
    + _genres(
        "blues",
        (
            "delta blues",
            96,
            0.38,
            0.36,
            3.1,
            1952,
            1.0,
            "blues, country blues, acoustic blues",
            "americana, desert blues",
        ),
        (
            "electric blues",
            108,
            0.66,
            0.50,
            4.4,
            1969,
            1.8,
            "blues, blues rock, chicago blues",
            "classic rock, classic soul",
        ),
    )
    + _genres(
        "reggae",
        ("roots reggae", 76, 0.52, 0.74, 4.2, 1979, 3.0, "reggae, roots", "dub"),
        ("dub", 72, 0.46, 0.48, 5.0, 1984, 1.4, "dub reggae, bass", "downtempo, drum and bass"),
        ("dancehall", 98, 0.80, 0.80, 3.4, 2004, 2.4, "ragga, bashment", "trap, roots reggae"),
    )
    + _genres(
        "latin",
        ("bossa nova", 128, 0.30, 0.72, 3.2, 1966, 2.0, "bossa, brazilian", "cool jazz"),
        ("salsa", 184, 0.80, 0.90, 4.6, 1981, 2.4, "latin, salsa dura", "cumbia, afrobeat"),
        ("cumbia", 94, 0.70, 0.86, 3.8, 1990, 2.2, "latin, cumbias", "salsa, dub"),
        ("tango", 120, 0.46, 0.36, 4.0, 1971, 1.0, "tango argentino, nuevo tango", "chamber music"),
    )
    + _genres(
        "african",
        ("afrobeat", 116, 0.80, 0.82, 7.0, 1983, 2.2, "afro, afro-funk", "funk, highlife"),
        ("highlife", 122, 0.68, 0.90, 5.2, 1976, 1.2, "palmwine, west african", "afrobeat"),
        ("desert blues", 104, 0.52, 0.46, 5.0, 2002, 1.0, "saharan, guitar, world", "delta blues, psychedelic rock"),
    )
)

INDEX = {genre.name: row for row, genre in enumerate(GENRES)}
FAMILIES = tuple(dict.fromkeys(genre.family for genre in GENRES))
FAMILY_OF: npt.NDArray[np.int64] = np.array([FAMILIES.index(genre.family) for genre in GENRES])


def trait(name: str) -> npt.NDArray[np.float64]:
    """One numeric trait of every genre, (genres,)."""
    return np.array([float(getattr(genre, name)) for genre in GENRES])


def centres() -> npt.NDArray[np.float64]:
    """Where each genre lies in taste space, (genres, DIMENSIONS) float64."""
    rng = np.random.default_rng(_MAP_SEED)
    families = _unit(rng.standard_normal((len(FAMILIES), DIMENSIONS)))
    own = 0.55 * _unit(rng.standard_normal((len(GENRES), DIMENSIONS)))
    alone = families[FAMILY_OF] + own
    drawn = np.stack([alone[[INDEX[other] for other in genre.neighbours]].mean(axis=0) for genre in GENRES])
    return alone + 0.25 * (drawn - families[FAMILY_OF])


def _unit(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # Plain sums rather than BLAS, whose order of addition depends on the machine.
    lengths: npt.NDArray[np.float64] = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    return vectors / lengths
