// How --help looks: lines of at most 100 columns, and options as "-ub,--ubatch-size 1..65536 [512]".
#pragma once
#include <array>
#include <memory>
#include <string_view>

#include <CLI/CLI.hpp>

namespace program {

/// Spelt with one dash, though CLI11 knows only one letter after it: declared with two.
constexpr std::array<std::string_view, 7> long_letters = {"np", "npl", "npp", "ntg", "pps", "tb", "ub"};

std::shared_ptr<CLI::FormatterBase> help_formatter();

}  // namespace program
