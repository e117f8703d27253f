"""The bindings are what the headers say, by the headers' text, by a C compiler and by the library's symbols."""

import ctypes
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def compiled(language: str, body: str, folder: Path) -> "list[str]":
    """What a program with this body prints."""
    compiler = shutil.which({"c": "cc", "c++": "c++"}[language])
    if compiler is None:
        pytest.skip(f"no {language} compiler: the bindings were not compared with one")
    source = "".join(f"#include <mla/{path.name}>\n" for path in HEADERS) + body
    program = str(folder / "program")
    command = [compiler, "-x", language, f"-I{ROOT}/include", "-o", program, "-"]
    subprocess.run(command, input=source, check=True, text=True)
    return subprocess.run([program], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def structs() -> "dict[str, type[ctypes.Structure]]":
    return {name: value for name, value in vars(_abi).items()
            if isinstance(value, type) and issubclass(value, ctypes.Structure) and value is not ctypes.Structure}


def test_sizes_and_places_are_the_compilers(tmp_path: Path) -> None:
    lines, expected = ["#include <stdio.h>", "int main(void) {"], []
    for name, struct in structs().items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        expected.append(f"{name} {ctypes.sizeof(struct)}")
        for field in [entry[0] for entry in struct._fields_]:
            lines.append(f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));')
            expected.append(f"{name}.{field} {getattr(struct, field).offset} {getattr(struct, field).size}")
    assert len(expected) > 100
    assert compiled("c", "\n".join(lines + ["return 0; }"]), tmp_path) == expected


def test_constants_are_the_compilers(tmp_path: Path) -> None:
    constants = {name: value for name, value in vars(_abi).items() if name.startswith("MLA_")}
    assert len(constants) > 40
    prints = "".join(f'printf("{name} %lld\\n", (long long)({name}));\n' for name in constants)
    signed = {name: value - 2**64 if value >= 2**63 else value for name, value in constants.items()}
    assert compiled("c", "#include <stdio.h>\nint main(void) {\n" + prints + "return 0; }", tmp_path) == [
        f"{name} {value}" for name, value in signed.items()]


SIGNATURES = """
#include <cstdio>
#include <type_traits>
template <typename T> void show() {
  const char kind = std::is_pointer<T>::value ? 'p' : std::is_floating_point<T>::value ? 'f' : std::is_enum<T>::value ? 'i'
                    : std::is_signed<T>::value ? 'i' : 'u';
  std::printf(" %c%zu", kind, sizeof(T));
}
template <> void show<void>() { std::printf(" void"); }
template <typename F> struct Signature;
template <typename R, typename... A> struct Signature<R (*)(A...)> {
  static void print(const char *name) {
    std::printf("%s", name);
    show<R>();
    int order[] = {0, (show<A>(), 0)...};
    (void)order;
    std::printf("\\n");
  }
};
int main() {
"""


def kind(ctype: Any) -> str:
    if ctype is None:
        return "void"
    letter = {"f": "f", "d": "f", "z": "p", "P": "p", "i": "i", "q": "i", "l": "i", "I": "u", "Q": "u", "L": "u"}.get(
        getattr(ctype, "_type_", "P") if isinstance(getattr(ctype, "_type_", "P"), str) else "P", "?")
    return f"{letter}{ctypes.sizeof(ctype)}"


def test_signatures_are_the_compilers(tmp_path: Path) -> None:
    prints = "".join(f'Signature<decltype(&{name})>::print("{name}");\n' for name in _abi.FUNCTIONS)
    assert compiled("c++", SIGNATURES + prints + "}\n", tmp_path) == [
        " ".join([name, kind(result)] + [kind(argument) for argument in arguments])
        for name, (result, arguments) in _abi.FUNCTIONS.items()]
