"""The routes of repositories: create, move, delete, settings, info, and what cards are checked by."""

from litestar import Controller, Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from hub.auth import service as auth
from hub.call import Call, short_read
from hub.commits import service as commits
from hub.errors import BadRequest, RepoNotFound, Unsupported
from hub.repos import cards, facts, first_files
from hub.repos import service as repos
from hub.repos.schemas import (
    DATASET_PROPERTIES,
    MODEL_PROPERTIES,
    Card,
    CardVerdict,
    KindWord,
    Move,
    NewRepo,
    NewSettings,
    OldRepo,
    Remark,
    RepoAddress,
    RepoInfo,
    Settings,
    Visibility,
)
from hub.repos.service import Kind, RepoRecord

# Left out unless they are asked for by name.
_ON_REQUEST = {"mainSize", "description", "gitalyUid"}


class ReposController(Controller):
    """Making, renaming and deleting."""

    path = "/api/repos"
    tags = ("Repositories",)

    @post("/create", status_code=200, sync_to_thread=True)
    def create(self, call: NamedDependency[Call], data: JSONBody[NewRepo]) -> RepoAddress:
        """Create a repository with one commit, `initial commit`.

        Answers 409 with its `url` when it exists. `files` are a few small files for a second commit;
        `license` becomes a README.md that states it.
        """
        kind = _kind(data.type)
        private = _private(data.visibility, private=data.private)
        files = first_files.read(data)
        with call.writing() as db:
            actor = auth.writer(call.actor(db))
            repo = repos.create(
                db,
                actor,
                kind,
                data.organization,
                data.name,
                private=bool(private),
                endpoint=call.endpoint,
            )
            commits.start(db, call.blobs, call.staging, repo, actor)
            if files:
                first_files.add(db, call, repo, actor, files)
        return _address(call, repo)

    @delete("/delete", status_code=200, sync_to_thread=True)
    def remove(self, call: NamedDependency[Call], data: JSONBody[OldRepo]) -> dict[str, bool]:
        """Delete a repository and its whole history. This cannot be undone."""
        kind = _kind(data.type)
        with call.writing() as db:
            actor = auth.signed_in(call.actor(db))
            namespace = data.organization or actor.name
            repo = repos.get(db, actor, kind, namespace, data.name, need="admin")
            if repo.path.lower() != f"{namespace}/{data.name}".lower():
                # A script that knows only the old name should not be the one to delete what was renamed.
                raise RepoNotFound(f"`{namespace}/{data.name}` is now `{repo.path}`. Delete it by that name.")
            repos.remove(db, repo)
        return {"success": True}

    @post("/move", status_code=200, sync_to_thread=True)
    def move(self, call: NamedDependency[Call], data: JSONBody[Move]) -> RepoAddress:
        """Rename a repository, or hand it to another namespace. Its old name goes on leading to it."""
        kind = _kind(data.type)
        old_namespace, old_name = _split(data.from_repo)
        namespace, name = _split(data.to_repo)
        with call.writing() as db:
            actor = auth.signed_in(call.actor(db))
            repo = repos.get(db, actor, kind, old_namespace, old_name, need="admin")
            moved = repos.move(db, actor, repo, namespace, name, endpoint=call.endpoint)
        return _address(call, moved)


class CardController(Controller):
    """Checking a card before it is committed."""

    path = "/api/validate-yaml"
    tags = ("Cards",)

    @post("/", sync_to_thread=True)
    def validate(self, data: JSONBody[Card]) -> Response[CardVerdict]:
        """Say whether the metadata of a README.md can be read: 200, or 400 with the errors."""
        errors: list[Remark] = []
        warnings: list[Remark] = []
        try:
            if not cards.metadata(data.content.encode("utf-8", "replace")):
                warnings.append(
                    Remark("empty or missing yaml metadata in repo card (begin README.md with `---`)")
                )
        except cards.CardError as error:
            errors.append(Remark(str(error)))
        return Response(CardVerdict(errors, warnings), status_code=400 if errors else 200)


class RepoController(Controller):
    """One repository."""

    path = "/{namespace:str}/{name:str}"
    tags = ("Repositories",)

    @get("/")
    @short_read
    def info(
        self,
        *,
        call: NamedDependency[Call],
        blobs: FromQuery[bool] = False,
        securityStatus: FromQuery[bool] = False,  # noqa: N803 - as clients spell it
        expand: FromQuery[list[str] | None] = None,
    ) -> RepoInfo:
        """Tell what is known of a repository; with `expand`, only these properties."""
        return _told(call, "HEAD", blobs=blobs, security=securityStatus, expand=expand)

    @get("/revision/{revision:str}")
    @short_read
    def info_at(
        self,
        *,
        call: NamedDependency[Call],
        blobs: FromQuery[bool] = False,
        securityStatus: FromQuery[bool] = False,  # noqa: N803 - as clients spell it
        expand: FromQuery[list[str] | None] = None,
    ) -> RepoInfo:
        """Tell what is known of a repository at a branch, tag or commit."""
        return _told(call, call.revision, blobs=blobs, security=securityStatus, expand=expand)

    @put("/settings", sync_to_thread=True)
    def settings(
        self,
        call: NamedDependency[Call],
        data: JSONBody[NewSettings],
    ) -> Settings:
        """Change the visibility of a repository."""
        private = _private(data.visibility, private=data.private)
        if data.gated not in {None, False}:
            raise Unsupported(
                f"`gated: {data.gated}` is not supported: this hub has no access requests. "
                "Make the repository private and give roles in its organisation."
            )
        with call.writing() as db:
            repo = call.repo(db, need="admin")
            if private is not None:
                repos.set_private(db, repo.id, private=private)
        return Settings(repo.private if private is None else private)

    @get("/auth-check", sync_to_thread=True)
    def may_read(
        self,
        call: NamedDependency[Call],
    ) -> dict[str, bool]:
        """Answer 200 when the caller may read the repository."""
        with call.reading() as db:
            call.repo(db)
        return {"success": True}

    @get("/auth-check/write", sync_to_thread=True)
    def may_write(
        self,
        call: NamedDependency[Call],
    ) -> dict[str, bool]:
        """Answer 200 when the caller may write to the repository."""
        with call.reading() as db:
            call.repo(db, need="write")
        return {"success": True}


def _told(call: Call, revision: str, *, blobs: bool, security: bool, expand: list[str] | None) -> RepoInfo:
    asked = [*(expand or []), *call.request.query_params.getall("expand[]", [])]
    known = MODEL_PROPERTIES if call.kind == "model" else DATASET_PROPERTIES
    properties = facts.checked_properties(call.kind, asked) if asked else set(known) - _ON_REQUEST
    with call.reading() as db:
        repo = call.repo(db)
        commit = commits.resolve(db, repo.id, revision)
        row = facts.row_of(db, repo.id)
        told = facts.describe(db, call.blobs, row, commit, properties, blobs=blobs, security=security)
    if not asked and call.kind == "model":
        told.model_id = told.id
    return told


def _kind(word: KindWord | None) -> Kind:
    if word is None or word in {"model", "dataset"}:
        return "dataset" if word == "dataset" else "model"
    raise Unsupported(f"This hub has models and data sets; it cannot hold a `{word}`.")


def _private(visibility: Visibility | None, *, private: bool | None) -> bool | None:
    """What two generations of clients say; None when nothing was said."""
    if visibility == "protected":
        raise Unsupported("`protected` is not supported: choose the visibility `public` or `private`.")
    return private if visibility is None else visibility == "private"


def _split(path: str) -> tuple[str, str]:
    namespace, slash, name = path.partition("/")
    if not slash:
        raise BadRequest(f"`{path[:200]}` is not a whole name: give `namespace/name`.")
    return namespace, name


def _address(call: Call, repo: RepoRecord) -> RepoAddress:
    return RepoAddress(f"{call.endpoint}{repo.url_path}", repo.path, f"{repo.id:024x}")
