"""The report in a real browser: no error, and nothing wider than a phone."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from report_data import hostile_report, make_report
from utils.report.data import Report
from utils.report.page import render

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

WIDTHS = (320, 360, 768, 1280)
# Each width has a frame of its own; what is wider than it is found by the frame's own document.
HARNESS = """<!DOCTYPE html><title>harness</title><pre id="found"></pre>
<script>
const found = {};
let waiting = %(n)d;
function look(frame, width) {
  const page = frame.contentDocument, view = frame.contentWindow;
  const texts = [...page.querySelectorAll("svg text")].filter((one) => one.textContent.trim());
  const outside = texts.filter((one) => {
    const box = one.getBoundingClientRect();
    const around = one.ownerSVGElement.getBoundingClientRect();
    return box.left < around.left - 1 || box.right > around.right + 1 || box.top < around.top - 1
      || box.bottom > around.bottom + 1;
  });
  found[width] = {
    inner: view.innerWidth,
    scroll: page.documentElement.scrollWidth,
    scripts: page.scripts.length,
    texts: texts.length,
    outside: outside.map((one) => one.textContent),
    smallest: Math.min(...texts.map((one) => one.getBoundingClientRect().height)),
    sections: page.querySelectorAll("main > section").length,
  };
  waiting -= 1;
  if (!waiting) document.getElementById("found").textContent = JSON.stringify(found);
}
</script>
%(frames)s"""
FRAME = (
    '<iframe src="report.html" width="%d" height="800" style="border:0" '
    'onload="look(this, %d)"></iframe>'
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def browse(folder: Path, url: str, *options: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [
            str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-extensions", "--disable-background-networking",
            "--enable-logging=stderr", "--virtual-time-budget=20000", "--window-size=1400,900",
            f"--user-data-dir={folder / 'profile'}", *options, url,
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("report", [make_report(), hostile_report()], ids=["usual", "hostile"])
def test_it_fits_every_width_without_an_error(folder: Path, address: str, report: Report) -> None:
    (folder / "report.html").write_text(render(report), encoding="utf-8")
    frames = "\n".join(FRAME % (width, width) for width in WIDTHS)
    (folder / "harness.html").write_text(HARNESS % {"n": len(WIDTHS), "frames": frames})
    done = browse(folder, f"{address}/harness.html", "--dump-dom")
    assert "CONSOLE" not in done.stderr, done.stderr
    said = re.search(r'<pre id="found">(.+?)</pre>', done.stdout)
    assert said, done.stdout[-500:]
    found = json.loads(said[1].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    assert [int(width) for width in found] == list(WIDTHS)
    for width, one in ((int(width), one) for width, one in found.items()):
        assert one["inner"] == width
        assert one["scroll"] <= width, f"{one['scroll']} px of text in a window of {width} px"
        assert one["scripts"] == 0
        assert one["outside"] == [], f"cut off at {width} px"
        assert one["texts"] > 80
        assert one["sections"] == 10
        assert one["smallest"] >= (9 if width >= 360 else 8), f"tiny text at {width} px"


def test_it_prints(folder: Path, address: str) -> None:
    (folder / "report.html").write_text(render(make_report()), encoding="utf-8")
    file = folder / "report.pdf"
    done = browse(folder, f"{address}/report.html", f"--print-to-pdf={file}")
    assert "CONSOLE" not in done.stderr, done.stderr
    assert file.read_bytes().startswith(b"%PDF-")
