"""The routes that read history: the log and comparisons."""

import html
import time
from typing import Annotated

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from sqlalchemy import Connection

from hub import wire
from hub.blobs import Blobs
from hub.call import Call
from hub.commits import compare, history, paths, revisions
from hub.commits.compare import Pair
from hub.commits.records import CommitRecord, Entry
from hub.commits.schemas import Author, CommitItem, Comparison, Difference, Formatted, LargeSide, Side
from hub.errors import BadRequest

_MOST_DIFFERENCES = 1000
_MOST_PATCHES = 100
# Two files of 1,000 lines that were made to be hard to compare take 0.2 s.
_PATCH_TIME_S = 2.0


class HistoryController(Controller):
    """What has changed."""

    path = "/{namespace:str}/{name:str}"
    tags = ("History",)

    @get("/commits/{revision:str}", sync_to_thread=True)
    def commits(
        self,
        *,
        call: NamedDependency[Call],
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 50,
        p: Annotated[int, QueryParameter(ge=0, le=1_000_000)] = 0,
        cursor: FromQuery[str | None] = None,
    ) -> Response[list[CommitItem]]:
        """List a revision and the commits before it, newest first; the header `X-Total-Count` counts them.

        The next page is at the `Link` header; `p` numbers pages too, but shifts when commits come in between.
        """
        asked = call.request.query_params
        formatted = "formatted" in (*asked.getall("expand[]", []), *asked.getall("expand", []))
        with call.reading() as db:
            repo = call.repo(db)
            newest = revisions.resolve(db, repo.id, call.revision)
            start = newest.id if cursor is None else _commit_id(cursor)
            records = history.log(db, repo.id, start, skip=p * limit, limit=limit)
        headers = {"X-Total-Count": str(newest.depth + 1)}
        if records and records[-1].parent is not None:
            address = f"{call.endpoint}{call.request.scope['raw_path'].decode().partition('?')[0]}"
            query = [pair for pair in asked.multi_items() if pair[0] != "p"]
            headers |= wire.next_link(address, query, wire.cursor(records[-1].parent.hex()))
        return Response([_item(record, formatted=formatted) for record in records], headers=headers)

    @get("/compare/{revision:str}", sync_to_thread=True)
    def compare(
        self,
        *,
        call: NamedDependency[Call],
        diff: FromQuery[bool] = False,
    ) -> Comparison:
        """Compare two revisions, `base..head`: which files were added, modified, deleted or renamed.

        With `diff=true` small text files come with a unified diff.
        """
        base, dots, head = call.revision.partition("..")
        if not (base and dots and head):
            raise BadRequest(f"`{paths.shown(call.revision)}` names one revision; give two, `base..head`.")
        with call.reading() as db:
            repo = call.repo(db)
            old, new = (revisions.resolve(db, repo.id, side) for side in (base, head))
            deadline = time.monotonic() + _PATCH_TIME_S
            pairs, truncated = compare.compare(db, repo.id, old.tree, new.tree, limit=_MOST_DIFFERENCES)
            files = [
                _difference(
                    db,
                    call.blobs,
                    pair,
                    diff=diff and number < _MOST_PATCHES and time.monotonic() < deadline,
                )
                for number, pair in enumerate(pairs)
            ]
        return Comparison(old.id.hex(), new.id.hex(), files, truncated)


def _commit_id(text: str) -> bytes:
    value = wire.read_cursor(text, str)
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise BadRequest("This `cursor` is not one of ours. Start again without it.") from None


def _item(record: CommitRecord, *, formatted: bool) -> CommitItem:
    shown = Formatted(html.escape(record.title), html.escape(record.message)) if formatted else None
    return CommitItem(
        record.id.hex(),
        record.title,
        record.message,
        [Author(record.author)],
        wire.stamp(record.created_at),
        shown,
    )


def _difference(db: Connection, blobs: Blobs, pair: Pair, *, diff: bool) -> Difference:
    patch = compare.patch(db, blobs, pair) if diff else None
    return Difference(pair.status, _side(pair.old), _side(pair.new), patch)


def _side(entry: Entry | None) -> Side | None:
    if entry is None:
        return None
    large = None
    if entry.large_size is not None and entry.sha256 is not None and entry.pointer_size is not None:
        large = LargeSide(entry.sha256.hex(), entry.large_size, entry.pointer_size)
    return Side(entry.path, entry.id.hex(), entry.size, large)
