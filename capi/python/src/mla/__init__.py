"""libmla: DeepSeek-family language models on CPUs.

    import mla

    model = mla.Model.load("model.gguf")
    print(model.generate("In the beginning", max_tokens=64, temperature=0.8))

Model, Context, KvCache, Sampler and Tokenizer are the objects of the C++ library, their options spelt as there; whatever can
fail raises an exception of its own, below mla.Error. Objects with close() are context managers. docs/python.md is the guide.
"""

from ._library import isa_name, version as __version__
from .chat import ChatTemplate, Message
from .context import AttentionRates, Context, MemoryNeed, OpTiming
from .demo import demo_model
from .errors import (AbortedError, BadFileError, CacheFullError, Error, InternalError, InvalidArgumentError, IoError, NotFoundError,
                     OutOfMemoryError, UnsupportedError)
from .generation import Generation
from .kv_cache import ALL_SEQUENCES, KvCache, KvCacheOptions
from .model import Model, ModelInfo
from .sampler import Sampler, SamplerOptions, TokenProbability
from .thread_pool import ThreadPool, default_threads
from .tokenizer import TextStream, Tokenizer
from .types import AttentionMode, CacheLayout, CacheType, Numa, RepackMode, TokenKind

__all__ = [
    "ALL_SEQUENCES", "AbortedError", "AttentionMode", "AttentionRates", "BadFileError", "CacheFullError", "CacheLayout", "CacheType",
    "ChatTemplate", "Context", "Error", "Generation", "InternalError", "InvalidArgumentError", "IoError", "KvCache", "KvCacheOptions",
    "MemoryNeed", "Message", "Model", "ModelInfo", "NotFoundError", "Numa", "OpTiming", "OutOfMemoryError", "RepackMode", "Sampler",
    "SamplerOptions", "TextStream", "ThreadPool", "TokenKind", "TokenProbability", "Tokenizer", "UnsupportedError", "__version__",
    "default_threads", "demo_model", "isa_name",
]
