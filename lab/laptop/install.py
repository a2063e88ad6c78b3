"""Puts the agent on a bench's laptop, and proves that it is there."""

import base64
import hashlib
import json
import secrets
from pathlib import PurePosixPath

from pydantic import TypeAdapter, ValidationError

from lab.clocks import deadlines
from lab.definitions import BenchSpec
from lab.errors import BadInput, LaptopTrouble
from lab.laptop.agent_client import AgentLaptop, packed, read_token, token_file
from lab.laptop.login import why
from lab.programs.processes import Program

PUT = """
import base64, hashlib, json, os, pathlib
given = json.loads(base64.b64decode("@GIVEN@"))
found = {}
for name, text in given.items():
    path, data = pathlib.Path(name), base64.b64decode(text)
    path.parent.mkdir(parents=True, exist_ok=True)
    same = path.is_file() and path.read_bytes() == data
    if not same:
        fresh = pathlib.Path(name + ".new")
        fresh.write_bytes(data)
        os.replace(fresh, path)
    found[name] = [hashlib.sha256(path.read_bytes()).hexdigest(), not same]
print("\\n@MARK@ " + json.dumps(found))
"""
"""What the laptop's Python reads on its standard input: no shell's quoting is in the way, and no other program."""


def install(spec: BenchSpec) -> list[str]:
    """Copy the agent, its token's hash and the name of its directory to the laptop, prove them by their hashes, have it
    set up and say hello.

    Done again, it changes nothing. Returns what was done, a line each. Raises `BadInput` for a bench without an agent
    and `LaptopTrouble` where the laptop or its Python does not answer.
    """
    if spec.laptop.agent is None:
        raise BadInput(f"bench {spec.name}: laptop has no key 'agent'; docs/yaml.md says what it holds")
    python, path = spec.laptop.agent
    digest = hashlib.sha256(_token(spec.name).encode()).hexdigest()
    home = PurePosixPath(path).parent
    fixed = {"token.sha256": digest, "directory": spec.laptop.directory}
    files = {path: packed()} | {str(home / name): text.encode() for name, text in fixed.items()}
    done = []
    for name, (sha256, written) in _put([*spec.laptop.connect, python, "-"], files).items():
        if sha256 != hashlib.sha256(files[name]).hexdigest():
            raise LaptopTrouble(f"{name} on the laptop is not what was sent; is its disk full?")
        done.append(f"{name}: {'written' if written else 'is there already'}, sha256 {sha256}")
    laptop = AgentLaptop([*spec.laptop.connect, python, path], spec.laptop.directory, spec.name)
    try:
        done += [str(line) for line in laptop.ask("setup")]
        hello = laptop.greeting
    finally:
        laptop.close()
    return [*done, f"it answers: {hello.tool}, Python {hello.python} on {hello.platform}"]


def _token(bench: str) -> str:
    path = token_file(bench)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32) + "\n")
    return read_token(bench)


def _put(argv: list[str], files: dict[str, bytes]) -> dict[str, tuple[str, bool]]:
    given = json.dumps({name: base64.b64encode(data).decode() for name, data in files.items()})
    mark = f"im-call-lab-{secrets.token_hex(8)}"
    script = PUT.replace("@MARK@", mark).replace("@GIVEN@", base64.b64encode(given.encode()).decode())
    try:
        with Program(argv, kept=True) as program:
            try:
                program.send(script.encode())
                program.close_input()
                # A login may say something before it starts Python.
                _, marked, told = program.read_to_end(deadlines.AGENT_INSTALL.s).partition(f"\n{mark} ".encode())
                if not marked:
                    raise EOFError
            except (OSError, EOFError, TimeoutError) as error:
                raise LaptopTrouble(_not_taken(argv, why(error, program))) from error
        found = _FOUND.validate_json(told)
    except OSError as error:
        raise LaptopTrouble(_not_taken(argv, str(error))) from error
    except (ValidationError, RecursionError) as error:
        raise LaptopTrouble(f"{' '.join(argv)} answers nonsense") from error
    if set(found) != set(files):
        raise LaptopTrouble(f"{' '.join(argv)} answers nonsense")
    return found


def _not_taken(argv: list[str], cause: str) -> str:
    return f"{' '.join(argv)} does not take the agent: {cause}; try it by hand"


_FOUND = TypeAdapter(dict[str, tuple[str, bool]])
