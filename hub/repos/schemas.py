"""What the routes of repositories take and give. Names are Hugging Face's, also where they mix styles."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType, field

MODEL_PROPERTIES = (
    "author",
    "baseModels",
    "cardData",
    "childrenModelCount",
    "config",
    "createdAt",
    "disabled",
    "downloads",
    "downloadsAllTime",
    "evalResults",
    "gated",
    "gguf",
    "gitalyUid",
    "inference",
    "inferenceProviderMapping",
    "lastModified",
    "library_name",
    "likes",
    "mask_token",
    "model-index",
    "pipeline_tag",
    "private",
    "resourceGroup",
    "safetensors",
    "sha",
    "siblings",
    "spaces",
    "tags",
    "transformersInfo",
    "trendingScore",
    "usedStorage",
    "widgetData",
    "xetEnabled",
)
DATASET_PROPERTIES = (
    "author",
    "cardData",
    "citation",
    "createdAt",
    "description",
    "disabled",
    "downloads",
    "downloadsAllTime",
    "gated",
    "gitalyUid",
    "lastModified",
    "likes",
    "mainSize",
    "paperswithcode_id",
    "private",
    "resourceGroup",
    "sha",
    "siblings",
    "tags",
    "trendingScore",
    "usedStorage",
    "xetEnabled",
)
KindWord = Literal["model", "dataset", "space", "kernel", "bucket"]
Visibility = Literal["public", "private", "protected"]


class NewFile(msgspec.Struct):
    """A small file of a new repository."""

    path: str
    content: str
    encoding: Literal["base64", "utf-8"] = "utf-8"


class NewRepo(msgspec.Struct, rename="camel"):
    """`organization` is the namespace; without it, the caller's own. Old clients send `private`."""

    name: str
    organization: str | None = None
    type: KindWord | None = None
    visibility: Visibility | None = None
    private: bool | None = None
    license: str | None = None
    files: list[NewFile] | None = None


class RepoAddress(msgspec.Struct):
    """Where a repository stands: `url` for people, `name` is `namespace/name`."""

    url: str
    name: str
    id: str


class OldRepo(msgspec.Struct, rename="camel"):
    """Which repository to delete."""

    name: str
    organization: str | None = None
    type: KindWord | None = None


class Move(msgspec.Struct, rename="camel"):
    """Both are `namespace/name`."""

    from_repo: str
    to_repo: str
    type: KindWord | None = None


class NewSettings(msgspec.Struct, rename="camel"):
    """What is absent stays as it is."""

    visibility: Visibility | None = None
    private: bool | None = None
    gated: Literal["auto", "manual"] | bool | None = None


class Settings(msgspec.Struct):
    """The settings as they are now."""

    private: bool
    gated: Literal[False] = False


class LargeFile(msgspec.Struct, rename="camel"):
    """A file in Git LFS: `size` is that of its content, `pointerSize` that of its git blob."""

    sha256: str
    size: int
    pointer_size: int


class Sibling(msgspec.Struct, rename="camel"):
    """A file of the repository. Sizes and ids come with `blobs=true`; `blobId` is the git id."""

    rfilename: str
    size: int | UnsetType = UNSET
    blob_id: str | UnsetType = UNSET
    lfs: LargeFile | UnsetType = UNSET


class Safetensors(msgspec.Struct):
    """How many parameters of each type `model.safetensors` holds."""

    parameters: dict[str, int]
    total: int


class SecurityStatus(msgspec.Struct, rename="camel"):
    """This hub does not scan files; it never opens a pickle."""

    scans_done: bool = False
    files_with_issues: list[str] = []


class RepoInfo(msgspec.Struct, rename="camel"):
    """A repository. Which properties are there depends on what was asked for."""

    mongo_id: str = field(name="_id")
    id: str
    model_id: str | UnsetType = UNSET
    author: str | UnsetType = UNSET
    sha: str | UnsetType = UNSET
    private: bool | UnsetType = UNSET
    gated: bool | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    downloads: int | UnsetType = UNSET
    downloads_all_time: int | UnsetType = UNSET
    likes: int | UnsetType = UNSET
    trending_score: int | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    pipeline_tag: str | UnsetType = field(name="pipeline_tag", default=UNSET)
    library_name: str | UnsetType = field(name="library_name", default=UNSET)
    created_at: str | UnsetType = UNSET
    last_modified: str | UnsetType = UNSET
    card_data: dict[str, object] | UnsetType = UNSET
    config: dict[str, object] | UnsetType = UNSET
    model_index: object = field(name="model-index", default=UNSET)
    base_models: list[str] | UnsetType = UNSET
    siblings: list[Sibling] | UnsetType = UNSET
    spaces: list[str] | UnsetType = UNSET
    safetensors: Safetensors | UnsetType = UNSET
    used_storage: int | UnsetType = UNSET
    main_size: int | UnsetType = UNSET
    description: str | UnsetType = UNSET
    security_repo_status: SecurityStatus | UnsetType = UNSET
    xet_enabled: bool | UnsetType = UNSET


class StoredRepo(msgspec.Struct, rename="camel"):
    """One line of the caller's storage."""

    id: str
    type: Literal["model", "dataset"]
    updated_at: str
    visibility: Literal["public", "private"]
    storage: int
    # Of what the namespace stores, 0 to 100.
    storage_percent: float


class Card(msgspec.Struct, rename="camel"):
    """The text of a README.md to check."""

    content: str
    repo_type: str | None = None


class Remark(msgspec.Struct):
    """What is wrong with a card."""

    message: str


class CardVerdict(msgspec.Struct):
    """Errors keep a card from being understood; warnings do not."""

    errors: list[Remark]
    warnings: list[Remark]


class Tag(msgspec.Struct):
    """A tag that repositories carry."""

    id: str
    label: str
    type: str
