"""The two doors for large files.

    Git LFS   lfs_routes -> lfs (one PUT) | parts (many) ──┐
                                                          ├─> contents, blobs
    Xet       xet_routes -> xorbs, shards, chunks, files ──┘

`access` says what a Xet token or a signed URL allows, `bodies` writes a request's body to the disk.
"""
