"""What the page is built from is up to date, and a wheel has it."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from crossfade.core.home import Home
from crossfade.serve.active import ActiveRelease
from crossfade.serve.app import create_app
from crossfade.serve.settings import ServeSettings
from crossfade.stores.registry import open_live, open_releases

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"


@pytest.mark.skipif(not (WEB / "node_modules" / "ready").is_file(), reason="needs the page's tools: make page")
def test_the_types_of_the_api_are_those_of_the_server(tmp_path):
    home = Home(tmp_path)
    home.prepare()
    live = open_live(home)
    active = ActiveRelease(open_releases(home))
    described = create_app(active, ServeSettings(), live=live, home=home).openapi()
    live.close()
    active.close()
    description, written = tmp_path / "openapi.json", tmp_path / "schema.ts"
    description.write_text(json.dumps(described))
    npm = [sys.executable, WEB / "node.py", "npm", "--prefix", WEB]
    subprocess.run([*npm, "run", "--silent", "types", "--", description, written], check=True)
    fresh = written.read_text() == (WEB / "src" / "lib" / "schema.ts").read_text()
    assert fresh, f"Write them again: npm run types -- {description}"


@pytest.mark.parametrize("place", [WEB, ROOT / "tests" / "clients"], ids=["web", "clients"])
def test_locks_have_checksums_and_name_no_registry(place):
    locked = json.loads((place / "package-lock.json").read_text())["packages"]
    for name, package in locked.items():
        assert "resolved" not in package, f"{name}: write it again with make lock"
        assert not name or package["integrity"].startswith("sha512-")


def test_a_wheel_has_the_page_and_is_not_built_without(tmp_path):
    def built(target):
        command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", tmp_path]
        return subprocess.run(command, cwd=copy, capture_output=True, text=True)

    copy = tmp_path / "checkout"
    page = ROOT / "src" / "crossfade" / "serve" / "page"
    files = {file.relative_to(ROOT) for file in page.rglob("*.*")}
    container = (ROOT / "docs" / "deployment.md").read_text()
    copied = " ".join(re.findall("^COPY (.+) /opt/crossfade/", container, re.MULTILINE)).split()
    for name in (*[one for one in copied if one != "src"], "src/crossfade/core/version.py", *files):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / name).read_bytes())
    done = built("wheel")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert {str(file.relative_to("src")) for file in files} <= {*zipfile.ZipFile(wheel).namelist()}
    for name, target in (("favicon.svg", "wheel"), ("index.html", "sdist")):
        missing = copy / page.relative_to(ROOT) / name
        missing.unlink()
        refused = built(target)
        assert refused.returncode
        assert f"{missing} is missing. Build it: make page" in refused.stderr


@pytest.mark.parametrize("machines", [None, "v18.20.8", "v22.4.0"])
def test_a_machine_without_node_or_with_an_older_one_uses_that_of_the_environment(tmp_path, machines):
    if machines is not None:
        for program in ("node", "npm"):
            (tmp_path / program).write_text(f"#!/bin/sh\necho {machines}\n")
            (tmp_path / program).chmod(0o755)
    for program in ("node", "npm"):
        command = [sys.executable, WEB / "node.py", program, "--version"]
        done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() not in {"", machines}
