"""The bindings are what the headers say, by the headers' text, by a C compiler and by the library's symbols."""

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from mla import _abi, _library

HEADERS = [path for path in (ROOT / "include/mla/mla.h", ROOT / "include/mla/mla_experimental.h") if path.exists()]


def declared() -> "list[str]":
    text = "".join(re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S) for path in HEADERS)
    return re.findall(r"^MLA_API [^;(]*?(mla_\w+)\(", text, flags=re.M)


def test_they_are_current() -> None:
    subprocess.run([sys.executable, str(ROOT / "capi/python/bind.py"), "--check"], check=True)


def test_every_declared_function_is_bound() -> None:
    assert len(declared()) > 70
    assert sorted(declared()) == sorted(_abi.FUNCTIONS)
    for name in _abi.FUNCTIONS:
        assert callable(getattr(_library.lib, name))


def c_source() -> str:
    """Prints the size of each struct and result type and the place of each field, and checks each function's type."""
    kinds = {None: "void", ctypes.c_int: "int", ctypes.c_int32: "int32_t", ctypes.c_uint64: "uint64_t", ctypes.c_double: "double"}
    lines = [f"#include <mla/{path.name}>" for path in HEADERS] + ["#include <stdio.h>", "int main(void) {"]
    for name in structs():
        lines.append(f'  printf("{name} %zu\\n", sizeof({name}));')
        for field, _ in getattr(_abi, name)._fields_:
            lines.append(f'  printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));')
    for name, (result, arguments) in _abi.FUNCTIONS.items():
        if result in kinds and result is not None:
            lines.append(f'  printf("{name} %zu\\n", sizeof({name}({", ".join("0" for _ in arguments)})));')
    return "\n".join(lines + ["  return 0;", "}"])


def structs() -> "list[str]":
    return [name for name, value in vars(_abi).items()
            if isinstance(value, type) and issubclass(value, ctypes.Structure) and value is not ctypes.Structure]


def expected() -> "list[str]":
    lines = []
    for name in structs():
        struct = getattr(_abi, name)
        lines.append(f"{name} {ctypes.sizeof(struct)}")
        lines += [f"{name}.{field} {getattr(struct, field).offset} {getattr(struct, field).size}" for field, _ in struct._fields_]
    numbers = (ctypes.c_int, ctypes.c_int32, ctypes.c_uint64, ctypes.c_double)
    return lines + [f"{name} {ctypes.sizeof(result)}" for name, (result, _) in _abi.FUNCTIONS.items() if result in numbers]


def test_sizes_and_places_are_the_compilers(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: the layout of structs was not compared")
    source = tmp_path / "layout.c"
    source.write_text(c_source())
    # Nothing is called: sizeof looks at types alone, and refuses a wrong number of arguments.
    subprocess.run([compiler, "-std=c99", f"-I{ROOT}/include", "-o", str(tmp_path / "layout"), str(source)], check=True)
    printed = subprocess.run([str(tmp_path / "layout")], check=True, stdout=subprocess.PIPE, text=True).stdout.split("\n")
    assert [line for line in printed if line] == expected()


def test_constants_are_the_compilers(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: constants were not compared")
    constants = {name: value for name, value in vars(_abi).items() if name.startswith("MLA_")}
    source = tmp_path / "constants.c"
    checks = [f"typedef char check_{name}[((unsigned long)({name}) == {value % 2**64}ul) ? 1 : -1];" for name, value in constants.items()]
    source.write_text("\n".join([f"#include <mla/{path.name}>" for path in HEADERS] + checks) + "\n")
    subprocess.run([compiler, "-std=c99", f"-I{ROOT}/include", "-c", "-o", os.devnull, str(source)], check=True)
    assert len(constants) > 40
