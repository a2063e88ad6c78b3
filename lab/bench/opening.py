"""A phone that is to be opened at the begin of a run, on the recovery ladder."""

from collections.abc import Callable
from contextlib import ExitStack

from lab.bench.connection import name_there
from lab.bench.kinds import Kind
from lab.definitions import PhoneSpec
from lab.errors import BenchUnhealthy, NeedsPerson, PhoneTrouble
from lab.phone import boot
from lab.phone.adb import TROUBLE, Adb
from lab.phone.phone import Phone


class Opening:
    """One phone; `connect` opens it until the stack that it is given ends, `ready` is what is done with it before it
    counts as open, and `stack` closes it.
    """

    def __init__(
        self,
        kind: Kind,
        spec: PhoneSpec,
        stack: ExitStack,
        connect: Callable[[ExitStack, PhoneSpec], Phone],
        ready: Callable[[Phone], Phone],
    ) -> None:
        self._kind, self.spec, self._stack, self._connect, self._ready = kind, spec, stack, connect, ready
        self._opened: Phone | None = None
        self._asked: Adb | None = None

    @property
    def phone(self) -> Phone:
        """The phone, once it is open."""
        assert self._opened is not None
        return self._opened

    @property
    def device(self) -> Adb:
        """What reaches the phone, open or not."""
        if self._opened is not None:
            return self._opened.device
        name = self._name_there()
        if self._asked is None or str(self._asked.serial) != name:
            self._asked = Adb(self._kind.client, name, self.spec.name)
            self._stack.callback(self._asked.close)
        return self._asked

    def _name_there(self) -> str:
        address = self._kind.address(self.spec)
        try:
            return name_there(self._kind.client, address)
        except TROUBLE:
            return address

    def is_open(self) -> bool:
        """Whether it opens at once. Raises `NeedsPerson` where only a person can help."""
        try:
            self.check_health()
        except PhoneTrouble:
            return False
        return True

    def check_health(self) -> None:
        """Open the phone, or ask one that is open. Raises `PhoneTrouble` and `NeedsPerson`."""
        if self._opened is not None:
            return self._opened.check_health()
        try:
            self._kind.serial(self.spec)
            boot.read(self.device).require_usable(self.spec.name)
            with ExitStack() as opening:
                phone = self._connect(opening, self.spec)
                phone.check_health()
                self._opened = self._ready(phone)
                self._stack.enter_context(opening.pop_all())
        except (PhoneTrouble, NeedsPerson):
            raise
        except (BenchUnhealthy, *TROUBLE) as error:
            # No adb server answers, or it cannot connect the phone: the ladder has rungs for both.
            raise PhoneTrouble(str(error)) from error

    def start_agent(self) -> None:
        """End what is left of one: whoever opens the phone starts its own. Raises `PhoneTrouble`."""
        from lab.phone import agent as agents  # costs half a second, and nothing but a bench needs it

        agents.end_left(self.device)
