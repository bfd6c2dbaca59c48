"""Xet formats without storage or HTTP: hashes, xorbs, shards, and the plans that read files back.

file  = terms            a term is chunks [start, end) of one xorb
xorb  = chunks           <= 64 MiB raw, <= 8192 chunks, each <= 128 KiB raw
shard = files + xorbs    what a client uploads after its xorbs

errors <- hashes <- xorbs <- shards
                      ^- plans <- verification
"""
