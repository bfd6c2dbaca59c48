"""How often a stranger may try: a few times a minute for each address and name, in each process."""

import threading
import time
from collections import OrderedDict

from hub.errors import TooManyRequests

PER_MINUTE = 10
# A flood of invented names must not fill the memory.
REMEMBERED = 10_000


class Attempts:
    """Counts attempts by key; a key that has none left is refused until its minute is over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def spend(self, address: str, name: str, *, most: int = PER_MINUTE) -> None:
        """Count one attempt; raise TooManyRequests for those beyond `most` in a minute."""
        key, moment = (address, name.lower()), time.monotonic()
        with self._lock:
            since, count = self._counts.pop(key, (moment, 0))
            if moment - since >= 60:
                since, count = moment, 0
            self._counts[key] = since, count + 1
            if len(self._counts) > REMEMBERED:
                self._counts.popitem(last=False)
        if count >= most:
            wait_s = int(60 - (moment - since)) + 1
            raise TooManyRequests(
                f"Too many attempts. Try again in {wait_s} seconds.", headers={"Retry-After": str(wait_s)}
            )

    def forget(self, address: str, name: str) -> None:
        """Start again: the attempt succeeded."""
        with self._lock:
            self._counts.pop((address, name.lower()), None)
