"""mla-server from outside: PyPI's openai client, and clients that misbehave. Run by run_openai_test.sh."""
import concurrent.futures
import json
import random
import signal
import tempfile
import time
import unittest

import openai
from served import Server, status_of

LONG = " ".join(f"verse {i} and the people of the land went up" for i in range(120))


def client_of(server, key="none"):
    return openai.OpenAI(base_url=server.url + "/v1", api_key=key, max_retries=0, timeout=600)


def ask(client, text="Who went up?", **options):
    options = {"temperature": 0, "max_tokens": 24, **options}
    return client.chat.completions.create(model="libmla demo", messages=[{"role": "user", "content": text}], **options)


def streamed(client, text, **options):
    """The text of a stream, and its last chunk."""
    out, last = "", None
    for chunk in ask(client, text, stream=True, stream_options={"include_usage": True}, **options):
        out += "".join(choice.delta.content or "" for choice in chunk.choices)
        last = chunk
    return out, last


class Interface(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server("-c", "4096"))
        cls.client = client_of(cls.server)

    def test_models(self):
        self.assertEqual([model.id for model in self.client.models.list()], ["libmla demo"])

    def test_chat_streamed_and_whole_are_the_same(self):
        whole = ask(self.client)
        text, last = streamed(self.client, "Who went up?")
        self.assertEqual(whole.choices[0].message.content, text)
        self.assertEqual(whole.choices[0].finish_reason, "length")
        self.assertEqual(whole.usage.completion_tokens, 24)
        self.assertEqual(last.usage.completion_tokens, 24)
        self.assertEqual(last.usage.prompt_tokens_details.cached_tokens, last.usage.prompt_tokens - 1)

    def test_stop_is_cut(self):
        text = ask(self.client).choices[0].message.content
        stop = text[8:13]
        reply = ask(self.client, stop=[stop]).choices[0]
        self.assertEqual(reply.message.content, text[: text.index(stop)])
        self.assertEqual(reply.finish_reason, "stop")

    def test_logprobs(self):
        choice = ask(self.client, logprobs=True, top_logprobs=3).choices[0]
        self.assertEqual("".join(entry.token for entry in choice.logprobs.content), choice.message.content)
        for entry in choice.logprobs.content:
            self.assertEqual(len(entry.top_logprobs), 3)
            self.assertEqual(entry.token, entry.top_logprobs[0].token)  # greedy
            self.assertLessEqual(entry.logprob, 0)

    def test_choices_and_prompts(self):
        reply = self.client.completions.create(model="libmla demo", prompt=["In the beginning", [0, 300]], n=2, temperature=0, max_tokens=5)
        self.assertEqual([choice.index for choice in reply.choices], [0, 1, 2, 3])
        self.assertEqual(reply.choices[0].text, reply.choices[1].text)

    def test_embeddings(self):
        data = self.client.embeddings.create(model="libmla demo", input=["the sea", "the sea", "a wedding"]).data  # in base64
        dot = lambda a, b: sum(x * y for x, y in zip(a.embedding, b.embedding))
        self.assertAlmostEqual(dot(data[0], data[0]), 1, places=4)
        self.assertAlmostEqual(dot(data[0], data[1]), 1, places=4)
        self.assertLess(dot(data[0], data[2]), 0.99)

    def test_mistakes(self):
        with self.assertRaises(openai.NotFoundError):
            self.client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "x"}])
        with self.assertRaises(openai.BadRequestError):
            ask(self.client, temperature=-1)
        with self.assertRaises(openai.BadRequestError) as caught:
            ask(self.client, LONG * 10)
        self.assertEqual(caught.exception.code, "context_length_exceeded")


class Template(unittest.TestCase):
    """Tools and thoughts, which the demo model can't produce by itself: the template makes it go on within them."""

    def test_reasoning(self):
        with tempfile.NamedTemporaryFile("w", suffix=".jinja") as file:
            file.write("{{ bos_token }}{{ messages[0].content }}{% if thinking %}<think>\n{% endif %}")
            file.flush()
            with Server("--chat-template-file", file.name) as server:
                client = client_of(server)
                message = ask(client, extra_body={"chat_template_kwargs": {"thinking": True}}).choices[0].message
                self.assertTrue(message.reasoning_content)
                self.assertEqual(message.content, "")
                self.assertTrue(ask(client).choices[0].message.content)


class Keys(unittest.TestCase):
    def test_keys_and_origins(self):
        with Server("--api-key", "right", "--cors", "https://example.org") as server:
            with self.assertRaises(openai.AuthenticationError):
                ask(client_of(server, "wrong"))
            self.assertTrue(ask(client_of(server, "right")).choices)
            connection = server.connect()
            connection.sendall(b"OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: x\r\nOrigin: https://example.org\r\nConnection: close\r\n\r\n")
            reply = b"".join(iter(lambda: connection.recv(4096), b""))
            self.assertIn(b" 204 ", reply)
            self.assertIn(b"Access-Control-Allow-Origin: https://example.org", reply)
            connection.close()


class Hostile(unittest.TestCase):
    def test_sixty_four_clients_while_others_misbehave(self):
        with Server("-c", "1024", "--parallel", "8", "--cache-ram", "16") as server:
            client = client_of(server)
            texts = [f"Verse {i}: who went up?" for i in range(8)]
            alone = [streamed(client, text, max_tokens=100)[0] for text in texts]

            def steady(i):
                text, last = streamed(client, texts[i % 8], max_tokens=100)
                return text == alone[i % 8] and last.usage.completion_tokens == 100

            def killed(i):  # goes at some moment: queued, in the prompt, in the answer
                connection = server.post("/v1/chat/completions", json.dumps({"messages": [{"role": "user", "content": LONG[: 300 + i]}], "stream": True, "ignore_eos": True}))
                time.sleep(random.Random(i).random() * 0.5)
                connection.close()
                return True

            def slow(i):  # reads nothing for a while
                connection = server.post("/v1/completions", json.dumps({"prompt": "And", "stream": True, "max_tokens": 900, "ignore_eos": True, "n": 2}))
                time.sleep(2)
                data = b""
                while b"[DONE]" not in data:
                    part = connection.recv(65536)
                    if not part:
                        return False
                    data += part
                connection.close()
                return True

            def large(i):  # more than the context, and more than a body may have
                with server.post("/v1/completions", json.dumps({"prompt": "and " * 2_500_000})) as connection:
                    return status_of(connection) == 400

            def malformed(i):
                bodies = [b"{", b"\xff\xfe", b"[" * 1_000_000, b'{"messages": 5}', b'{"model": {}}', b"null", b'{"prompt": "\\ud800"}', b'{"messages": [], "n": -1}']
                with server.post("/v1/chat/completions", bodies[i % len(bodies)]) as connection:
                    return status_of(connection) == 400

            def round_of_all():
                jobs = [(steady, i) for i in range(64)] + [(killed, i) for i in range(32)] + [(slow, i) for i in range(4)]
                jobs += [(large, i) for i in range(2)] + [(malformed, i) for i in range(16)]
                random.Random(1).shuffle(jobs)
                with concurrent.futures.ThreadPoolExecutor(len(jobs)) as pool:
                    results = list(pool.map(lambda job: (job[0].__name__, job[1], job[0](job[1])), jobs))
                self.assertEqual([result for result in results if not result[2]], [])
                server.wait_for("mla_slots_busy", 0)
                self.assertEqual(server.metric("mla_requests_waiting"), 0)
                return server.resident_kib()

            sizes = [round_of_all() for _ in range(4)]
            print("resident after each round, KiB:", sizes)
            self.assertLess(sizes[-1], sizes[1] + 16 * 1024)
            self.assertEqual(server.metric("mla_answers_failed_total"), 0)

    def test_body_beyond_the_limit(self):
        with Server("--max-body", "1") as server:
            with server.post("/v1/completions", b" " * (2 << 20)) as connection:
                self.assertEqual(status_of(connection), 413)
            self.assertTrue(ask(client_of(server)).choices)

    def test_clients_that_go_free_their_slot(self):
        with Server("-c", "32768", "--parallel", "1") as server:
            running = json.dumps({"prompt": LONG * 12, "max_tokens": 10000, "ignore_eos": True, "stream": True, "cache_prompt": False})
            for wait in (0.1, 0.5, 3):  # in the prompt, and behind it
                connection = server.post("/v1/completions", running)
                server.wait_for("mla_slots_busy", 1)
                queued = server.post("/v1/completions", running)
                server.wait_for("mla_requests_waiting", 1)
                queued.close()
                gone = server.wait_for("mla_requests_waiting", 0)
                time.sleep(wait)
                cancelled = server.metric("mla_answers_cancelled_total")
                connection.close()
                freed = server.wait_for("mla_slots_busy", 0)
                server.wait_for("mla_answers_cancelled_total", cancelled + 1)  # it did not come to its end
                print(f"queued client gone after {gone * 1000:.0f} ms, running one after {freed * 1000:.0f} ms")

    def test_long_prompts_give_signs_of_life(self):
        with Server("-c", "65536", "--cache-type", "f32", "-t", "1") as server:
            begin = time.monotonic()
            connection = server.post("/v1/completions", json.dumps({"prompt": LONG * 7, "max_tokens": 1, "stream": True}))
            self.assertEqual(status_of(connection), 200)
            data, longest, last = b"", 0, time.monotonic()
            while b"[DONE]" not in data:
                data += connection.recv(65536)
                longest, last = max(longest, time.monotonic() - last), time.monotonic()
            connection.close()
            print(f"{time.monotonic() - begin:.1f} s, {data.count(b': still working')} comment lines, longest silence {longest:.2f} s")
            self.assertIn(b": still working", data.partition(b"data:")[0])

    def test_clean_shutdown(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Server("--grace", "60") as server:  # as long as a machine with much else to do needs
                connection = server.post("/v1/completions", json.dumps({"prompt": "And", "max_tokens": 300, "stream": True, "ignore_eos": True}))
                self.assertEqual(status_of(connection), 200)
                self.assertEqual(server.stop(number), 0)
                data = b"".join(iter(lambda: connection.recv(65536), b""))
                self.assertIn(b"[DONE]", data[-200:])  # what was in work got its end
                connection.close()

    def test_shutdown_waits_for_a_slow_reader(self):
        with Server("--grace", "600") as server:  # a sanitized build makes these answers in minutes
            body = json.dumps({"messages": [{"role": "user", "content": "And"}], "max_tokens": 2600, "stream": True, "ignore_eos": True,
                               "logprobs": True, "top_logprobs": 20})
            connection = server.post("/v1/chat/completions", body, "Connection: close\r\n", receive_buffer=4096)
            self.assertEqual(status_of(connection), 200)
            server.process.send_signal(signal.SIGTERM)
            data, n_bytes = b"", 0
            while part := connection.recv(65536):  # the answer is more than the buffers on the way hold: it is made long before it is out
                data, n_bytes = (data + part)[-200:], n_bytes + len(part)
                time.sleep(0.015 if n_bytes < 1_500_000 else 0)
            self.assertIn(b"[DONE]", data)
            self.assertEqual(server.process.wait(timeout=60), 0)
            connection.close()


class Restart(unittest.TestCase):
    def test_a_long_chat_outlives_kill_9(self):
        with tempfile.TemporaryDirectory() as folder:
            text = (LONG * 12)[:32500]

            def first_token(server):
                begin = time.monotonic()
                chunks = ask(client_of(server), text, max_tokens=8, stream=True, stream_options={"include_usage": True})
                next(chunks)
                seconds = time.monotonic() - begin
                return seconds, list(chunks)[-1].usage

            arguments = ("-c", "16384", "--cache-dir", folder)
            with Server(*arguments) as server:
                client_of(server).models.list()  # so that both times are of a server that is up
                cold, usage = first_token(server)
                self.assertGreater(usage.prompt_tokens, 8000)
                self.assertEqual(usage.prompt_tokens_details.cached_tokens, 0)
                server.stop(signal.SIGKILL)
            with Server(*arguments) as server:
                client_of(server).models.list()
                warm, usage = first_token(server)
                print(f"{usage.prompt_tokens} tokens: cold {cold:.3f} s, after kill -9 {warm:.3f} s ({warm / cold:.1%}), cached {usage.prompt_tokens_details.cached_tokens}")
                self.assertGreaterEqual(usage.prompt_tokens_details.cached_tokens, 8000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
