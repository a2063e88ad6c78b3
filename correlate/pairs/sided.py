"""A result for each of a pair's two sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Sided(Generic[T]):
    """The same facts about side `a` and side `b` of a `CallPair`; each is a frozen dataclass that ends in `reason`."""

    a: T
    b: T
