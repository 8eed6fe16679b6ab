# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be complete and in step in the repository itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from ansible_collections.fedops.flower.plugins.module_utils._config.table import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
TESTS = ROOT / "tests" / "unit" / "plugins"
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
# The packages of module_utils, lowest first.
LAYERS = (
    "_base",
    "_gpus",
    "_superlink",
    "_checkpoint",
    "_certificates",
    "_config",
    "_flower",
    "_console",
    "_supernode",
    "_storage",
    "_mirror",
    "_training",
    "_supervisor",
    "_alerts",
    "_report",
    "_tracking",
    "_backup",
    "_release",
    "_delivery",
    "_publish",
)
MODULES = sorted(path for path in (PLUGINS / "modules").glob("*.py") if path.stem != "__init__")
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))

# In pieces, so that this file does not hold what it looks for.
REGISTRY_HOSTS = re.compile(
    "|".join(
        re.escape(".".join(parts))
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("galaxy", "ansible", "com"),
            ("deb", "debian", "org"),
            ("archive", "ubuntu", "com"),
            ("npmjs", "org"),
        )
    )
)
HOME_DIRECTORIES = re.compile(r"/(?:home|Users)/[a-z][\w.-]*/")

LICENSED = {".py", ".yml", ".yaml", ".j2", ".sh", ".toml"}
# Flower apps, to be copied.
APACHE = (
    "files/fab/",
    "files/use_cases/",
    "examples/",
    "molecule/bring_your_own/app/",
    "molecule/bring_your_own/kept_app/",
    "benchmarks/round/bare_app/",
    "tests/apps/",
)
UNLICENSED = {"changelogs/changelog.yaml"}  # antsibull-changelog writes it anew


def tracked_files() -> list[str]:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted(name for name in names if name and (ROOT / name).is_file())


def text_of(name: str) -> str:
    """Return the text of a file, or nothing of one that is no text."""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def role_defaults(role: Path) -> dict[str, object]:
    """Return a role's defaults: of a file, or of all files of a directory."""
    main = role / "defaults" / "main"
    files = sorted(main.glob("*.yml")) if main.is_dir() else [main.with_suffix(".yml")]
    return {name: value for path in files if path.exists() for name, value in load(path).items()}


def role_entry_points(role: Path) -> dict[str, dict]:
    specs = load(role / "meta" / "argument_specs.yml")["argument_specs"]
    return {name: entry.get("options", {}) for name, entry in specs.items()}


def described(default: object, option: dict) -> list[str]:
    """Return the documented default when the real one is a template that it describes, with <what is meant>."""
    words = str(option["default"])
    return [words] if "{{" in str(default) and re.search("<.+>", words) else []


by_name = pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)


@by_name
def test_a_role_has_argument_specs_and_a_readme(role: Path) -> None:
    wanted = ("README.md", "meta/argument_specs.yml", "meta/main.yml")
    assert [name for name in wanted if not (role / name).is_file()] == []


@by_name
def test_every_default_of_a_role_is_in_its_argument_specs(role: Path) -> None:
    documented = {option for options in role_entry_points(role).values() for option in options}
    public = {name for name in role_defaults(role) if not name.startswith("__")}
    assert public - documented == set()


@by_name
def test_every_argument_of_a_role_is_required_or_has_a_default(role: Path) -> None:
    defaults = role_defaults(role)
    undecided = {
        f"{entry_point}: {name}"
        for entry_point, options in role_entry_points(role).items()
        for name, option in options.items()
        if name not in defaults and not option.get("required", False)
    }
    assert undecided == set()


@by_name
def test_a_default_in_the_argument_specs_is_the_one_in_defaults(role: Path) -> None:
    """A default that is computed may be described there, with what is meant <in angle brackets>."""
    defaults = role_defaults(role)
    wrong = {
        name: option["default"]
        for options in role_entry_points(role).values()
        for name, option in options.items()
        if "default" in option and option["default"] not in (defaults.get(name), *described(defaults.get(name), option))
    }
    assert wrong == {}


def test_no_play_or_role_writes_the_default_of_a_variable_again() -> None:
    """Where the role does not run, C(__defaults) has it (tools/faces/playbooks.py)."""
    known = {name for role in ROLES for name in role_defaults(role)} | {row.ansible for row in VARIABLES}
    files = [
        path
        for folder in ("roles", "playbooks")
        for kind in ("yml", "j2")
        for path in ROOT.glob(f"{folder}/**/*.{kind}")
    ]
    again = re.compile(r"\b(\w+)(?:'\])? *\| *default\( *('[^']+'|\"[^\"]+\"|-?[0-9.]+|\[[^\]]+\])")
    found = [(path.name, name, value) for path in files for name, value in again.findall(path.read_text("utf-8"))]
    assert len(found) > 5  # those of variables that belong to a playbook alone
    assert [each for each in found if each[1] in known] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_documents_itself(module: Path) -> None:
    assigned = {
        target.id
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert {"DOCUMENTATION", "EXAMPLES", "RETURN"} - assigned == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_has_a_unit_test_of_itself_or_of_its_action(module: Path) -> None:
    assert [kind for kind in ("modules", "action") if (TESTS / kind / f"test_{module.stem}.py").is_file()] != []


def test_the_action_group_has_the_modules_that_share_its_options() -> None:
    sharing = {path.stem for path in MODULES if re.search(r"- fedops\.flower\.flwr$", path.read_text("utf-8"), re.M)}
    assert set(load(ROOT / "meta" / "runtime.yml")["action_groups"]["flwr"]) == sharing


@pytest.mark.parametrize("kind", ["action", "filter", "module_utils"])
def test_every_plugin_is_imported_by_a_unit_test(kind: str) -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py"))
    imported = set(re.findall(rf"\bplugins\.{kind}\.([\w.]+)", tests))
    for package, names in re.findall(rf"\bplugins\.{kind}(\.\w+)? import (\([^)]*\)|.*)", tests):
        imported.update(f"{package[1:]}.{name}".strip(".") for name in re.findall(r"\w+", names))
    folder = PLUGINS / kind
    plugins = {".".join(path.relative_to(folder).with_suffix("").parts) for path in folder.rglob("*.py")} - {"__init__"}
    assert plugins - imported == set()


def test_a_package_of_module_utils_imports_only_packages_below_it() -> None:
    folder = PLUGINS / "module_utils"
    assert {path.name for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()} - {"__pycache__"} == {
        *LAYERS
    }
    upwards = [
        f"{path.relative_to(folder)} imports {package}"
        for path in sorted(folder.rglob("*.py"))
        for package in re.findall(r"^ *from \.\.(\w+)[\w.]* import ", path.read_text("utf-8"), re.M)
        if LAYERS.index(package) >= LAYERS.index(path.parent.name)
    ]
    assert upwards == []


def public_names(path: Path) -> set[str]:
    """Return the classes, constants and types that a file defines for others."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def test_no_two_files_of_module_utils_give_the_same_name_to_different_things() -> None:
    folder = PLUGINS / "module_utils"
    homes: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        for name in public_names(path):
            homes.setdefault(name, []).append(str(path.relative_to(folder)))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_the_generated_files_are_fresh() -> None:
    command = [sys.executable, "tools/generate.py", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_playbook_is_found_by_its_full_name_and_parses() -> None:
    names = [f"fedops.flower.{name}" for name in PLAYBOOKS]
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "--syntax-check", "-i", "localhost,", *names]
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible" / "collections"), "PATH": "/usr/bin:/bin"}
    result = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.count("playbook: ")) == (0, len(names)), result.stderr


@pytest.mark.parametrize("page", ["README.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").glob("*.md"))])
def test_a_picture_that_is_shown_is_in_the_archive(page: str) -> None:
    ignored = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]
    for shown in re.findall(r"!\[[^\]]*\]\(([^):]+)\)", (ROOT / page).read_text("utf-8")):
        picture = (ROOT / page).parent.joinpath(shown).resolve().relative_to(ROOT)
        assert (ROOT / picture).is_file()
        ways = [str(picture), *map(str, picture.parents)]
        assert [way for way in ways if any(fnmatch(way, pattern) for pattern in ignored)] == []


def test_no_file_names_a_package_registry_or_a_home_directory() -> None:
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in tracked_files()
        for number, line in enumerate(text_of(name).splitlines(), start=1)
        if REGISTRY_HOSTS.search(line) or HOME_DIRECTORIES.search(line)
    ]
    assert found == []


def test_no_file_names_the_place_of_this_checkout() -> None:
    place = f"{ROOT}/"
    assert [name for name in tracked_files() if place in text_of(name)] == []


def test_every_source_file_names_its_copyright_and_licence() -> None:
    def header(name: str) -> bool:
        licence = "Apache-2.0" if name.startswith(APACHE) else "GPL-3.0-or-later"
        top = "\n".join(text_of(name).splitlines()[:6])
        return "Copyright: (c) 2026, fedops.flower contributors" in top and (
            f"SPDX-License-Identifier: {licence}" in top
        )

    sources = {name for name in tracked_files() if Path(name).suffix in LICENSED} - UNLICENSED
    assert sorted(name for name in sources if not header(name)) == []
