"""Organisations and who belongs to them."""

from typing import Annotated

from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from sqlalchemy import Connection

from hub.accounts import schemas
from hub.accounts import service as accounts
from hub.accounts.service import AccountRecord
from hub.auth import service as auth
from hub.call import Call
from hub.errors import Forbidden
from hub.wire import cursor as cursor_of
from hub.wire import next_link, read_cursor

PAGE = 500


@post("/api/organizations", sync_to_thread=True, tags=["Organisations"])
def create_org(call: NamedDependency[Call], data: JSONBody[schemas.NewOrg]) -> schemas.OrgOverview:
    """Make an organisation. Whoever makes it is its first admin."""
    with call.writing() as db:
        actor = auth.writer(call.actor(db))
        org = accounts.add_org(db, data.name, fullname=data.fullname, members={actor.name: "admin"})
        return _overview(db, org, private=True)


@get("/api/organizations/{org:str}/overview", sync_to_thread=True, tags=["Organisations"])
def org_overview(call: NamedDependency[Call], org: FromPath[str]) -> schemas.OrgOverview:
    """Show an organisation; its private repositories count only for who may see them."""
    with call.reading() as db:
        actor = call.actor(db)
        found = accounts.get_org(db, org)
        return _overview(db, found, private=auth.role_in(db, actor, found.id) is not None)


@get("/api/organizations/{org:str}/members", sync_to_thread=True, tags=["Organisations"])
def org_members(
    call: NamedDependency[Call],
    org: FromPath[str],
    limit: Annotated[int, QueryParameter(ge=1, le=PAGE)] = PAGE,
    cursor: FromQuery[str] = "",
) -> Response[list[schemas.OrgMember]]:
    """List the members of an organisation by name. `Link` leads to the next page."""
    after = read_cursor(cursor, str) if cursor else ""
    with call.reading() as db:
        call.actor(db)
        found = accounts.get_org(db, org)
        page = accounts.members(db, found.id, after=after, limit=limit + 1)
    more = len(page) > limit
    address = f"{call.endpoint}{call.request.url.path}"
    place = cursor_of(page[limit - 1].account.name) if more else ""
    query = call.request.query_params.multi_items()
    return Response(
        [schemas.OrgMember.of(member) for member in page[:limit]],
        headers=next_link(address, query, place) if more else {},
    )


@put("/api/organizations/{org:str}/members/{user:str}", sync_to_thread=True, tags=["Organisations"])
def put_member(
    call: NamedDependency[Call], org: FromPath[str], user: FromPath[str], data: JSONBody[schemas.NewRole]
) -> schemas.OrgMember:
    """Make a user a member, or change its role. An organisation always keeps an admin."""
    with call.writing() as db:
        found = _administered(call, db, org)
        member = accounts.get_user(db, user)
        accounts.set_member(db, found, member, data.role)
    return schemas.OrgMember(member.name, member.fullname, data.role)


@delete("/api/organizations/{org:str}/members/{user:str}", sync_to_thread=True, tags=["Organisations"])
def delete_member(call: NamedDependency[Call], org: FromPath[str], user: FromPath[str]) -> None:
    """Take a user out of an organisation. Members may leave by themselves; the last admin may not."""
    with call.writing() as db:
        actor = auth.writer(call.actor(db))
        leaving = actor.name.lower() == user.lower()
        found = accounts.get_org(db, org) if leaving else _administered(call, db, org)
        accounts.remove_member(db, found, accounts.get_user(db, user))


def _administered(call: Call, db: Connection, name: str) -> AccountRecord:
    """The organisation, if the asker is its admin."""
    actor = auth.writer(call.actor(db))
    org = accounts.get_org(db, name)
    role = auth.role_in(db, actor, org.id)
    if role != "admin":
        raise Forbidden(
            f"`{actor.name}` may not change the members of `{org.name}`: its role there is "
            f"`{role or 'none'}`. Ask an admin of `{org.name}`."
        )
    return org


def _overview(db: Connection, org: AccountRecord, *, private: bool) -> schemas.OrgOverview:
    repos = accounts.count_repos(db, org.id, private=private)
    return schemas.OrgOverview(
        name=org.name,
        fullname=org.fullname,
        created_at=schemas.created(org),
        num_users=accounts.count_members(db, org.id),
        num_models=repos.get("model", 0),
        num_datasets=repos.get("dataset", 0),
    )


ORG_ROUTES = [create_org, org_overview, org_members, put_member, delete_member]
