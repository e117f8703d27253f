"""Picks the next token from logits. The same seed gives the same tokens on every machine."""

import math
from ctypes import byref, c_int32, c_size_t, c_void_p, sizeof
from typing import Any, Callable, List, Mapping, NamedTuple, Optional, TypedDict

import numpy as np
import numpy.typing as npt

from . import _abi
from ._library import Handle, Owner, check, failure, lib, new, taken_bytes
from .errors import InvalidArgumentError

Logits = npt.NDArray[np.float32]
Mask = Callable[[Logits], None]  #: lowers logits in place; -inf bans a token

_TINY = float(np.finfo(np.float32).tiny)


class SamplerOptions(TypedDict, total=False):
    """The keyword arguments of Sampler, which generate() and chat() take as well."""

    seed: int
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    repeat_penalty: float
    presence_penalty: float
    frequency_penalty: float
    penalty_last_n: int
    mirostat: int
    mirostat_tau: float
    mirostat_eta: float
    logit_bias: Optional[Mapping[int, float]]
    mask: Optional[Mask]


class TokenProbability(NamedTuple):
    token: int
    probability: float


def _c_value(name: str, value: float, neutral: float) -> float:
    """In the C interface 0 means the default; `neutral` is what means zero there. NaN never passes a range there either."""
    if math.isnan(value):
        raise InvalidArgumentError(f"{name} is not a number")
    return value if value else neutral


def _options(mask: Any, bias: Any, **o: Any) -> _abi.mla_sampler_options:
    """The C options for the C++ ones."""
    if o["temperature"] < 0 or math.isnan(o["temperature"]):
        raise InvalidArgumentError(f"temperature is {o['temperature']}: use 0 or more")
    if not 0 <= o["seed"] < 2**64:
        raise InvalidArgumentError(f"seed is {o['seed']}: use 0 to 2^64 - 1")
    if o["repeat_penalty"] <= 0 or o["typical_p"] <= 0:
        raise InvalidArgumentError("repeat_penalty and typical_p must be above 0")
    if o["penalty_last_n"] == 0:
        o.update(repeat_penalty=1.0, presence_penalty=0.0, frequency_penalty=0.0)
    for name, neutral in (("top_k", -1), ("top_p", _TINY), ("min_p", -1)):
        if o[name] < 0:
            raise InvalidArgumentError(f"{name} is {o[name]}: use 0 or more")
        o[name] = _c_value(name, o[name], neutral)
    return _abi.mla_sampler_options(struct_size=sizeof(_abi.mla_sampler_options), greedy=o["temperature"] == 0,
                                    logit_bias=bias, n_logit_bias=len(bias), mask=mask, **o)


class Sampler(Owner):
    """The chain of <mla/sampler.hpp>, options spelt and meant as there. For one stream of text.

    temperature 0 is greedy; top_k 0, top_p 1, min_p 0 and typical_p 1 keep all tokens; penalties look back on the last
    penalty_last_n accepted tokens (0: none; -1: all); mirostat=2 takes the place of the four filters. `mask` is called
    with the logits after bias and penalties, a writable array that is valid during the call.
    """

    def __init__(self, *, seed: int = 0, temperature: float = 0.8, top_k: int = 40, top_p: float = 0.95, min_p: float = 0.05,
                 typical_p: float = 1.0, repeat_penalty: float = 1.0, presence_penalty: float = 0.0,
                 frequency_penalty: float = 0.0, penalty_last_n: int = 64, mirostat: int = 0, mirostat_tau: float = 5.0,
                 mirostat_eta: float = 0.1, logit_bias: Optional[Mapping[int, float]] = None,
                 mask: Optional[Mask] = None) -> None:
        self._raised: List[BaseException] = []
        callback = _mask_callback(mask, self._raised) if mask else _abi.mla_mask_fn()
        bias = (_abi.mla_logit_bias * len(logit_bias or {}))(
            *(_abi.mla_logit_bias(token=token, bias=value) for token, value in (logit_bias or {}).items()))
        options = _options(callback, bias, seed=seed, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
                           typical_p=typical_p, repeat_penalty=repeat_penalty, presence_penalty=presence_penalty,
                           frequency_penalty=frequency_penalty, penalty_last_n=penalty_last_n, mirostat=mirostat,
                           mirostat_tau=mirostat_tau, mirostat_eta=mirostat_eta)
        self._handle = Handle(new(lib.mla_sampler_new, byref(options)), lib.mla_sampler_free, (callback,))
        self._token = c_int32()

    def sample(self, logits: Logits) -> int:
        """The next token. Does not accept() it."""
        array = _logits(logits)
        status = lib.mla_sampler_sample(byref(self._token), self.handle.pointer, array.ctypes.data, array.size)
        if status:
            raise self.failure(status)
        return self._token.value

    def probabilities(self, logits: Logits) -> List[TokenProbability]:
        """What sample() would draw from, most likely first; adds up to 1. Changes nothing."""
        array, out, n = _logits(logits), c_void_p(), c_size_t()
        status = lib.mla_sampler_probabilities(byref(out), byref(n), self.handle.pointer, array.ctypes.data, array.size)
        if status:
            raise self.failure(status)
        entries = (_abi.mla_token_probability * n.value).from_buffer_copy(
            taken_bytes(out, n.value * sizeof(_abi.mla_token_probability)))
        return [TokenProbability(entry.token, entry.probability) for entry in entries]

    def accept(self, token: int) -> None:
        """Puts a token, of the prompt or sampled, into the window of the penalties."""
        check(lib.mla_sampler_accept(self.handle.pointer, token))

    def reset(self) -> None:
        """Back to how it was made: seed, empty window."""
        check(lib.mla_sampler_reset(self.handle.pointer))

    def copy(self) -> "Sampler":
        """A sampler that goes on exactly as this one would; it shares the mask."""
        other = Sampler.__new__(Sampler)
        other._raised, other._token = self._raised, c_int32()
        other._handle = Handle(new(lib.mla_sampler_copy, self.handle.pointer), lib.mla_sampler_free, self.handle.keep)
        return other

    @property
    def mirostat_mu(self) -> float:
        """The largest surprise that mirostat lets through now, in bits."""
        return lib.mla_sampler_mirostat_mu(self.handle.pointer)

    def failure(self, status: int) -> BaseException:
        """For the package's own use: what the mask raised, or the library's error."""
        return self._raised.pop() if self._raised else failure(status)


def _logits(logits: Logits) -> Logits:
    array = np.ascontiguousarray(logits, dtype=np.float32)
    if array.ndim != 1:
        raise InvalidArgumentError(f"logits have shape {array.shape}: use one row, [n_vocab]")
    return array


def _mask_callback(mask: Mask, raised: List[BaseException]) -> Any:
    """An exception of the mask stops the call, and sample() raises it again."""

    def call(user_data: Any, logits: Any, n_vocab: int) -> int:
        try:
            mask(np.ctypeslib.as_array(logits, (n_vocab,)))
            return 0
        except BaseException as error:
            raised.append(error)
            return 1

    return _abi.mla_mask_fn(call)
