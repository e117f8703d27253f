"""Makes src/mla/_abi.py and _abi.pyi, the C interface as ctypes sees it, from include/mla/*.h:  python bind.py

With --check it writes nothing and fails if the files are not what the headers say. The headers are regular enough for
this small reader; what it doesn't understand ends it with the line.
"""

import argparse
import re
import sys
import textwrap
from dataclasses import dataclass, field
from keyword import iskeyword
from pathlib import Path
from typing import Dict, List, Optional, Tuple

HERE = Path(__file__).resolve().parent
HEADERS = HERE.parents[1] / "include" / "mla"
PACKAGE = HERE / "src" / "mla"

SCALARS = {
    "int": "c_int", "char": "c_char", "float": "c_float", "double": "c_double", "size_t": "c_size_t",
    "uint8_t": "c_uint8", "int32_t": "c_int32", "uint32_t": "c_uint32", "int64_t": "c_int64", "uint64_t": "c_uint64",
}


@dataclass
class Header:
    """What the headers declare, in their order."""

    scalars: Dict[str, str] = field(default_factory=lambda: dict(SCALARS))
    constants: List[Tuple[str, str]] = field(default_factory=list)
    opaque: List[str] = field(default_factory=list)
    callbacks: Dict[str, Tuple[str, List[str]]] = field(default_factory=dict)
    structs: Dict[str, List[Tuple[str, str]]] = field(default_factory=dict)
    functions: Dict[str, Tuple[str, List[Tuple[str, str]]]] = field(default_factory=dict)

    def ctype(self, declared: str, parameter: bool) -> str:
        """The ctypes type of a C type such as "const mla_token *"; a pointer to constant numbers takes any address."""
        const = declared.startswith("const ")
        base = declared.replace("const ", "").replace("*", "").strip()
        stars = declared.count("*")
        if stars == 0:
            if base in self.scalars:
                return self.scalars[base]
            return base if base in self.structs or base in self.callbacks else unknown(declared)
        if stars == 2:
            return "POINTER(c_void_p)" if parameter else unknown(declared)
        if base == "char":
            return "c_char_p" if const else "c_void_p"
        if base in self.structs:
            return f"POINTER({base})"
        if base in self.scalars:
            return "c_void_p" if const else f"POINTER({self.scalars[base]})"
        return "c_void_p" if base == "void" or base in self.opaque else unknown(declared)


def unknown(declared: str) -> str:
    sys.exit(f"bind.py: can't bind {declared!r}")


def squeeze(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def split_declaration(text: str) -> Tuple[str, str]:
    """("const char *", "path") of "const char *path"."""
    match = re.fullmatch(r"(.*?[\s*])(\w+)", squeeze(text))
    return (squeeze(match[1]), match[2]) if match else (unknown(text), "")


def parameters(text: str) -> List[Tuple[str, str]]:
    return [] if squeeze(text) == "void" else [split_declaration(part) for part in text.split(",")]


def read_enum(header: Header, body: str, name: Optional[str]) -> None:
    for entry in filter(None, map(squeeze, body.split(","))):
        key, _, value = entry.partition("=")
        if not value:
            sys.exit(f"bind.py: {key} has no number")
        header.constants.append((key.strip(), value.strip()))
    if name:
        header.scalars[name] = "c_int"


def read_struct(header: Header, body: str, name: str) -> None:
    fields = []
    for entry in filter(None, map(squeeze, body.split(";"))):
        method = re.fullmatch(r"(.+?)\(\*(\w+)\)\((.*)\)", entry)
        if method:
            callback = f"{name}_{method[2]}_fn"
            header.callbacks[callback] = (squeeze(method[1]), [kind for kind, _ in parameters(method[3])])
            fields.append((callback, method[2]))
        else:
            fields.append(split_declaration(entry))
    header.structs[name] = fields


DECLARATIONS = re.compile(
    r"#define (?P<macro>MLA_\w+) \(?(?P<value>-?\d+|\(size_t\)-1)\)?\n"
    r"|typedef enum (?P<enum>\w+) \{(?P<enum_body>[^}]*)\} \w+;"
    r"|enum \{(?P<plain_body>[^}]*)\};"
    r"|typedef struct (?P<struct>\w+) \{(?P<struct_body>[^}]*)\} \w+;"
    r"|typedef struct (?P<opaque>\w+) \w+;"
    r"|typedef (?P<result>[\w\s*]+?)\(\*(?P<callback>\w+)\)\((?P<arguments>[^)]*)\);"
    r"|typedef (?P<scalar>\w+) (?P<alias>\w+);"
    r"|MLA_API (?P<returns>[\w\s*]+?)(?P<function>mla_\w+)\((?P<takes>[^)]*)\);")


def read(headers: List[str]) -> Header:
    header = Header()
    for text in headers:
        text = re.sub(r"\\\n", " ", re.sub(r"/\*.*?\*/", "", text, flags=re.S))
        for d in DECLARATIONS.finditer(text):
            if d["macro"]:
                header.constants.append((d["macro"], d["value"].replace("(size_t)-1", "c_size_t(-1).value")))
            elif d["enum"]:
                read_enum(header, d["enum_body"], d["enum"])
            elif d["plain_body"]:
                read_enum(header, d["plain_body"], None)
            elif d["struct"]:
                read_struct(header, d["struct_body"], d["struct"])
            elif d["opaque"]:
                header.opaque.append(d["opaque"])
            elif d["callback"]:
                header.callbacks[d["callback"]] = (squeeze(d["result"]), [kind for kind, _ in parameters(d["arguments"])])
            elif d["scalar"]:
                header.scalars[d["alias"]] = header.scalars.get(d["scalar"]) or unknown(d["scalar"])
            else:
                header.functions[d["function"]] = (squeeze(d["returns"]), parameters(d["takes"]))
        declared = len(re.findall(r"^MLA_API ", text, flags=re.M))
        read_here = len(re.findall(r"^MLA_API [^;]*;", text, flags=re.M))
        if declared != read_here or any(name not in header.functions for name in re.findall(r"\b(mla_\w+)\([^;{}]*\);", text)
                                        if name not in header.callbacks):
            sys.exit("bind.py: a declaration was not understood")
    return header


BANNER = '"""The C interface as ctypes sees it. Made from include/mla/*.h by bind.py: don\'t edit."""\n\n'

LOADER = '''

class Library(CDLL):
    """The functions of the library file, each with its types."""

    def __init__(self, path, mode):
        super().__init__(path, mode=mode)
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(self, name)
            function.restype = result
            function.argtypes = arguments
'''


def result_type(h: Header, declared: str) -> str:
    return "None" if declared == "void" else h.ctype(declared, False)


def module(h: Header) -> str:
    out = [f"{name} = {value}" for name, value in h.constants] + [""]
    for name, (result, arguments) in h.callbacks.items():
        kinds = [result_type(h, result)] + [h.ctype(kind, False) for kind in arguments]
        out.append(f"{name} = CFUNCTYPE({', '.join(kinds)})")
    for name, fields in h.structs.items():
        out += ["", "", f"class {name}(Structure):", "    _fields_ = ["]
        out += [f'        ("{field_name}", {h.ctype(kind, False)}),' for kind, field_name in fields] + ["    ]"]
    out += ["", "", "FUNCTIONS = {"]
    for name, (result, takes) in h.functions.items():
        kinds = [h.ctype(kind, True) for kind, _ in takes]
        out.append(f'    "{name}": ({result_type(h, result)}, [{", ".join(kinds)}]),')
    body = "\n".join(out + ["}", LOADER])
    names = sorted(set(re.findall(r"\b(?:CDLL|CFUNCTYPE|POINTER|Structure|c_[a-z0-9_]+)\b", body)))
    imports = textwrap.fill(", ".join(names), 110, initial_indent="from ctypes import (", subsequent_indent=" " * 20)
    return f"{BANNER}{imports})\n\n{body}"


STUB_HEAD = BANNER + """from ctypes import CDLL, Structure
from typing import Any, Dict, List, Optional, Tuple

Pointer = Any  # what ctypes takes for a pointer: byref(), an array, an address, a callback, None
Bytes = bytes  # fields have this name

"""

PYTHON = {"c_char_p": "Optional[Bytes]", "c_float": "float", "c_double": "float", "None": "None"}


def python_type(ctype: str) -> str:
    if ctype in PYTHON:
        return PYTHON[ctype]
    return "Pointer" if ctype == "c_void_p" or ctype.startswith("POINTER") or ctype.endswith("_fn") else "int"


def stub(h: Header) -> str:
    out = [f"{name}: int" for name, _ in h.constants] + [""]
    out += [f"{name}: Any" for name in h.callbacks]
    for name, fields in h.structs.items():
        typed = [f"{field_name}: {python_type(h.ctype(kind, False))}" for kind, field_name in fields]
        out += ["", f"class {name}(Structure):"] + [f"    {field}" for field in typed]
        out.append(f"    def __init__(self, {', '.join(f'{field} = ...' for field in typed)}) -> None: ...")
    out += ["", "FUNCTIONS: Dict[str, Tuple[Any, List[Any]]]", "", "class Library(CDLL):"]
    out.append("    def __init__(self, path: str, mode: int) -> None: ...")
    for name, (result, takes) in h.functions.items():
        typed = [f"{argument}{'_' * iskeyword(argument)}: {python_type(h.ctype(kind, True))}" for kind, argument in takes]
        arguments = ", ".join(["self"] + typed + (["/"] if typed else []))
        out.append(f"    def {name}({arguments}) -> {python_type(result_type(h, result))}: ...")
    return STUB_HEAD + "\n".join(out) + "\n"


def generated() -> Dict[Path, str]:
    header = read([path.read_text() for path in (HEADERS / "mla.h", HEADERS / "mla_experimental.h") if path.exists()])
    return {PACKAGE / "_abi.py": module(header), PACKAGE / "_abi.pyi": stub(header)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the files are not current")
    check = parser.parse_args().check
    for path, text in generated().items():
        if not check:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f"{path} is not what the headers say: run  python {Path(__file__).name}")


if __name__ == "__main__":
    main()
