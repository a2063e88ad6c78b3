from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from lab.definitions import App, PhoneSpec
from lab.definitions.yaml import read
from lab.phone.adb import Adb
from lab.phone.phone import Phone
from tests.lab.phone.handset import Handset

APPS = Path(__file__).resolve().parents[3] / "scenarios" / "apps"


@pytest.fixture
def handset() -> Handset:
    return Handset()


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
