"""The composition root: read this first. It wires settings, stores and routes into one ASGI application."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor

import structlog
from litestar import Litestar, Router
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, ControllerRouterHandler
from sqlalchemy.exc import DBAPIError

from hub import openapi, responses
from hub.accounts.routes import ACCOUNT_ROUTES
from hub.asgi import Requests
from hub.auth import service as auth
from hub.auth.signatures import Signer
from hub.blobs import LocalBlobs, Staging
from hub.call import Stores, provide_call
from hub.commits.history_routes import HistoryController
from hub.commits.ref_routes import RefController
from hub.commits.routes import CommitController
from hub.db import POOL_SIZE, Database
from hub.errors import HubError
from hub.files.routes import TreeController, raw, resolve
from hub.operation import OPERATION_ROUTES
from hub.repos import service as repos
from hub.repos.list_routes import ListController, StorageController, TagsController
from hub.repos.routes import CardController, RepoController, ReposController
from hub.settings import Settings
from hub.uploads import routes as uploads

log: structlog.stdlib.BoundLogger = structlog.get_logger("hub.app")

SWEEP_STEP_S = 3600
RECORD_STEP_S = 5
# Browsers hide every other header from scripts; the JavaScript client reads these.
EXPOSED_HEADERS = [
    "Link",
    "ETag",
    "Content-Range",
    "Content-Length",
    "Accept-Ranges",
    "Content-Disposition",
    "X-Request-Id",
    "X-Error-Code",
    "X-Error-Message",
    "X-Repo-Commit",
    "X-Total-Count",
    "X-Linked-Size",
    "X-Linked-Etag",
    "X-Xet-Hash",
]

# What is mounted once: accounts, listing and creating repositories, the Xet store.
ROUTES: list[ControllerRouterHandler] = [
    *OPERATION_ROUTES,
    *ACCOUNT_ROUTES,
    ReposController,
    CardController,
    TagsController,
    StorageController,
    *uploads.ROUTES,
]
# What is mounted below /api/models/… and /api/datasets/…
REPO_API: list[ControllerRouterHandler] = [
    ListController,
    RepoController,
    CommitController,
    RefController,
    HistoryController,
    TreeController,
    *uploads.REPO_API,
]
# What is mounted below /… and /datasets/…: resolve, raw, Git LFS.
REPO_FILES: list[ControllerRouterHandler] = [resolve, raw, *uploads.REPO_FILES]


def create(settings: Settings) -> ASGIApp:
    """Build the hub. Its database must have been migrated."""
    return Requests(create_litestar(settings))


def create_litestar(settings: Settings) -> Litestar:
    """Build the hub without its outermost wrapper."""
    secret = settings.prepare()
    stores = Stores(
        settings,
        database=Database(settings.database),
        blobs=LocalBlobs(settings.data_dir / "blobs"),
        staging=Staging(settings.data_dir / "staging"),
        signer=Signer(secret),
    )
    return Litestar(
        route_handlers=[
            *ROUTES,
            Router(path="/api/models", opt={"kind": "model"}, route_handlers=REPO_API),
            Router(path="/api/datasets", opt={"kind": "dataset"}, route_handlers=REPO_API),
            Router(path="/", opt={"kind": "model"}, route_handlers=REPO_FILES),
            Router(path="/datasets", opt={"kind": "dataset"}, route_handlers=REPO_FILES),
        ],
        state=State({"stores": stores}),
        dependencies={"call": Provide(provide_call, sync_to_thread=False)},
        lifespan=[_lifespan],
        exception_handlers={
            HubError: responses.hub_error,
            HTTPException: responses.framework_error,
            DBAPIError: responses.database_error,
            Exception: responses.unexpected_error,
        },
        cors_config=CORSConfig(
            allow_origins=["*"],
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
            allow_headers=["*"],
            expose_headers=EXPOSED_HEADERS,
            max_age=86400,
        ),
        openapi_config=openapi.CONFIG,
        logging_config=None,
    )


@contextlib.asynccontextmanager
async def _lifespan(app: Litestar) -> AsyncGenerator[None]:
    stores: Stores = app.state.stores
    # asyncio's own has as many threads as cores and four: a few that wait for a lock would stop all others.
    threads = ThreadPoolExecutor(POOL_SIZE, thread_name_prefix="hub")
    loop = asyncio.get_running_loop()
    loop.set_default_executor(threads)
    log.info("hub is up", loop=type(loop).__module__)
    sweeper = asyncio.create_task(_sweep(stores))
    recorder = asyncio.create_task(_keep_recording(stores))
    try:
        yield
    finally:
        sweeper.cancel()
        recorder.cancel()
        await asyncio.to_thread(record_use, stores)
        stores.database.dispose()


async def _sweep(stores: Stores) -> None:
    """Remove now and every hour what killed processes and given-up uploads left in staging."""
    while True:
        await asyncio.to_thread(stores.staging.sweep, stores.settings.staging_age_s)
        await asyncio.sleep(SWEEP_STEP_S)


async def _keep_recording(stores: Stores) -> None:
    """Every few seconds, not with every request: a write costs more than most of them."""
    while True:
        await asyncio.sleep(RECORD_STEP_S)
        await asyncio.to_thread(record_use, stores)


def record_use(stores: Stores) -> None:
    """Write down which tokens were used and what was downloaded since the last time."""
    used, stores.used_tokens = stores.used_tokens, set()
    downloads = Counter(stores.downloads.popleft() for _ in range(len(stores.downloads)))
    if not used and not downloads:
        return
    try:
        with stores.database.writing() as db:
            auth.touch(db, used)
            repos.count_downloads(db, downloads)
    except DBAPIError as error:
        # These are only counts: better a few too low than a hub that stops counting.
        log.warning("uses were not recorded", exc_info=error)
