"""Calls that llama-cpp-python's class Llama and mla.compat.Llama both answer; what they say, as JSON can hold it."""

import itertools
from typing import Any, Callable, Dict, List

import numpy as np

PROMPTS = ["In the beginning", "Call me Ishmael", "It is a truth universally acknowledged, that", "And God said unto Noah,", "The whale", "1 2 3 4"]


def without_names(response: Any) -> Any:
    """Less what differs from call to call."""
    return {key: value for key, value in response.items() if key not in ("id", "created", "model")}


def no_early_tokens(ids: Any, logits: Any) -> Any:
    logits[:500] = -np.inf
    return logits


def texts(llama: Any) -> Dict[str, Any]:
    """Completions that leave nothing to chance."""
    greedy: Callable[..., Any] = lambda prompt, **options: without_names(llama(prompt, temperature=0.0, **options))
    said = {f"greedy: {prompt}": greedy(prompt, max_tokens=48) for prompt in PROMPTS}
    said.update({f"top_k=1: {prompt}": without_names(llama(prompt, max_tokens=20, top_k=1)) for prompt in PROMPTS})
    said["echo"] = greedy("Call me", max_tokens=8, echo=True)
    said["stop"] = greedy("In the beginning", max_tokens=48, stop=["the", "."])
    said["repeat_penalty"] = greedy("In the beginning", max_tokens=32, repeat_penalty=1.3)
    said["presence_penalty"] = greedy("In the beginning", max_tokens=32, presence_penalty=1.0, frequency_penalty=0.5)
    said["logits_processor"] = greedy("In the beginning", max_tokens=8, logits_processor=[no_early_tokens])
    chunks = list(llama("And it came to pass", max_tokens=32, temperature=0.0, stream=True))
    said["stream"] = "".join(chunk["choices"][0]["text"] for chunk in chunks)
    said["chunks"] = [[sorted(chunk["choices"][0]), chunk["choices"][0]["finish_reason"]] for chunk in chunks]
    return said


def steps(llama: Any) -> Dict[str, Any]:
    """Tokens, and the calls from token to token."""
    ids = llama.tokenize("Ünïcode – 世界, “quoted”\n".encode())
    said: Dict[str, Any] = {"tokenize": list(ids), "detokenize": llama.detokenize(ids).decode(), "no bos": list(llama.tokenize(b"the whale", add_bos=False))}
    said["sizes"] = [llama.n_ctx(), llama.n_embd(), llama.n_vocab(), llama.token_bos(), llama.token_eos()]
    llama.reset()
    llama.eval(llama.tokenize(b"In the beginning"))
    sampled: List[int] = []
    for _ in range(10):
        sampled.append(int(llama.sample(temp=0.0)))
        llama.eval([sampled[-1]])
    said["eval and sample"] = [sampled, llama.n_tokens]
    state = llama.save_state()
    llama.eval([300])
    llama.load_state(state)
    llama.eval([sampled[-1]])  # there, a state has no logits
    said["load_state"] = [int(llama.sample(temp=0.0)), llama.n_tokens]
    for penalty in (1.0, 1.5):
        tokens = llama.generate(llama.tokenize(b"The king"), temp=0.0, repeat_penalty=penalty)
        said[f"generate, {penalty}"] = [int(token) for token in itertools.islice(tokens, 12)]
    return said


def results(llama_class: Any, path: str, **options: Any) -> Dict[str, Any]:
    options = {"n_ctx": 512, "n_threads": 1, "seed": 1, **options}
    said = {**texts(llama_class(path, **options)), **steps(llama_class(path, **options))}
    window = llama_class(path, last_n_tokens_size=4, **options)
    said["last_n_tokens_size"] = without_names(window("In the beginning", max_tokens=32, temperature=0.0, repeat_penalty=1.3))
    return said


def numbers(llama_class: Any, path: str, **options: Any) -> Dict[str, Any]:
    """What two engines compute alike only to some digits, and its shape."""
    options = {"n_ctx": 512, "n_threads": 1, **options}
    llama = llama_class(path, logits_all=True, **options)
    logprobs = llama("Call me", max_tokens=4, temperature=0.0, logprobs=2)["choices"][0]["logprobs"]
    tokens = llama.tokenize(b"In the beginning God created")
    llama.reset()
    llama.eval(tokens)
    vectors = np.array(llama_class(path, embedding=True, **options).embed("the whale"))
    return {"logprobs": logprobs, "scores": np.array(llama.scores[:len(tokens), ::256]).tolist(), "embed": vectors[:, ::32].tolist(),
            "embed shape": list(vectors.shape)}
