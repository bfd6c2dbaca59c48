"""Users: who asks, signing up and in, passwords, tokens."""

from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from hub.accounts import passwords, schemas, tokens
from hub.accounts import service as accounts
from hub.accounts.org_routes import ORG_ROUTES
from hub.auth import service as auth
from hub.call import Call
from hub.errors import Forbidden, Unauthorized
from hub.wire import stamp

# Signing in with a password gives a token that ends by itself.
LOGIN_DAYS = 30
# A whole class may sit behind one address.
SIGN_UPS_PER_MINUTE = 30


@get("/api/whoami-v2", sync_to_thread=True, tags=["Accounts"])
def whoami(call: NamedDependency[Call]) -> schemas.WhoAmI:
    """Say whose token this is, which organisations its user belongs to, and what the token may do."""
    with call.reading() as db:
        actor = auth.signed_in(call.actor(db))
        user = accounts.get_user(db, actor.name)
        token = tokens.get(db, actor.id, actor.token_id)
        orgs = accounts.orgs_of(db, actor.id)
    return schemas.WhoAmI(
        id=schemas.object_id(user.id),
        name=user.name,
        fullname=user.fullname,
        email=user.email,
        is_admin=user.admin,
        orgs=[schemas.OrgOfUser.of(org) for org in orgs],
        auth=schemas.Credentials(schemas.AccessToken(token.name, token.role, stamp(token.created_at))),
    )


@post("/api/signup", sync_to_thread=True, tags=["Accounts"])
def sign_up(call: NamedDependency[Call], data: JSONBody[schemas.SignUp]) -> schemas.SignedIn:
    """Make an account and a first token for it. Only where the operator has switched sign-up on."""
    if not call.settings.sign_up:
        raise Forbidden("Sign-up is off on this hub. Ask its admin for an account (`voxhub user add`).")
    call.stores.attempts.spend(_address(call), "sign-up", most=SIGN_UPS_PER_MINUTE)
    kept = passwords.digest(data.password, name=data.name)
    with call.writing() as db:
        user = accounts.add_user(db, data.name, fullname=data.fullname, email=data.email, password=kept)
        return _signed_in(user.name, *tokens.create(
            db, user.id, name="sign-up", role="write", expires_in_days=LOGIN_DAYS
        ))  # fmt: skip


@post("/api/login", sync_to_thread=True, tags=["Accounts"])
def login(call: NamedDependency[Call], data: JSONBody[schemas.Login]) -> schemas.SignedIn:
    """Trade a name and a password for a token that lasts 30 days.

    The answer to a wrong name and to a wrong password is the same, and takes the same time.
    """
    call.stores.attempts.spend(_address(call), data.name)
    with call.reading() as db:
        user, kept = accounts.password_of(db, data.name)
    if not passwords.holds(data.password, kept) or user is None:
        raise Unauthorized("The name or the password is wrong. Users without a password sign in by token.")
    call.stores.attempts.forget(_address(call), data.name)
    with call.writing() as db:
        made = tokens.create(db, user.id, name="login", role="write", expires_in_days=LOGIN_DAYS)
    return _signed_in(user.name, *made)


@put("/api/password", sync_to_thread=True, status_code=204, tags=["Accounts"])
def change_password(call: NamedDependency[Call], data: JSONBody[schemas.NewPassword]) -> None:
    """Change the password of the user who asks. Tokens stay as they are: revoke them one by one."""
    with call.reading() as db:
        actor = auth.writer(call.actor(db))
        _, kept = accounts.password_of(db, actor.name)
    if kept is not None:
        call.stores.attempts.spend(_address(call), actor.name)
        if not passwords.holds(data.current or "", kept):
            raise Forbidden("`current` is not the password of this account; nothing was changed.")
    new = passwords.digest(data.new, name=actor.name)
    with call.writing() as db:
        accounts.set_password(db, actor.id, new)


@get("/api/tokens", sync_to_thread=True, tags=["Tokens"])
def list_tokens(call: NamedDependency[Call]) -> list[schemas.TokenShown]:
    """List the tokens of the user who asks, newest first, without their values."""
    with call.reading() as db:
        actor = auth.signed_in(call.actor(db))
        return [schemas.TokenShown.of(token) for token in tokens.of_account(db, actor.id)]


@post("/api/tokens", sync_to_thread=True, tags=["Tokens"])
def create_token(call: NamedDependency[Call], data: JSONBody[schemas.NewToken]) -> schemas.TokenMade:
    """Make a token: `read` to fetch, `write` for whatever its user may do. It is shown only now."""
    with call.writing() as db:
        actor = auth.writer(call.actor(db))
        token, value = tokens.create(
            db, actor.id, name=data.name, role=data.role, expires_in_days=data.expires_in_days
        )
    return schemas.TokenMade(value, schemas.TokenShown.of(token))


@delete("/api/tokens/{token_id:int}", sync_to_thread=True, tags=["Tokens"])
def revoke_token(call: NamedDependency[Call], token_id: FromPath[int]) -> None:
    """Make a token of the user who asks void, at once."""
    with call.writing() as db:
        actor = auth.writer(call.actor(db))
        tokens.revoke(db, actor.id, token_id)


@get("/api/users/{user:str}/overview", sync_to_thread=True, tags=["Accounts"])
def user_overview(call: NamedDependency[Call], user: FromPath[str]) -> schemas.UserOverview:
    """Show a user; its private repositories count only for who may see them."""
    with call.reading() as db:
        actor = call.actor(db)
        found = accounts.get_user(db, user)
        private = auth.role_in(db, actor, found.id) is not None
        repos = accounts.count_repos(db, found.id, private=private)
        orgs = accounts.orgs_of(db, found.id)
    return schemas.UserOverview(
        user=found.name,
        fullname=found.fullname,
        created_at=schemas.created(found),
        num_models=repos.get("model", 0),
        num_datasets=repos.get("dataset", 0),
        orgs=[schemas.OrgOfUser.of(org) for org in orgs],
    )


def _signed_in(name: str, token: tokens.TokenRecord, value: str) -> schemas.SignedIn:
    return schemas.SignedIn(name, value, token.expires_at and stamp(token.expires_at))


def _address(call: Call) -> str:
    client = call.request.client
    return client.host if client else "unknown"


ACCOUNT_ROUTES = [
    whoami,
    sign_up,
    login,
    change_password,
    list_tokens,
    create_token,
    revoke_token,
    user_overview,
    *ORG_ROUTES,
]
