"""`voxhub serve`: check everything that can be checked, say where the hub is, then hand over to uvicorn."""

import errno
import os
import resource
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import click
from sqlalchemy import Connection, select

from hub.accounts import service as accounts
from hub.accounts import tokens
from hub.cli.opening import command_on, data_dir_option, opened
from hub.tables import Account

# A download may take hours; whoever stops the hub does not wait for it longer than this.
GRACE_S = 10
# Longer than the pauses of clients that keep connections (httpx: 5 s, browsers: a minute or more): a server
# that closes first loses the request that is under way.
KEEP_ALIVE_S = 75
BACKLOG = 2048


@click.command()
@data_dir_option
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 lets other machines in.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(1, 256), help="Processes that answer."
)
def serve(data_dir: Path, host: str, port: int, workers: int) -> None:
    """Start the hub.

    Everything it keeps lies under DIR: the database, the files, its secret. The first start makes the account
    `admin` and prints its access token, once. Stop it with Ctrl-C.

    \b
    voxhub serve --data-dir hub-data
    voxhub serve --data-dir /srv/voxhub --host 0.0.0.0 --port 80 --workers 4

    Environment: VOXHUB_PUBLIC_URL (the address behind a proxy), VOXHUB_SIGN_UP=true (let people make
    accounts), VOXHUB_LOG_FORMAT=json, VOXHUB_DATABASE_URL (PostgreSQL in place of SQLite).
    """
    listener = _listen(host, port)
    with opened(data_dir) as (settings, database):
        address = settings.public_url or _address(listener)
        with database.writing() as db:
            token = _first_admin(db)
    click.echo(f"Voxhub serves {data_dir.resolve()} at {address}  (Ctrl-C stops it)")
    if token is not None:
        click.echo(_welcome(address, token))
    sys.stdout.flush()
    _run(data_dir, listener, workers)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(target)
        # At once, not when uvicorn is ready: what another process holds is found before anything is made.
        listener.listen(BACKLOG)
    except socket.gaierror as error:
        raise click.ClickException(f"`{host}` is no address of this machine: {error.strerror}.") from error
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                advice = "another program listens there. Stop it, or choose another --port"
            case errno.EACCES:
                advice = "ports below 1024 need more rights. Choose another --port"
            case errno.EADDRNOTAVAIL:
                advice = "this machine does not have that address. Choose another --host"
            case _:
                advice = error.strerror or str(error)
        raise click.ClickException(f"Cannot listen on {host}:{port}: {advice}.") from error
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    # 0.0.0.0 is every address, and so no address to open.
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def _first_admin(db: Connection) -> str | None:
    """Make `admin` in a hub that has no admin yet; return its token."""
    if db.execute(select(Account.id).where(Account.admin).limit(1)).first() is not None:
        return None
    admin = accounts.add_user(db, "admin", fullname="Administrator", admin=True)
    return tokens.create(db, admin.id, name="first start", role="write")[1]


def _welcome(address: str, token: str) -> str:
    return f"""
This is its first start. The account `admin` was made; its access token is shown only now:

    {token}

Sign in:   voxhub login {address} --token {token}
or:        export HF_ENDPOINT={address} HF_TOKEN={token}
"""


def _take_descriptors() -> None:
    """Have as many files and connections open as the system lets this user; often 1024 without asking."""
    try:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (OSError, ValueError):
        pass  # macOS calls its limit infinite and then refuses it


def _run(data_dir: Path, listener: socket.socket, workers: int) -> None:
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from hub import connections

    _take_descriptors()
    # Workers are new processes: they share nothing but this folder and the listening socket.
    os.environ["VOXHUB_DATA_DIR"] = str(data_dir.resolve())
    metrics = tempfile.mkdtemp(prefix="voxhub-metrics-") if workers > 1 else None
    if metrics:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics
    config = uvicorn.Config(
        "hub.server:create",
        factory=True,
        workers=workers,
        # Not "auto": on asyncio's own loop several workers leave Nagle's algorithm on, and every small answer
        # on a kept connection waits 44 ms.
        loop="asyncio" if sys.platform == "win32" else "uvloop",
        http=connections.Connection,
        ws="none",
        lifespan="on",
        # `hub.asgi` logs requests, `hub.logs` says how.
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = uvicorn.Server(config)
    try:
        if workers > 1:
            Multiprocess(config, sockets=[listener]).run()
        else:
            server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()
        if metrics:
            shutil.rmtree(metrics, ignore_errors=True)
    if workers == 1 and not server.started:
        raise click.ClickException(
            "The hub did not start; the lines above say why. "
            f"See what its database says: {command_on(data_dir, 'database current')}"
        )
