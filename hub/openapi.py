"""The hub's own description: `/api/docs/openapi.json`. No page that would load scripts from elsewhere.

`tests/hub/openapi.json` is its snapshot; `python tests/hub/describe_api.py` writes the present one there.
"""

from typing import Any

from litestar import Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag

FAILURE = {
    "description": (
        "A failure. `X-Error-Code` is stable; `X-Error-Message` and `error` name the object, the value and "
        "the next step. 400 a value that cannot be read, 401 no or a bad token, 403 a token or a role that "
        "may not, 404 not there or not to be seen, 409 taken, 412 the branch has moved, 413 too large, 422 "
        "not as promised, 429 too often, 503 away for a moment, 507 disk full."
    ),
    "headers": {
        "X-Error-Code": {"schema": {"type": "string"}},
        "X-Error-Message": {"schema": {"type": "string"}},
        "X-Request-Id": {"schema": {"type": "string"}},
    },
    "content": {
        "application/json": {
            "schema": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
        }
    },
}


class Described(JsonRenderPlugin):
    """Renders the description with the one shape of failures in place of the framework's own."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return self.render_json(request, described(openapi_schema))


CONFIG = OpenAPIConfig(
    title="Voxhub",
    version="1",
    description=(
        "A hub for medical-imaging models. It speaks the protocol of the Hugging Face Hub, so "
        "`huggingface_hub`, `@huggingface/hub`, `hf` and `git-lfs` work with only the endpoint changed."
    ),
    path="/api/docs",
    render_plugins=[Described()],
    use_handler_docstrings=True,
    components=Components(
        security_schemes={
            "token": SecurityScheme(
                type="http", scheme="bearer", description="An access token, `hf_…`. Public things need none."
            )
        }
    ),
    security=[{"token": []}, {}],
    tags=[
        Tag("Accounts", "Who asks; signing up and in."),
        Tag("Tokens", "What programs sign in with."),
        Tag("Organisations", "Namespaces that several users share."),
        Tag("Repositories", "Models and data sets: make, find, change, move, remove."),
        Tag("Cards", "What a README.md says about its repository."),
        Tag("History", "Commits, branches, tags: true git objects."),
        Tag("Files", "Reading: trees, contents, ranges."),
        Tag("Git LFS", "Large files, whole."),
        Tag("Xet", "Large files, by chunks that are stored once."),
        Tag("Operation", "For whoever runs the hub."),
    ],
)


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the description with every operation's failures in the hub's own shape."""
    paths = {
        path: {method: _described(operation, path) for method, operation in item.items()}
        for path, item in schema["paths"].items()
    }
    components = {**schema["components"], "responses": {"Failure": FAILURE}}
    return {**schema, "paths": paths, "components": components}


def _described(operation: Any, path: str) -> Any:
    if not isinstance(operation, dict):
        return operation
    answers = {
        status: answer
        for status, answer in operation["responses"].items()
        # Litestar would describe 400 in its own shape, which `hub.responses` never sends.
        if status != "400"
    }
    answers["default"] = {"$ref": "#/components/responses/Failure"}
    # Litestar keeps a path's parameters in a set: first they come as in the path, then the others.
    parameters = sorted(
        operation.get("parameters") or [], key=lambda each: path.find(f"{{{each['name']}}}") % (len(path) + 1)
    )
    return {**operation, "responses": answers, **({"parameters": parameters} if parameters else {})}
