"""Writes golden.json: what llama-cpp-python says to calls.py.  python make_golden.py"""

import importlib.metadata
import json
import pathlib

import calls
from llama_cpp import Llama

HERE = pathlib.Path(__file__).parent
MODEL = str(HERE.parents[2] / "examples/models/demo-f16.gguf")


def version() -> str:
    try:
        return importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:  # run from its source
        import llama_cpp

        return str(llama_cpp.__version__)


golden = {"llama-cpp-python": version(), "results": calls.results(Llama, MODEL, verbose=False), "numbers": calls.numbers(Llama, MODEL, verbose=False)}
(HERE / "golden.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False, default=float) + "\n")
