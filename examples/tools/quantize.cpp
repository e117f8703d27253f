// mla-quantize: a model file into one of other types, or in another layout.
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <mla/inspect.hpp>
#include <mla/quantize.hpp>

#include "common/program.hpp"

namespace {

void report(const std::vector<std::string>& outputs) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(outputs.front(), ignored))) return;  // a pipe, /dev/stdout
  const mla::FileInfo info = mla::inspect_file(outputs.front());
  std::size_t n_native = 0;
  for (const mla::FileInfo::Tensor& tensor : info.tensors) n_native += tensor.layout != "rows";
  program::print(fmt::format("{}: {}{} tensors, {} of them in the native layout, {:.1f} MiB, {:.2f} bits per weight\n", outputs.front(),
                             outputs.size() > 1 ? fmt::format("{} files, ", outputs.size()) : "", info.tensors.size(), n_native,
                             static_cast<double>(info.file_bytes) / (1 << 20),
                             8 * static_cast<double>(info.file_bytes) / static_cast<double>(info.n_parameters)));
}

// REGEX=TYPE
CLI::Validator rule() {
  return CLI::Validator(
      [](std::string& text) { return text.rfind('=') - 1 < text.size() ? "" : "'" + text + "' is not of the form REGEX=TYPE"; }, "RULE");
}

mla::TensorTypeRule rule_of(const std::string& text) {
  const std::size_t at = text.rfind('=');
  return {text.substr(0, at), text.substr(at + 1)};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Writes a model file in other types, so that it takes less place, or in another layout: native, which loads without repacking "
               "and which only libmla reads, or rows, which every program reads. Without a type, the weights stay the same to the bit.",
               "mla-quantize");
  std::string input, output, layout = "rows", split;
  std::vector<std::string> rules;
  mla::QuantizeOptions options;
  bool verbose = false;
  app.add_option("input", input, "the model (GGUF); of a split model any part")->required()->check(program::file_name());
  app.add_option("output", output, "the GGUF file to write; one of this name is replaced when the new one is whole")
      ->required()->check(program::file_name());
  app.add_option("type", options.type, fmt::format("what the matrices become: {}", fmt::join(mla::quantize_types(), ", ")));
  app.add_flag("--pure", options.pure, "every matrix in the type that the mix is named after");
  app.add_option("--tensor-type", rules,
                 "REGEX=TYPE: the type of the matrices whose name has a match; may be repeated, the first that matches counts")
      ->allow_extra_args(false)
      ->check(rule());
  app.add_option("--imatrix", options.imatrix, "importance matrix (GGUF or .dat): which columns of a matrix matter")
      ->check(program::file_name());
  app.add_option("--layout", layout, "how the weights are stored")->check(CLI::IsMember({"rows", "native"}))->capture_default_str();
  app.add_option("--split-max-size", split,
                 "cut the model into files of at most so many bytes (500M, 48G), named OUTPUT-00001-of-0000N.gguf")
      ->check(program::part_size());
  app.add_option("-t,--threads", options.n_threads, "threads; 0: the processors there are")
      ->check(program::whole_number(0, 4096))
      ->capture_default_str();
  app.add_flag("-v,--verbose", verbose, "name the type of every tensor");
  return program::run(app, argc, argv, [&] {
    for (const std::string& rule : rules) options.tensor_types.push_back(rule_of(rule));
    if (!split.empty()) options.max_part_bytes = program::part_bytes(split);
    options.layout = layout == "native" ? mla::FileLayout::native : mla::FileLayout::rows;
    options.progress = program::progress();
    options.log = program::log(verbose ? mla::LogLevel::info : mla::LogLevel::warning);
    report(mla::quantize_file(input, output, options));
  });
}
