import asyncio
import os
import subprocess
import threading
from typing import Any, List, Tuple

import pytest

import mla

PROMPT = "In the beginning"


def test_text_is_what_the_cpp_program_writes(model: mla.Model) -> None:
    program = os.environ.get("MLA_RUN")
    if not program:
        pytest.skip("MLA_RUN does not name mla-run: its text was not compared")
    cases: List[Tuple[str, Any]] = [("--seed 7", {"seed": 7}),
                                    ("--temp 0 --repeat-penalty 1.3", {"temperature": 0.0, "repeat_penalty": 1.3}),
                                    ("--seed 3 --top-k 0 --top-p 1 --min-p 0", {"seed": 3, "top_k": 0, "top_p": 1.0, "min_p": 0.0}),
                                    ("--seed 9 --mirostat 2", {"seed": 9, "mirostat": 2})]
    for flags, options in cases:
        command = [program, "-n", "64", "--no-display-prompt", "-p", PROMPT, *flags.split()]
        expected = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()
        assert model.generate(PROMPT, max_tokens=64, **options) + "\n" == expected


def test_pieces_add_up_to_the_whole(model: mla.Model) -> None:
    whole = model.generate(PROMPT, max_tokens=40, seed=5)
    generation = model.generate(PROMPT, max_tokens=40, seed=5, stream=True)
    pieces = list(generation)
    assert len(pieces) > 10 and "".join(pieces) == whole == generation.text
    assert len(generation.tokens) == 40 and generation.finish_reason == "length"
    assert generation.n_prompt == len(model.tokenizer.encode(PROMPT))


def test_async_for_gives_the_same(model: mla.Model) -> None:
    async def collect(seed: int) -> str:
        return "".join([piece async for piece in model.generate(PROMPT, max_tokens=30, seed=seed, stream=True)])

    async def several() -> List[str]:
        return list(await asyncio.gather(*(collect(seed) for seed in range(4))))

    assert asyncio.run(several()) == [model.generate(PROMPT, max_tokens=30, seed=seed) for seed in range(4)]


def test_a_cancelled_task_stops_and_leaves_the_context_usable(model: mla.Model, ids: List[int]) -> None:
    with mla.Context(model, n_ctx=1 << 15) as context:
        async def run() -> None:
            generation = context.generate(ids * (30000 // len(ids)), stream=True)
            task = asyncio.ensure_future(generation.__anext__())
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(run())
        assert context.kv.seq_len(0) == 0
        assert context.generate(PROMPT, max_tokens=8, seed=1) == model.generate(PROMPT, max_tokens=8, seed=1)


def test_the_same_seed_gives_the_same_text_and_no_seed_another(model: mla.Model) -> None:
    assert model.generate(PROMPT, max_tokens=20, seed=2) == model.generate(PROMPT, max_tokens=20, seed=2)
    assert len({model.generate(PROMPT, max_tokens=20) for _ in range(4)}) > 1


def test_stop_strings_end_the_text_and_are_not_part_of_it(model: mla.Model) -> None:
    whole = model.generate(PROMPT, max_tokens=60, seed=5)
    for stop in (whole[20:24], whole[30:47], whole[5]):
        generation = model.generate(PROMPT, max_tokens=60, seed=5, stop=["never in this text", stop], stream=True)
        assert "".join(generation) == whole[:whole.index(stop)]
        assert generation.finish_reason == "stop"
    assert model.generate(PROMPT, max_tokens=60, seed=5, stop="never in this text") == whole


def test_what_the_cache_holds_is_not_computed_again(model: mla.Model, ids: List[int]) -> None:
    with mla.Context(model, n_ctx=1024) as context:
        first = context.generate(ids[:200], max_tokens=10, seed=1, stream=True)
        assert first.n_cached == 0 and "".join(first)
        again = context.generate(ids[:200], max_tokens=10, seed=1, stream=True)
        assert "".join(again) == first.text and again.n_cached == 199


def test_a_full_context_ends_the_text(model: mla.Model, ids: List[int]) -> None:
    with mla.Context(model, n_ctx=128) as context:
        generation = context.generate(ids[:100], max_tokens=None, seed=1, logit_bias={model.tokenizer.eos or 0: -float("inf")}, stream=True)
        assert "".join(generation) and generation.finish_reason == "length"
        assert 100 + len(generation.tokens) == 129  # the last one found no room, but was drawn
        with pytest.raises(mla.CacheFullError):
            context.generate(ids[:200])


def test_nothing_to_write(model: mla.Model) -> None:
    assert model.generate(PROMPT, max_tokens=0) == ""
    with pytest.raises(mla.InvalidArgumentError, match="empty"):
        model.generate([])
    assert model.generate(PROMPT, max_tokens=3, seed=1)  # the context came back


def test_chat(model: mla.Model) -> None:
    messages = [{"role": "user", "content": "Who was Ahab?"}]
    answer = model.chat(messages, max_tokens=20, seed=4)
    template = model.chat_template
    assert answer and template
    tokens = template.encode(model.tokenizer, messages)
    assert answer == model.generate(tokens, max_tokens=20, seed=4)
    assert answer == "".join(model.chat(messages, max_tokens=20, seed=4, stream=True))
    plain = mla.ChatTemplate("{{ messages[0]['content'] }}{{ suffix }}")
    assert model.chat(messages, max_tokens=20, seed=4, chat_template=plain, chat_template_kwargs={"suffix": "!"}) == model.generate(
        model.tokenizer.encode("Who was Ahab?!", add_special=False), max_tokens=20, seed=4)


def test_threads_generate_at_once(model: mla.Model) -> None:
    expected = [model.generate(PROMPT, max_tokens=40, seed=seed) for seed in range(6)]
    found = [""] * 6

    def work(seed: int) -> None:
        found[seed] = model.generate(PROMPT, max_tokens=40, seed=seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected
