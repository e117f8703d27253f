import importlib.util
import json
from typing import Any, Dict, Iterator, List

import numpy as np
import pytest

import mla
from conftest import ROOT
from mla.compat import Llama

PROMPT = "In the beginning"


@pytest.fixture(scope="module")
def llama() -> Iterator[Llama]:
    with Llama(mla.demo_model(), n_ctx=512, seed=1, verbose=False, n_gpu_layers=0) as made:
        yield made


def test_completion(llama: Llama, model: mla.Model) -> None:
    response: Any = llama(PROMPT, max_tokens=12, temperature=0.0, echo=True)
    expected = model.generate(PROMPT, max_tokens=12, temperature=0.0)
    assert response["choices"] == [{"index": 0, "text": PROMPT + expected, "logprobs": None, "finish_reason": "length"}]
    n = len(model.tokenizer.encode(PROMPT))
    assert response["usage"] == {"prompt_tokens": n, "completion_tokens": 12, "total_tokens": n + 12}
    assert response["object"] == "text_completion" and response["id"].startswith("cmpl-") and response["model"] == llama.model_path


def test_streamed_completion(llama: Llama) -> None:
    whole: Any = llama.create_completion(PROMPT, max_tokens=20, seed=7, stop=["\n"])
    chunks: List[Any] = list(llama.create_completion(PROMPT, max_tokens=20, seed=7, stop=["\n"], stream=True))
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole["choices"][0]["text"]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_logprobs(llama: Llama) -> None:
    response: Any = llama(PROMPT, max_tokens=5, temperature=0.0, logprobs=3)
    data = response["choices"][0]["logprobs"]
    assert "".join(data["tokens"]) == response["choices"][0]["text"]
    llama.reset()
    llama.eval(llama.tokenize(PROMPT.encode()))
    logits = np.array(llama.eval_logits[-1])
    expected = logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())
    assert data["token_logprobs"][0] == pytest.approx(expected.max(), abs=1e-2)
    assert max(data["top_logprobs"][0].values()) == data["token_logprobs"][0] and len(data["top_logprobs"][0]) == 3
    assert data["text_offset"][:2] == [len(PROMPT), len(PROMPT) + len(data["tokens"][0])]


def test_chat_completion(llama: Llama, model: mla.Model) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who was Ahab?"}]
    response: Any = llama.create_chat_completion(messages, max_tokens=16, temperature=0.0)
    assert response["object"] == "chat.completion"
    assert response["choices"][0]["message"] == {
        "role": "assistant", "content": model.chat(messages, max_tokens=16, temperature=0.0)}
    chunks: List[Any] = list(llama.create_chat_completion(messages, max_tokens=16, temperature=0.0, stream=True))
    deltas: List[Dict[str, str]] = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant"} and deltas[-1] == {}
    assert "".join(delta.get("content", "") for delta in deltas) == response["choices"][0]["message"]["content"]


def test_tokens(llama: Llama) -> None:
    ids = llama.tokenize(b"Call me Ishmael")
    assert llama.detokenize(ids) == b"Call me Ishmael"
    assert llama.tokenize(b"a", add_bos=False) == [ids_of for ids_of in llama.tokenize(b"a") if ids_of != llama.token_bos()]
    assert (llama.n_ctx(), llama.n_vocab(), llama.n_embd()) == (512, 2048, 256)
    assert llama.detokenize([llama.token_eos()]) == b"" and llama.detokenize([llama.token_nl()]) == b"\n"


def test_step_by_step_is_what_a_completion_is(llama: Llama) -> None:
    ids = llama.tokenize(PROMPT.encode())
    tokens: List[int] = []
    for token in llama.generate(ids, temp=0.0):
        tokens.append(token)
        if len(tokens) == 12:
            break
    response: Any = llama(PROMPT, max_tokens=12, temperature=0.0)
    assert llama.detokenize(tokens).decode() == response["choices"][0]["text"]


def test_states(llama: Llama) -> None:
    llama.reset()
    llama.eval(llama.tokenize(PROMPT.encode()))
    state, n = llama.save_state(), llama.n_tokens
    assert n > 0
    first = [llama.sample(temp=1.0) for _ in range(3)]
    llama.eval(llama.tokenize(b" something else", add_bos=False))
    llama.load_state(state)
    assert llama.n_tokens == n and [llama.sample(temp=1.0) for _ in range(3)] == first
    llama.eval([llama.sample(temp=0.0)])
    with Llama(mla.demo_model()) as other:
        other.load_state(state)
        assert other.n_tokens == n and other.sample(temp=0.0) == llama.eval_tokens[-1]


def test_all_logits() -> None:
    with Llama(mla.demo_model(), n_ctx=64, logits_all=True) as all_rows:
        ids = all_rows.tokenize(PROMPT.encode())
        all_rows.eval(ids[:2])
        all_rows.eval(ids[2:])
        assert all_rows.scores.shape == (64, 2048) and len(all_rows.eval_logits) == len(ids)
        assert all(all_rows.scores[row].any() for row in range(len(ids))) and not all_rows.scores[len(ids)].any()


def test_logits_processor_and_bias(llama: Llama) -> None:
    only = llama.tokenize(b" the", add_bos=False)[0]
    lengths: List[int] = []

    def processor(ids: Any, logits: Any) -> Any:
        lengths.append(len(ids))
        logits[:] = -np.inf
        logits[only] = 0
        return logits

    response: Any = llama(PROMPT, max_tokens=3, logits_processor=processor)
    assert response["choices"][0]["text"] == " the the the"
    n = len(llama.tokenize(PROMPT.encode()))
    assert lengths == [n, n + 1, n + 2]
    biased: Any = llama(PROMPT, max_tokens=2, logit_bias={str(only): 1e9})
    assert biased["choices"][0]["text"] == " the the"


def test_what_is_not_there_is_refused(llama: Llama) -> None:
    for call in (lambda: llama(PROMPT, grammar="root ::= x"), lambda: llama(PROMPT, suffix="end"),
                 lambda: Llama(mla.demo_model(), lora_path="x"), lambda: Llama(mla.demo_model(), type_k=7),
                 lambda: llama.create_chat_completion([], response_format={"type": "json_object"})):
        with pytest.raises(mla.UnsupportedError):
            call()
    with pytest.raises(mla.InvalidArgumentError, match="n_ctx"):
        llama([5] * 512)


def test_embeddings(model: mla.Model) -> None:
    with Llama(mla.demo_model(), embedding=True, pooling_type=1) as llama:
        vector = llama.embed("The captain", normalize=True)
        np.testing.assert_allclose(vector, model.embed("The captain"), atol=1e-5)
        response = llama.create_embedding(["The captain", "Her sister"])
        assert [entry["index"] for entry in response["data"]] == [0, 1] and len(response["data"][1]["embedding"]) == 256
    with Llama(mla.demo_model(), embedding=True) as llama:
        assert np.array(llama.embed("The captain")).shape == (len(llama.tokenize(b"The captain")), 256)


def test_stopping_criteria_and_sent_tokens(llama: Llama) -> None:
    ids = llama.tokenize(PROMPT.encode())
    response: Any = llama(PROMPT, max_tokens=50, temperature=0.0, stopping_criteria=lambda seen, logits: len(seen) >= len(ids) + 5)
    assert response["usage"]["completion_tokens"] == 5 and response["choices"][0]["finish_reason"] == "stop"
    tokens = list(llama.generate(ids, temp=0.0, stopping_criteria=[lambda seen, logits: len(seen) >= len(ids) + 5]))
    assert llama.detokenize(tokens).decode() == response["choices"][0]["text"]
    generator = llama.generate(ids, temp=0.0)
    first = next(generator)
    generator.send([10, 11])
    assert llama.eval_tokens == ids + [first, 10, 11]


def test_control_tokens_of_a_prompt_are_tokens(llama: Llama) -> None:
    messages = [{"role": "user", "content": "Who was Ahab?"}]
    chat: Any = llama.create_chat_completion(messages, max_tokens=12, temperature=0.0)
    by_hand: Any = llama("<｜User｜>Who was Ahab?<｜Assistant｜>", max_tokens=12, temperature=0.0)
    assert by_hand["choices"][0]["text"] == chat["choices"][0]["message"]["content"]
    assert by_hand["usage"] == chat["usage"]


ORIGINAL = ROOT / "tests/golden/llama_cpp_python"


def test_the_original_says_the_same() -> None:
    golden = json.loads((ORIGINAL / "golden.json").read_text())
    spec = importlib.util.spec_from_file_location("calls", ORIGINAL / "calls.py")
    assert spec and spec.loader
    calls = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(calls)
    said = calls.results(Llama, mla.demo_model())
    assert said.keys() == golden["results"].keys()
    for name, expected in golden["results"].items():
        assert said[name] == expected, name
    numbers, expected = calls.numbers(Llama, mla.demo_model()), golden["numbers"]
    assert numbers["embed shape"] == expected["embed shape"]
    # Two engines with f16 weights and activations of different rounding; logits and embeddings are of size 10.
    for name in ("scores", "embed"):
        np.testing.assert_allclose(numbers[name], expected[name], atol=0.01)
    ours, theirs = numbers["logprobs"], expected["logprobs"]
    assert (ours["tokens"], ours["text_offset"]) == (theirs["tokens"], theirs["text_offset"])
    np.testing.assert_allclose(ours["token_logprobs"], theirs["token_logprobs"], atol=0.01)
    for one, other in zip(ours["top_logprobs"], theirs["top_logprobs"]):
        assert list(one) == list(other)
        np.testing.assert_allclose(list(one.values()), list(other.values()), atol=0.01)
