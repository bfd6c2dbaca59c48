"""Routes for whoever operates the hub: whether it is well, and what it counts."""

import shutil

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import text

from hub import metrics
from hub.call import Call
from hub.errors import Unavailable
from hub.settings import GIB


@get("/api/health", sync_to_thread=True, tags=["Operation"])
def health(call: NamedDependency[Call]) -> dict[str, str]:
    """Answer 200 when the database answers and the store can be written to.

    507 says that the disk is full, 503 that the database or the store does not answer.
    """
    with call.reading() as db:
        db.execute(text("SELECT 1"))
    try:
        with call.staging.file() as (_, file):
            file.write(b"well")
    except OSError as error:
        raise Unavailable(
            f"The store cannot be written to: {error.strerror}. Check the data folder and its rights."
        ) from error
    return {"status": "ok"}


@get("/api/metrics", sync_to_thread=True, tags=["Operation"], media_type=MediaType.TEXT)
def show_metrics(call: NamedDependency[Call]) -> Response[bytes]:
    """Show what Prometheus scrapes, summed over all workers of this hub process tree."""
    # To the byte it would show whether an upload was of bytes that some private repository had already.
    metrics.FREE_BYTES.set(shutil.disk_usage(call.settings.data_dir).free // GIB * GIB)
    return Response(metrics.rendered(), media_type=CONTENT_TYPE_LATEST)


OPERATION_ROUTES = [health, show_metrics]
