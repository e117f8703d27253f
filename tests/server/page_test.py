"""The chat page in a headless Chromium: asks the demo model, and shows what it answers."""
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import websocket
from served import Server

browser = shutil.which("chromium") or shutil.which("google-chrome")
if browser is None:
    print("SKIPPED: the chat page was NOT tested, because chromium is missing: apt-get install chromium", file=sys.stderr)
    sys.exit(4)

NOTE = re.compile(r'<div class="message note">\d+ tokens read')  # comes last


def body_of(devtools):
    devtools.send(json.dumps({"id": 1, "method": "Runtime.evaluate", "params": {"expression": "document.body?.innerHTML ?? ''"}}))
    return json.loads(devtools.recv())["result"].get("result", {}).get("value", "")


with Server("-a", "page test", "-n", "20") as server, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--remote-debugging-port=0",
               "--remote-allow-origins=*", server.url + "/?q=Who+went+<b>up</b>"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            port = next(match[1] for line in process.stderr if (match := re.search(r"ws://[^:]+:(\d+)/", line)))
            looks, dom, devtools = 0, "", None
            while not NOTE.search(dom) and looks < 3000:
                looks += 1
                time.sleep(0.2)
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as reply:
                    pages = [page for page in json.load(reply) if page["url"].startswith(server.url)]
                if pages and devtools is None:
                    devtools = websocket.create_connection(pages[0]["webSocketDebuggerUrl"])
                dom = body_of(devtools) if devtools else ""
        finally:
            process.terminate()
    print(dom[: dom.find("<script")])
    assert '<h1 id="model">page test</h1>' in dom, "the page doesn't show the model's name"
    assert "Who went &lt;b&gt;up&lt;/b&gt;</div>" in dom, "the page doesn't show the question, as text"
    assert re.search(r'<div class="message assistant">[^<]+</div>', dom), "the page shows no answer"
    assert NOTE.search(dom), "the page doesn't say what the answer took"
