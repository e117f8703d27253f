// A GGUF file as text: the same lines that tests/golden/gguf/make_golden.py writes from the gguf Python package's reader.
#pragma once
#include <string>

#include "format/gguf.hpp"

std::string listing(const mla::format::GgufFile& file);
