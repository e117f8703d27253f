"""For programs written for llama-cpp-python: `from mla.compat import Llama`."""

from .llama import Llama, LlamaState

__all__ = ["Llama", "LlamaState"]
