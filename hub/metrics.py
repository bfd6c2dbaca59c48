"""The counters that `/api/metrics` shows to Prometheus."""

from prometheus_client import Counter, Histogram

REQUEST_SECONDS = Histogram(
    "voxhub_request_seconds", "Time to answer a request, body included.", ["method", "status"]
)
BODY_BYTES = Counter("voxhub_body_bytes", "Bytes of request and response bodies.", ["direction"])
STORED_BYTES = Counter("voxhub_stored_bytes", "Bytes that became durable in the store.", ["door"])
COMMITS = Counter("voxhub_commits", "Commits that were acknowledged.")
