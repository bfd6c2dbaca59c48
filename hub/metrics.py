"""The counters that `/api/metrics` shows to Prometheus.

With several workers `voxhub serve` sets PROMETHEUS_MULTIPROC_DIR: each writes its counters to a file there,
and whichever answers sums them up. Hubs on other machines are scraped by themselves.
"""

import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REQUEST_SECONDS = Histogram(
    "voxhub_request_seconds", "Time to answer a request, body included.", ["method", "route", "status"]
)
BODY_BYTES = Counter("voxhub_body_bytes", "Bytes of request and response bodies.", ["direction"])
STORED_BYTES = Counter(
    "voxhub_stored_bytes",
    "Bytes that repositories (LFS) or namespaces (Xet) sent and did not have.",
    ["door"],
)
COMMITS = Counter("voxhub_commits", "Commits that were acknowledged.")
FREE_BYTES = Gauge(
    "voxhub_free_bytes", "Free bytes on the disk of the data folder.", multiprocess_mode="mostrecent"
)


def rendered() -> bytes:
    """Everything counted, in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry)
