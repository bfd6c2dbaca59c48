"""History as git objects.

routes ── bodies       the NDJSON of a commit, streamed
   │  └── preupload    large or regular, ignored or not
   ├── service         resolve, entries, start, commit
   ├── history         log, last commits, comparing, squashing
   ├── refs            branches and tags
   └── export          a bare repository for the real git
          └── drafts ── trees ── objects, paths, records
"""
