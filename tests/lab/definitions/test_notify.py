"""What a channel must have, and what of it is secret."""

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from lab.definitions.lab import Lab, check
from lab.definitions.notify import Notify
from lab.definitions.secrets import secrets

ROOT = Path(__file__).parents[3]
MAIL = {"name": "a", "kind": "mail", "server": "mail.example.org", "sender": "lab@example.org", "to": ["b@example.org"]}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"name": "a", "kind": "webhook"}, "missing key 'url': a webhook needs it"),
        ({"name": "a", "kind": "ping", "url": "file:///etc/passwd"}, "String should match pattern"),
        ({"name": "a", "kind": "ping", "url": "http://a/\nb"}, "String should match pattern"),
        ({"name": "a", "kind": "command", "command": ["x"], "url": "http://a/"}, "a command has no 'url'"),
        ({**MAIL, "user": "x"}, "'user' and 'password' go together"),
        ({**MAIL, "user": "x", "password": "y", "security": "none"}, "a password is not sent without TLS"),
        ({**MAIL, "to": ["b@example.org\nBcc: c@example.org"]}, "String should match pattern"),
    ],
)
def test_a_channel_that_does_not_fit_its_kind_is_refused(given: dict, text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Notify(**given)


def test_everything_that_names_or_opens_something_in_a_channel_is_secret() -> None:
    channels = [
        Notify(**MAIL, user="account", password="pass word"),
        Notify(name="b", kind="webhook", url="https://hooks.example.org/T0/secret"),
        Notify(name="c", kind="command", command=["apprise", "--config", "/home/lab/apprise.yaml"]),
    ]
    spec = Lab.load(ROOT / "scenarios").bench("virtual").model_copy(update={"notify": channels})
    found = {each.value for each in secrets(spec) if each.field.rpartition(" of ")[2] in ("a", "b", "c")}
    assert found == {
        "mail.example.org", "lab@example.org", "b@example.org", "account", "pass word",
        "https://hooks.example.org/T0/secret", "apprise", "/home/lab/apprise.yaml",
    }  # fmt: skip


def test_a_channel_in_the_file_of_a_real_bench_belongs_into_its_local_file(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios", ignore=shutil.ignore_patterns("*.local.yaml"))
    file = tmp_path / "scenarios/benches/pixels.yaml"
    file.write_text(f'{file.read_text()}notify:\n  - {{name: hook, kind: webhook, url: "https://a.example/x"}}\n')
    (mistake,) = check(tmp_path / "scenarios", file)
    assert "url of hook is secret; move it into pixels.local.yaml" in str(mistake)
