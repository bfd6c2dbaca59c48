"""What hostile or damaged Xet input raises, and nothing else."""


class FormatError(ValueError):
    """A xorb, shard or file that breaks the format, a limit, or its own hash."""


class RangeError(ValueError):
    """A byte range that starts at or behind the end of a file (HTTP 416); `size` is the file's."""

    def __init__(self, start: int, size: int) -> None:
        super().__init__(f"range starts at byte `{start}`, the file has `{size}` bytes")
        self.start = start
        self.size = size
