"""What is measured while serving, as Prometheus reads it at ``/metrics``: routes and times, never who asked for what.

Several processes of one server share their numbers through files in the directory that ``PROMETHEUS_MULTIPROC_DIR``
names (`crossfade.serve.workers` makes it); whichever process is asked answers for all of them.
"""

import os
import time
from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from crossfade.core.errors import CrossfadeError
from crossfade.serve.active import ActiveRelease

CONTENT_TYPE = CONTENT_TYPE_LATEST

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable of the environment by which the client library finds the files that processes share."""

disable_created_metrics()  # type: ignore[no-untyped-call] # a sample more for each, which nobody reads

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUESTS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
_PAGES = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


class Metrics:
    """The measurements of one application.

    page  seconds that it takes to make the page of a user from listens
    """

    def __init__(self, active: ActiveRelease) -> None:
        registry = CollectorRegistry()
        self._requests = Histogram(
            "crossfade_request_seconds",
            "Time from the first byte of a request to the last of its answer, by route and status.",
            ("method", "route", "status"),
            registry=registry,
            buckets=_REQUESTS,
        )
        self.page = Histogram(
            "crossfade_page_seconds",
            "Time to make the page of a user from listens: fold-in, candidates, scores and reasons.",
            registry=registry,
            buckets=_PAGES,
        )
        if os.environ.get(SHARED):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            for collector in (ProcessCollector, PlatformCollector, GCCollector):
                collector(registry=registry)
        registry.register(_OfRelease(active))
        self._registry = registry

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer; ``route`` is the pattern of its path, which names nobody."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).observe(seconds)

    def as_text(self) -> bytes:
        """Return all measurements in the text format of Prometheus."""
        return generate_latest(self._registry)


class _OfRelease:
    """Reads which release is served, and since when it exists, whenever it is asked."""

    def __init__(self, active: ActiveRelease) -> None:
        self._active = active

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterator[Metric]:
        served = GaugeMetricFamily("crossfade_release", "1 for the release that is served.", labels=["version"])
        age = GaugeMetricFamily("crossfade_release_age_seconds", "Time since the release was published.")
        try:
            with self._active.reading() as opened:
                served.add_metric([opened.release.version], 1)
                age.add_metric([], max(0.0, time.time() - opened.release.published_at))
        except CrossfadeError:
            pass  # without a release there is no age; /ready says why
        yield served
        yield age
