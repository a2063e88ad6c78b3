from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from lab.definitions import App, PhoneSpec
from lab.definitions.yaml import read
from lab.phone.adb import Adb
from lab.phone.phone import Phone
from tests.lab.phone.handset import Handset, Missing

APPS = Path(__file__).resolve().parents[3] / "scenarios" / "apps"


@pytest.fixture
def handset() -> Handset:
    class Agent(Handset):
        def __call__(self, **query: str) -> Any:
            found = super().__call__(**query)
            return found if found.exists else Missing(exists=False)

    return Agent()


@pytest.fixture
def phone(handset: Handset) -> Phone:
    spec = PhoneSpec.model_validate(
        {
            "name": "pixel6",
            "model": "M",
            "os": "Android 16",
            "network": "lte",
            "capture": "tcpdump",
            "rooted": True,
            "stimulus": {"sound": "speech", "scene": "dark"},
        }
    )
    return Phone(spec, cast(Adb, handset), handset, handset.clock)


@pytest.fixture(scope="module")
def whatsapp() -> App:
    return read(APPS / "whatsapp.yaml", App)
