"""The enumerations of <mla/types.hpp>. Wherever one is asked for, its name as a string does as well."""

from enum import IntEnum
from typing import Type, TypeVar, Union

from . import _abi
from .errors import InvalidArgumentError


class AttentionMode(IntEnum):
    """How attention is computed and what the KV cache holds."""

    automatic = _abi.MLA_ATTENTION_AUTO  #: latent cache; expanded or absorbed mathematics, whichever is cheaper for the step
    auto = automatic
    deepseek2 = _abi.MLA_ATTENTION_DEEPSEEK2  #: keys and values of every head in the cache
    deepseek_mla = _abi.MLA_ATTENTION_DEEPSEEK_MLA  #: latent cache, absorbed mathematics always


class CacheLayout(IntEnum):
    """What a row of the KV cache holds."""

    latent = _abi.MLA_CACHE_LATENT
    expanded = _abi.MLA_CACHE_EXPANDED  #: what AttentionMode.deepseek2 needs


class CacheType(IntEnum):
    """Number format of cache rows."""

    f32 = _abi.MLA_CACHE_TYPE_F32
    f16 = _abi.MLA_CACHE_TYPE_F16
    bf16 = _abi.MLA_CACHE_TYPE_BF16
    q8_0 = _abi.MLA_CACHE_TYPE_Q8_0
    q6_0 = _abi.MLA_CACHE_TYPE_Q6_0
    q4_0 = _abi.MLA_CACHE_TYPE_Q4_0
    q8_row = _abi.MLA_CACHE_TYPE_Q8_ROW
    q16_row = _abi.MLA_CACHE_TYPE_Q16_ROW


class RepackMode(IntEnum):
    """Whether weights are put into the layout that the kernels read fastest when a model is loaded."""

    automatic = _abi.MLA_REPACK_AUTO  #: where it helps and the copy fits in memory
    auto = automatic
    always = _abi.MLA_REPACK_ALWAYS
    never = _abi.MLA_REPACK_NEVER


class Numa(IntEnum):
    """How a machine with several memory nodes is used."""

    none = _abi.MLA_NUMA_NONE
    distribute = _abi.MLA_NUMA_DISTRIBUTE
    isolate = _abi.MLA_NUMA_ISOLATE
    numactl = _abi.MLA_NUMA_NUMACTL
    split = _abi.MLA_NUMA_SPLIT
    replicate = _abi.MLA_NUMA_REPLICATE


class TokenKind(IntEnum):
    """What a vocabulary entry is."""

    normal = _abi.MLA_TOKEN_NORMAL
    unknown = _abi.MLA_TOKEN_UNKNOWN
    control = _abi.MLA_TOKEN_CONTROL  #: steers the model
    user_defined = _abi.MLA_TOKEN_USER_DEFINED  #: always matched whole in text
    unused = _abi.MLA_TOKEN_UNUSED
    byte = _abi.MLA_TOKEN_BYTE


E = TypeVar("E", bound=IntEnum)


def parse(kind: Type[E], value: Union[E, str], name: str) -> E:
    """The member that `value` is or names; dashes and underscores are the same, as in "deepseek-mla"."""
    if isinstance(value, kind):
        return value
    member = kind.__members__.get(value.replace("-", "_")) if isinstance(value, str) else None
    if member is None:
        raise InvalidArgumentError(f"{name} is {value!r}: use one of {', '.join(kind.__members__)}")
    return member
