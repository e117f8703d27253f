"""What llama-cpp-python's arguments mean here."""

from typing import Callable, List, Mapping, Optional, Sequence, Union

import numpy as np
import numpy.typing as npt

from ..errors import UnsupportedError
from ..sampler import Logits
from ..types import CacheType

Criterion = Callable[[npt.NDArray[np.int32], Logits], bool]
StoppingCriteria = Union[Criterion, Sequence[Criterion]]
Processor = Callable[[npt.NDArray[np.int32], Logits], Logits]
LogitsProcessor = Union[Processor, Sequence[Processor]]

# Arguments of llama-cpp-python that only say how its own engine works; they have no effect here.
WITHOUT_EFFECT = frozenset((
    "n_gpu_layers", "split_mode", "main_gpu", "tensor_split", "use_mlock", "offload_kqv", "flash_attn", "verbose", "op_offload", "swa_full", "no_perf"))
_GGML_TYPES = {0: "f32", 1: "f16", 2: "q4_0", 8: "q8_0", 30: "bf16", 133: "q6_0"}
POOLINGS = {-1: "none", 0: "none", 1: "mean", 3: "last"}
RANDOM_SEED = 0xFFFFFFFF


def or_none(token: Optional[int]) -> int:
    return -1 if token is None else token


def cache_type(value: Union[None, int, str, CacheType]) -> Union[str, CacheType]:
    """A cache type by its name or ggml's number, which llama-cpp-python takes; None is this library's default."""
    if value is None:
        return CacheType.q16_row
    if isinstance(value, (str, CacheType)):
        return value
    if value not in _GGML_TYPES:
        raise UnsupportedError(f"cache type {value}: use one of {_GGML_TYPES}")
    return _GGML_TYPES[value]


def refuse(others: Mapping[str, object]) -> None:
    """Raises for what would change the result and isn't there, unless it is left off."""
    for name, value in others.items():
        if value is not None and value is not False and value != [] and (name, value) != ("tfs_z", 1.0):
            raise UnsupportedError(f"mla.compat.Llama has no argument {name}")


def stops(criteria: StoppingCriteria, seen: List[int], logits: Logits) -> bool:
    """Whether one of the criteria wants an end."""
    several = [criteria] if callable(criteria) else criteria
    return any(criterion(np.array(seen, np.int32), logits) for criterion in several)


def mask_of(processor: LogitsProcessor, seen: List[int]) -> Callable[[Logits], None]:
    processors = [processor] if callable(processor) else processor

    def mask(logits: Logits) -> None:
        for process in processors:
            logits[:] = process(np.array(seen, np.int32), logits)

    return mask
