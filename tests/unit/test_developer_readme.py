"""What the README for developers names is there, and its picture of the imports is the one that import-linter checks."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "wazuh_dfn"
README = (PACKAGE / "README.md").read_text()


def test_it_is_short():
    assert len(README.encode()) <= 9_216


def test_every_path_that_it_names_is_there():
    named = set(re.findall(r"`([\w.-]*/[\w./-]*|[\w-]+\.(?:py|md|toml))`", README)) - {"/"}
    assert len(named) > 40
    assert {name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()} == set()


def test_it_lists_every_package():
    listed = re.findall(r"^\| `(\w+)/` \|", README, re.MULTILINE)
    assert sorted(listed) == sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def test_the_picture_of_the_imports_is_what_is_checked():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    [drawn] = re.findall(r"```layers\n(.*?)\n```", README, re.DOTALL)
    assert drawn.splitlines() == [layer.replace("wazuh_dfn.", "") for layer in layers]


def test_asyncio_appears_only_where_it_says():
    imports = re.compile(r"^\s*(?:import|from) (?:asyncio|aiokafka|aiofiles)\b", re.MULTILINE)
    found = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if imports.search(path.read_text())}
    assert {name for name in found if not name.startswith("kafka/")} == {"storage/local_disk.py", "demo/run_demo.py"}
