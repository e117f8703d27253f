"""The chat page in a headless Chromium: asks the demo model, and shows what it answers."""
import re
import shutil
import subprocess
import sys
import tempfile

from served import Server

browser = shutil.which("chromium") or shutil.which("google-chrome")
if browser is None:
    print("SKIPPED: the chat page was NOT tested, because chromium is missing: apt-get install chromium", file=sys.stderr)
    sys.exit(4)

with Server("-a", "page test", "-n", "8") as server, tempfile.TemporaryDirectory() as profile:
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--virtual-time-budget=60000",
               "--dump-dom", server.url + "/?q=Who+went+<b>up</b>"]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    print(dom[dom.index("<body") : dom.index("<script")])
    assert '<h1 id="model">page test</h1>' in dom, "the page doesn't show the model's name"
    assert "Who went &lt;b&gt;up&lt;/b&gt;</div>" in dom, "the page doesn't show the question, as text"
    assert re.search(r'<div class="message assistant">[^<]+</div>', dom), "the page shows no answer"
    assert re.search(r'<div class="message note">\d+ tokens read', dom), "the page doesn't say what the answer took"
    assert server.metric("mla_answers_total") == 1
