"""The built page is sent with headers that let it call nobody but this server."""

import gzip

import pytest
from fastapi import FastAPI

from crossfade.serve.web.page import page_routes

SCRIPT = "const calm = true;\n" * 200


@pytest.fixture
def client(tmp_path, client_of):
    (tmp_path / "index.html").write_text("<!doctype html><title>Crossfade</title>")
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index-4f3a.js").write_text(SCRIPT)
    app = FastAPI()
    app.include_router(page_routes(tmp_path))
    return client_of(app)


@pytest.mark.parametrize("path", ["/", "/index.html", "/icon.svg", "/assets/index-4f3a.js"])
def test_every_file_has_the_policy(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for"):
        assert part in policy
    assert "unsafe" not in policy
    assert not any(source in policy for source in ("http", "data:", "blob:", "*"))
    assert headers["cross-origin-opener-policy"] == "same-origin"


def test_the_index_is_asked_for_again_and_assets_are_not(client):
    index = client.get("/")
    assert (index.headers["cache-control"], index.headers["content-type"]) == ("no-cache", "text/html; charset=utf-8")
    known = client.get("/", headers={"If-None-Match": index.headers["etag"]})
    assert known.status_code == 304
    assert known.headers["content-security-policy"] == index.headers["content-security-policy"]
    asset = client.get("/assets/index-4f3a.js")
    assert "immutable" in asset.headers["cache-control"]
    assert asset.headers["content-type"] == "text/javascript; charset=utf-8"
    assert client.get("/icon.svg").headers["cache-control"] == "public, max-age=86400"


def test_what_is_large_is_sent_compressed(client):
    assert client.get("/assets/index-4f3a.js").headers["content-encoding"] == "gzip"
    plain = client.get("/assets/index-4f3a.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == SCRIPT
    assert len(gzip.compress(SCRIPT.encode())) < len(SCRIPT)


@pytest.mark.parametrize("path", ["/assets/..%2Findex.html", "/assets/", "/page.py", "/assets/index.html"])
def test_nothing_else_is_sent(client, path):
    assert client.get(path).status_code == 404


def test_without_a_build_there_is_no_page(tmp_path):
    assert page_routes(tmp_path) is None


def test_the_page_has_the_headers_of_all_answers_besides_its_own(served, client_of):
    headers = client_of(served.app).get("/").headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "script-src 'self'" in headers["content-security-policy"]
