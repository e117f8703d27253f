"""class Llama of llama-cpp-python, over libmla."""

import secrets
from typing import Any, Dict, Generator, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from ..chat import Message
from ..context import Context
from ..errors import InvalidArgumentError, UnsupportedError
from ..generation import Generation, Stop
from ..model import Model
from ..sampler import Logits, Sampler
from ..types import CacheType
from .arguments import POOLINGS, RANDOM_SEED, WITHOUT_EFFECT, LogitsProcessor, StoppingCriteria, cache_type, mask_of, or_none, refuse, stops
from .responses import Completion, LogProbs, Response


class LlamaState(NamedTuple):
    """What save_state() keeps."""

    input_ids: npt.NDArray[np.int32]
    logits: Optional[Logits]
    kv: bytes


class Llama:
    """Takes the arguments of llama-cpp-python's class and answers its main calls. What would change the text but isn't
    there (grammar, LoRA, a draft model, infill) raises UnsupportedError."""

    def __init__(self, model_path: str, *, n_ctx: int = 512, n_batch: int = 512, n_ubatch: int = 512,
                 n_threads: Optional[int] = None, n_threads_batch: Optional[int] = None, seed: int = RANDOM_SEED,
                 logits_all: bool = False, embedding: bool = False, last_n_tokens_size: int = 64, pooling_type: int = -1, use_mmap: bool = True,
                 kv_overrides: Optional[Mapping[str, Union[bool, int, float, str]]] = None,
                 type_k: Union[None, int, str, CacheType] = None, type_v: Union[None, int, str, CacheType] = None, **others: Any) -> None:
        for name, value in others.items():
            if name not in WITHOUT_EFFECT and value is not None:
                raise UnsupportedError(f"mla.compat.Llama has no argument {name}")
        overrides = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in (kv_overrides or {}).items()}
        self.model_path = model_path
        self._model = Model.load(model_path, use_mmap=use_mmap, overrides=overrides)
        self._n_ctx = n_ctx or self._model.info.n_ctx_train
        self._context = Context(self._model, n_ctx=self._n_ctx, n_ubatch=min(n_batch, n_ubatch), n_threads=n_threads or 0,
                                n_threads_batch=n_threads_batch or 0, cache_type_k=cache_type(type_k), cache_type_v=cache_type(type_v))
        self._logits_all = logits_all
        if pooling_type not in POOLINGS:
            raise UnsupportedError(f"pooling type {pooling_type}: use one of {POOLINGS}")
        self._pooling = POOLINGS[pooling_type]
        self._seed = seed
        self._last_n = last_n_tokens_size
        self._input_ids: List[int] = []
        self._generated: List[int] = []  # since generate() began: what the penalties count, as there; not the prompt
        self._last: Optional[Logits] = None  # logits behind the last of them
        #: with logits_all, the logits of each position, [n_ctx, n_vocab]
        self.scores: Logits = np.zeros((self._n_ctx if logits_all else 0, self._model.info.n_vocab), np.float32)

    # ---- Tokens ----

    def tokenize(self, text: bytes, add_bos: bool = True, special: bool = False) -> List[int]:
        return self._model.tokenizer.encode(text, add_special=add_bos, parse_special=special)

    def detokenize(self, tokens: Sequence[int], prev_tokens: Optional[Sequence[int]] = None, special: bool = False) -> bytes:
        return self._model.tokenizer.decode_bytes(tokens, show_special=special)

    def token_bos(self) -> int:
        return or_none(self._model.tokenizer.bos)

    def token_eos(self) -> int:
        return or_none(self._model.tokenizer.eos)

    def token_nl(self) -> int:
        return or_none(self._model.tokenizer.find(b"\n"))

    def n_ctx(self) -> int:
        return self._n_ctx

    def n_embd(self) -> int:
        return self._model.info.n_embd

    def n_vocab(self) -> int:
        return self._model.info.n_vocab

    # ---- Step by step ----

    @property
    def n_tokens(self) -> int:
        """Tokens that have been evaluated."""
        return len(self._input_ids)

    @property
    def input_ids(self) -> npt.NDArray[np.int32]:
        return np.array(self._input_ids, np.int32)

    @property
    def eval_tokens(self) -> List[int]:
        return list(self._input_ids)

    @property
    def eval_logits(self) -> List[List[float]]:
        """Of all positions with logits_all, else of the last one."""
        if self._logits_all:
            return [row.tolist() for row in self.scores[:self.n_tokens]]
        return [] if self._last is None else [self._last.tolist()]

    def set_seed(self, seed: int) -> None:
        self._seed = seed

    def reset(self) -> None:
        """Forgets what was evaluated. Its rows of the cache stay, and save work when the same text comes again."""
        self._input_ids, self._last = [], None

    def eval(self, tokens: Sequence[int]) -> None:
        """Evaluates tokens behind those before."""
        ids = list(tokens)
        if not ids:
            return
        before = self.n_tokens
        self._context.kv.seq_rm(0, before)
        self._context.decode(ids, logits=True if self._logits_all else None)
        self._input_ids += ids
        for row in range(len(ids) if self._logits_all else 0):
            self.scores[before + row] = self._context.logits(row)
        self._last = self._context.logits().copy()

    def sample(self, top_k: int = 40, top_p: float = 0.95, min_p: float = 0.05, typical_p: float = 1.0, temp: float = 0.8,
               repeat_penalty: float = 1.0, frequency_penalty: float = 0.0, presence_penalty: float = 0.0, mirostat_mode: int = 0,
               mirostat_eta: float = 0.1, mirostat_tau: float = 5.0, logits_processor: Optional[LogitsProcessor] = None) -> int:
        """A token to follow those that were evaluated."""
        if self._last is None:
            raise InvalidArgumentError("sample() follows eval()")
        with self._sampler(locals(), self._input_ids) as sampler:
            for token in self._generated:
                sampler.accept(token)
            return sampler.sample(self._last)

    def generate(self, tokens: Sequence[int], *, reset: bool = True, stopping_criteria: Optional[StoppingCriteria] = None,
                 **sampling: Any) -> Generator[int, Optional[Sequence[int]], None]:
        """Tokens that follow `tokens`, without end; takes what sample() takes. Tokens that are sent to it follow the last one."""
        ids = list(tokens)
        if reset:
            shared = self._shared(ids[:-1])
            self._input_ids, ids = self._input_ids[:shared], ids[shared:]
        self._generated = []
        try:
            while True:
                self.eval(ids)
                token = self.sample(**sampling)
                if stopping_criteria and self._last is not None and stops(stopping_criteria, self._input_ids, self._last):
                    return
                self._generated.append(token)
                sent = yield token
                ids = [token, *(sent or ())]
        finally:
            self._generated = []

    def _shared(self, ids: Sequence[int]) -> int:
        """Tokens at the beginning of `ids` that were evaluated already."""
        pairs = enumerate(zip(ids, self._input_ids))
        return next((i for i, (a, b) in pairs if a != b), min(len(ids), len(self._input_ids)))

    def save_state(self) -> LlamaState:
        kv = self._context.kv
        kv.seq_rm(0, self.n_tokens)
        return LlamaState(self.input_ids, self._last, kv.save(seq=0) if self._input_ids else b"")

    def load_state(self, state: LlamaState) -> None:
        if state.kv:
            self._context.kv.load(state.kv, seq=0)
        else:
            self._context.kv.seq_rm(0)
        self._input_ids, self._last = state.input_ids.tolist(), state.logits

    # ---- Embeddings ----

    def embed(self, input: Union[str, Sequence[str]], normalize: bool = False) -> List[Any]:
        """A vector for each text, or, as long as pooling_type is none, the vectors of its tokens."""
        if isinstance(input, str):
            vectors: List[Any] = self._context.embed(input, pooling=self._pooling, normalize=normalize).tolist()
            return vectors
        return [self.embed(text, normalize) for text in input]

    def create_embedding(self, input: Union[str, Sequence[str]], model: Optional[str] = None) -> Response:
        texts = [input] if isinstance(input, str) else list(input)
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(self.embed(texts))]
        n = sum(len(self._model.tokenizer.encode(text)) for text in texts)
        return {"object": "list", "data": data, "model": model or self.model_path, "usage": {"prompt_tokens": n, "total_tokens": n}}

    # ---- Completions ----

    def create_completion(self, prompt: Union[str, Sequence[int]], suffix: Optional[str] = None, max_tokens: Optional[int] = 16,
                          temperature: float = 0.8, top_p: float = 0.95, min_p: float = 0.05, typical_p: float = 1.0,
                          logprobs: Optional[int] = None, echo: bool = False, stop: Optional[Stop] = None,
                          frequency_penalty: float = 0.0, presence_penalty: float = 0.0, repeat_penalty: float = 1.0,
                          top_k: int = 40, stream: bool = False, seed: Optional[int] = None, mirostat_mode: int = 0,
                          mirostat_tau: float = 5.0, mirostat_eta: float = 0.1, model: Optional[str] = None,
                          stopping_criteria: Optional[StoppingCriteria] = None, logits_processor: Optional[LogitsProcessor] = None,
                          logit_bias: Optional[Mapping[Any, float]] = None, **others: Any) -> Union[Response, Iterator[Response]]:
        """OpenAI's text completion; with stream=True, its chunks. As in llama-cpp-python, text of the prompt that reads like a control
        token becomes that token: text of users goes through create_chat_completion()."""
        refuse({"suffix": suffix, **others})
        tokens = self.tokenize(prompt.encode(), special=True) if isinstance(prompt, str) else list(prompt)
        text = prompt if isinstance(prompt, str) else self._model.tokenizer.decode(prompt)
        observer = LogProbs(self._context, logprobs, len(text)) if logprobs is not None else None
        generation = self._generation(tokens, locals(), max_tokens, stop, observer)
        completion = Completion(generation, model or self.model_path, observer, text if echo else "")
        return completion.text_chunks() if stream else completion.text()

    __call__ = create_completion

    def create_chat_completion(self, messages: Sequence[Message], tools: Optional[Sequence[Any]] = None, temperature: float = 0.2,
                               top_p: float = 0.95, top_k: int = 40, min_p: float = 0.05, typical_p: float = 1.0,
                               stream: bool = False, stop: Optional[Stop] = None, seed: Optional[int] = None,
                               max_tokens: Optional[int] = None, presence_penalty: float = 0.0, frequency_penalty: float = 0.0,
                               repeat_penalty: float = 1.0, mirostat_mode: int = 0, mirostat_tau: float = 5.0,
                               mirostat_eta: float = 0.1, model: Optional[str] = None,
                               logits_processor: Optional[LogitsProcessor] = None,
                               logit_bias: Optional[Mapping[Any, float]] = None,
                               **others: Any) -> Union[Response, Iterator[Response]]:
        """OpenAI's chat completion, by the model's own template; with stream=True, its chunks."""
        refuse(others)
        template = self._model.chat_template
        if template is None:
            raise UnsupportedError(f"{self.model_path} has no chat template")
        variables: Dict[str, Any] = {"tools": list(tools)} if tools else {}
        tokens = template.encode(self._model.tokenizer, messages, **variables)
        generation = self._generation(tokens, locals(), max_tokens, stop)
        completion = Completion(generation, model or self.model_path)
        return completion.chat_chunks() if stream else completion.chat()

    def _generation(self, tokens: List[int], arguments: Mapping[str, Any], max_tokens: Optional[int], stop: Optional[Stop],
                    observer: Optional[LogProbs] = None) -> Generation:
        if len(tokens) >= self._n_ctx:
            raise InvalidArgumentError(f"the prompt has {len(tokens)} tokens, and the context {self._n_ctx}: raise n_ctx")
        seen, criteria = list(tokens), arguments.get("stopping_criteria")

        def on_token(token: int) -> bool:
            if criteria and stops(criteria, seen, self._context.logits()):
                return False
            seen.append(token)
            if observer:
                observer(token)
            return True

        def on_close() -> None:  # the last token was not evaluated
            if self._context.closed:
                return
            self._input_ids = seen[:self._context.kv.seq_len(0)]
            self._last = self._context.logits().copy() if generation.tokens else None

        sampler = self._sampler(arguments, seen)
        bound = max_tokens if max_tokens is not None and max_tokens > 0 else None
        generation = Generation(self._context, tokens, sampler, bound, stop or (), on_close, on_token, penalise_prompt=False)
        return generation

    def _sampler(self, arguments: Mapping[str, Any], seen: List[int]) -> Sampler:
        """A sampler for llama-cpp-python's arguments."""
        names = ("top_k", "top_p", "min_p", "typical_p", "repeat_penalty", "frequency_penalty", "presence_penalty", "mirostat_tau",
                 "mirostat_eta")
        options: Dict[str, Any] = {name: arguments[name] for name in names}
        options["top_k"] = max(0, options["top_k"])
        options["temperature"] = max(0.0, arguments["temp"] if "temp" in arguments else arguments["temperature"])
        seed = arguments.get("seed")
        seed = self._seed if seed is None else seed
        # Another draw for each position, also where each token has a sampler of its own.
        options["seed"] = secrets.randbits(64) if seed in (RANDOM_SEED, -1) else seed + len(seen)
        options["mirostat"], options["penalty_last_n"] = arguments["mirostat_mode"], self._last_n
        options["logit_bias"] = {int(token): bias for token, bias in (arguments.get("logit_bias") or {}).items()}
        if arguments.get("logits_processor"):
            options["mask"] = mask_of(arguments["logits_processor"], seen)
        return Sampler(**options)

    def close(self) -> None:
        self._context.close()
        self._model.close()

    def __enter__(self) -> "Llama":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
