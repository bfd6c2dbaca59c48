"""What `hub.app` mounts of the two doors for large files."""

from hub.uploads import copy_routes, lfs_routes, xet_routes

ROUTES = [*lfs_routes.ROUTES, *xet_routes.ROUTES]
REPO_API = [*xet_routes.REPO_API, *copy_routes.REPO_API]
REPO_FILES = lfs_routes.REPO_FILES
