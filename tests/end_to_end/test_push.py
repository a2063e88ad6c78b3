"""push-tcpdump through adb: on the phone whole, proven and new enough, or not at all."""

import shutil
from pathlib import Path

import pytest

from lab.bench.bench import Bench
from lab.clocks.stop import Stop
from lab.definitions import Lab
from lab.errors import BadInput, PhoneTrouble
from lab.phone.push import DIRECTORY, FIRST_ON_PATH, TCPDUMP, push
from tests.end_to_end.runs import ROOT, invoke
from tests.lab.phone.test_push import elf

NEWER = elf(rest=bytes(70_000) + b"%s version %s\0tcpdump version 4.99.6\n")


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory):
    folder = Path(shutil.copytree(ROOT / "scenarios", tmp_path_factory.mktemp("push") / "scenarios"))
    bench = folder / "benches" / "virtual.yaml"
    bench.write_text(bench.read_text().replace("      operator: Operator A\n", "      tcpdump: null\n"))
    return folder


@pytest.fixture(scope="module")
def device(scenarios):
    lab = Lab.load(scenarios)
    with Bench(lab, lab.bench("virtual"), Stop()) as bench:
        yield bench.phones["pixel6"].device


def there(device) -> list[str]:
    return device.run(f"ls {DIRECTORY} 2>/dev/null").text.split()


def test_a_file_that_does_not_run_there_is_not_installed(device, tmp_path):
    for data, text in (
        (elf(rest=b"tcpdump version 3.9.8"), "tcpdump version 3.9.8 is older than 4.9"),
        (elf(rest=b"something else"), f"sh: {TCPDUMP}.partial: not executable: 64-bit ELF file"),
    ):
        (tmp_path / "file").write_bytes(data)
        with pytest.raises(PhoneTrouble) as raised:
            push(device, "pixel6", tmp_path / "file")
        assert str(raised.value) == f"pixel6: file does not do there: {text}; nothing is installed"
    (tmp_path / "file").write_bytes(elf(machine=62))
    with pytest.raises(BadInput) as refused:
        push(device, "pixel6", tmp_path / "file")
    wrong = "is a program for x86_64, pixel6 runs arm64-v8a,armeabi-v7a; name one that was built for it"
    assert str(refused.value) == f"{tmp_path}/file: {wrong}"
    assert there(device) == []


def test_a_tcpdump_is_installed_once_and_comes_first(device, tmp_path):
    assert device.run("tcpdump --version", root=True).code == 127
    (tmp_path / "my tcpdump").write_bytes(NEWER)
    said = f"tcpdump version 4.99.6 in {TCPDUMP}"
    assert push(device, "pixel6", tmp_path / "my tcpdump") == f"pixel6 has it now: {said}"
    assert push(device, "pixel6", tmp_path / "my tcpdump") == f"pixel6 has it already: {said}"
    assert there(device) == ["tcpdump"]
    found = device.run(f"{FIRST_ON_PATH} tcpdump --version", root=True)
    assert (found.text.splitlines()[0], found.code) == ("tcpdump version 4.99.6", 0)
    assert device.run("tcpdump --version", root=True).code == 127


def test_doctor_says_what_to_do_about_a_phone_without_tcpdump(scenarios):
    done = invoke("doctor", "--matrix", "smoke", "--scenarios", str(scenarios))
    wrong = [line for line in done.stdout.splitlines() if not line.startswith("ok")]
    assert wrong == [
        "no  tcpdump        pixel6                 sh: tcpdump: inaccessible or not found: install one that was built "
        "for this phone: invoke push-tcpdump FILE --bench BENCH (docs/add-a-phone.md)"
    ]
    assert done.returncode == 4


@pytest.mark.full
def test_the_task_pushes_to_the_phones_that_are_captured_on_themselves(tmp_path):
    (tmp_path / "tcpdump").write_bytes(NEWER)
    done = invoke("push-tcpdump", str(tmp_path / "tcpdump"))
    said = f"pixel6 has it now: tcpdump version 4.99.6 in {TCPDUMP}\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    done = invoke("push-tcpdump", str(tmp_path / "none"))
    text = f"{tmp_path}/none: No such file or directory; name a tcpdump that was built for the phone\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", text)
