"""Which STUN frames a test wants not to pass."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

_SELECTOR = {"side", "n", "shows"}


@dataclass(frozen=True)
class Drop:
    """Which STUN frames of the next call never pass one phone's wire: the n-th, or all that show an address."""

    side: str
    n: int | None = None
    shows: str | None = None


def drop(selector: Mapping[str, object], phones: Collection[str]) -> Drop:
    """What a selector means.

    Raises:
        ValueError: it names no phone of the bench, or not exactly one of n and shows.
    """
    side, n, shows = (selector.get(key) for key in ("side", "n", "shows"))
    if not isinstance(side, str) or side not in phones or not set(selector) <= _SELECTOR:
        raise ValueError(f"drop_stun needs side, a phone of the bench, and n or shows; got {dict(selector)}")
    if isinstance(n, int) and shows is None:
        return Drop(side, n=n)
    if isinstance(shows, str) and n is None:
        return Drop(side, shows=shows)
    raise ValueError(f"drop_stun needs exactly one of n (a number) and shows (a text); got {dict(selector)}")
