"""mla-server as a process, for the tests from outside."""
import os
import re
import signal
import socket
import subprocess
import time

PROGRAM = os.environ["MLA_SERVER"]
READY = re.compile(r"http://([^:]+):(\d+)/")


class Server:
    """Runs on a port that was free; ends with the with statement."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, "--port", "0", *arguments], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.host, port = READY.search(line).groups()
        self.port = int(port)
        self.url = f"http://{self.host}:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop(signal.SIGKILL)
        self.process.stdout.close()

    def stop(self, number=signal.SIGTERM):
        """The exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=600)

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])

    def connect(self, receive_buffer=0):
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.settimeout(600)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect((self.host, self.port))
        return connection

    def post(self, path, body, headers="", receive_buffer=0):
        """A connection on which the request was sent."""
        data = body if isinstance(body, bytes) else body.encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n{headers}\r\n"
        connection = self.connect(receive_buffer)
        connection.sendall(head.encode() + data)
        return connection

    def metric(self, name):
        connection = self.connect()
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        connection.close()
        return float(re.search(rf"^{name} (\S+)$", text, re.M)[1])

    def wait_for(self, name, value):
        """How long it took until a metric had this value; fails after 20,000 looks, minutes."""
        begin, looks = time.monotonic(), 0
        while self.metric(name) != value:
            looks += 1
            assert looks < 20_000, f"{name} is {self.metric(name)}, not {value}"
            time.sleep(0.005)
        return time.monotonic() - begin


def status_of(connection):
    """The status of the reply, once its first line is there."""
    data = b""
    while b"\r\n" not in data:
        part = connection.recv(1)
        assert part, "the connection was closed without a reply"
        data += part
    return int(data.split()[1])
