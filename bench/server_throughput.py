#!/usr/bin/env python3
"""server_throughput.py MLA-SERVER MODEL: tokens per second of mla-server with one client and with eight.

Prompts are token ids, so that models without a real tokenizer serve too; needs nothing but Python.
"""
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time

N_PROMPT, N_GENERATED = 64, 96


def generate(host, port, client, results):
    body = {"prompt": [(client * 977 + i * 31) % 2000 + 2 for i in range(N_PROMPT)], "max_tokens": N_GENERATED, "ignore_eos": True, "temperature": 0,
            "stream": True, "cache_prompt": False}
    connection = http.client.HTTPConnection(host, port, timeout=600)
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    reply = connection.getresponse()
    times = [time.monotonic() for line in reply if line.startswith(b"data: {")]
    results.append((times[0], times[-1]))


def measure(host, port, n_clients):
    """Tokens per second of all clients together, from the last one's first token to the first one's last."""
    results, begin = [], time.monotonic()
    threads = [threading.Thread(target=generate, args=(host, port, client, results)) for client in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = time.monotonic() - begin
    first, last = min(r[0] for r in results), max(r[1] for r in results)
    print(f"{n_clients} clients: {n_clients * N_GENERATED / (last - first):.1f} tokens/s generating, {n_clients * N_GENERATED / whole:.1f} with prompts", flush=True)
    return n_clients * N_GENERATED / whole


server = subprocess.Popen([sys.argv[1], "-m", sys.argv[2], "--port", "0", "-c", "1024", "--cache-ram", "0"], stdout=subprocess.PIPE, text=True)
host, port = re.search(r"http://([^:]+):(\d+)/", server.stdout.readline()).groups()
measure(host, int(port), 1)  # reads the file's pages
one, eight = measure(host, int(port), 1), measure(host, int(port), 8)
print(f"8 clients: {eight / one:.2f} times the throughput of one")
server.send_signal(signal.SIGTERM)
sys.exit(server.wait())
