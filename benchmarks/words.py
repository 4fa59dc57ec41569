"""What our word2vec and our cultural model take beside the libraries behind them, alone.

    python -m benchmarks.words --sequences 20000 --items 5000

word2vec trains with a kernel of its own, whose results don't depend on the number of threads. gensim gets the same
sequences as lists of texts and the same settings, with one thread and with as many as there are, where no two of its
fits are alike. The cultural model stands beside scikit-learn's TfidfVectorizer and TruncatedSVD on the same texts,
which merge no spellings and know no names.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.record import Comparison
from benchmarks.turns import take_turns
from crossfade.core.ids import Ids
from crossfade.core.sequences import Sequences
from crossfade.core.texts import Texts
from crossfade.core.writings import Writings
from crossfade.models.cultural import Cultural
from crossfade.models.word2vec import Word2Vec, Word2VecSettings

GROUP = 50
"""Items that keep company."""

SETTINGS = Word2VecSettings(epochs=3)


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sequences", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--factors", type=int, default=64, help="of the cultural model")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison for each model."""
    rng = np.random.default_rng(0)
    comparisons = [compare_sequences(made_sequences(chosen, rng), chosen)]
    versions, skipped = {"gensim": version("gensim")}, {}
    written = made_writings(chosen.items, rng)
    works: dict[str, Callable[[], object]] = {"crossfade": lambda: Cultural(factors=chosen.factors).fit(written)}
    try:
        works["scikit-learn"] = alone_cultural(written, chosen.factors)
        versions["scikit-learn"] = version("scikit-learn")
    except ImportError as error:
        skipped["scikit-learn"] = str(error)
    comparisons.append(compared("cultural", works, chosen.turns, {"texts": len(written), "items": chosen.items}))
    return Findings(comparisons=comparisons, versions=versions, skipped=skipped)


def made_sequences(chosen: argparse.Namespace, rng: np.random.Generator) -> Sequences:
    """Sequences of 10 to 40 items, each of one group, the first items of a group more often than the last."""
    lengths = rng.integers(10, 41, chosen.sequences)
    groups = np.repeat(rng.integers(chosen.items // GROUP, size=chosen.sequences), lengths)
    within = np.minimum(rng.geometric(0.06, len(groups)) - 1, GROUP - 1)
    return Sequences(
        kind="track",
        item_ids=numbered(chosen.items),
        indptr=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        indices=(groups * GROUP + within).astype(np.int32),
    )


def made_writings(items: int, rng: np.random.Generator) -> Writings:
    """Eight tags of each item, most of its group's forty, some of anybody's four hundred."""
    rows = np.repeat(np.arange(items, dtype=np.int32), 8)
    own = rng.random(len(rows)) < 0.7
    words = np.where(
        own, 1000 + (rows // GROUP) * 40 + rng.integers(40, size=len(rows)), rng.integers(400, size=len(rows))
    )
    return Writings(
        kind="artist",
        item_ids=numbered(items),
        names=Texts.of([f"artist {row}" for row in range(items)]),
        sources=np.zeros(len(rows), dtype=np.uint8),
        items=rows,
        counts=rng.geometric(0.3, len(rows)),
        texts=Texts.of([f"word{word}" for word in words]),
    )


def compare_sequences(sequences: Sequences, chosen: argparse.Namespace) -> Comparison:
    from gensim.models import Word2Vec as Alone

    texts = [list(map(str, sequences.of(row).tolist())) for row in range(len(sequences))]

    def alone(workers: int) -> object:
        settings = asdict(SETTINGS)
        return Alone(
            texts,
            vector_size=settings["factors"],
            window=settings["window"],
            sg=1,
            negative=settings["negative"],
            ns_exponent=settings["negative_exponent"],
            sample=settings["subsampling"],
            min_count=settings["least_count"],
            epochs=settings["epochs"],
            workers=workers,
        )

    threads = max(chosen.threads)
    works: dict[str, Callable[[], object]] = {
        "crossfade": lambda: Word2Vec(SETTINGS).fit(sequences, threads=threads),
        "crossfade, 1 thread": lambda: Word2Vec(SETTINGS).fit(sequences, threads=1),
        "gensim, 1 thread": lambda: alone(1),
        f"gensim, {threads} threads": lambda: alone(threads),
    }
    what = {"sequences": len(sequences), "tokens": len(sequences.indices), "epochs": SETTINGS.epochs}
    return compared("word2vec", works, chosen.turns, what)


def alone_cultural(written: Writings, factors: int) -> Callable[[], object]:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    documents: list[list[str]] = [[] for _ in written.item_ids]
    for item, text in zip(written.items, written.texts, strict=True):
        documents[int(item)].append(text)
    joined = [" ".join(texts) for texts in documents]
    return lambda: TruncatedSVD(factors, random_state=0).fit_transform(TfidfVectorizer(min_df=3).fit_transform(joined))


def compared(name: str, works: dict[str, Callable[[], object]], turns: int, what: dict[str, int]) -> Comparison:
    taken = take_turns(works, turns)
    sides = [one.side(who, "ours" if who.startswith("crossfade") else "peer") for who, one in taken.items()]
    return Comparison(name=name, unit="a fit", what=what, sides=sides)


def numbered(count: int) -> Ids:
    return Ids.of(f"{row:07d}" for row in range(count))


if __name__ == "__main__":
    run_case(__doc__, options, measure, turns=3)
