"""What event_tools leans on: six packages and the standard library, each imported where it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import event_tools

ROOT = Path(event_tools.__file__).parent
NEEDED = {"numpy", "h5py", "lz4", "numba", "typer", "tqdm"}
OPTIONAL = {"PIL", "zstandard", "scipy", "imageio_ffmpeg", "hdf5plugin"}  # answered with a pip line where absent
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


def imported(file: str, everywhere: bool = True) -> Iterator[str]:
    """Top-level names of packages that a file imports, at its head or (everywhere) inside functions too."""
    tree = ast.parse((ROOT / file).read_text())
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{file}: imports are absolute"
            yield node.module.partition(".")[0]


def loaded_by(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter after the code ran."""
    lines = f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("file", FILES)
def test_a_module_imports_nothing_but_what_the_package_needs(file: str) -> None:
    assert set(imported(file)) - sys.stdlib_module_names - NEEDED - OPTIONAL == {"event_tools"} & set(imported(file))
    assert set(imported(file, everywhere=False)) & OPTIONAL == set()


def test_walking_every_module_loads_neither_torch_nor_pydantic_nor_neurogen() -> None:
    names = [file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in FILES]
    modules = ["event_tools" if name == "__init__" else f"event_tools.{name}" for name in names]
    found = loaded_by(f"import importlib\nfor name in {modules}: importlib.import_module(name)")
    assert "numba" in found  # so the walk did walk
    assert found & {"torch", "pydantic", "neurogen", "spikingjelly", "train", "export"} == set()


def test_importing_the_package_loads_not_even_numpy() -> None:
    assert loaded_by("import event_tools") & (NEEDED | OPTIONAL) == set()


def test_reading_a_recording_loads_only_what_its_format_needs(tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_bytes(bytes(5))
    found = loaded_by(f"import event_tools\nevent_tools.read({str(tmp_path / 'one.bin')!r})")
    assert found & (NEEDED | OPTIONAL) - {"scipy"} == {"numpy", "numba"}  # numba itself looks whether scipy is there


def test_the_commands_help_loads_typer_alone() -> None:
    code = "import sys\nfrom event_tools.cli import main\nsys.argv = ['event-tools', '--help']\n"
    found = loaded_by(f"{code}try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code")
    assert found & (NEEDED | OPTIONAL | {"torch", "pydantic"}) == {"typer"}
