// mla-quantize: a model file into one that holds the same model otherwise.
#include <filesystem>

#include <fmt/format.h>
#include <mla/inspect.hpp>
#include <mla/quantize.hpp>

#include "common/program.hpp"

namespace {

void report(const std::string& output) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(output, ignored))) return;  // a pipe, /dev/stdout
  const mla::FileInfo info = mla::inspect_file(output);
  std::size_t n_native = 0;
  for (const mla::FileInfo::Tensor& tensor : info.tensors) n_native += tensor.layout != "rows";
  program::print(fmt::format("{}: {} tensors, {} of them in the native layout, {:.1f} MiB\n", output, info.tensors.size(), n_native,
                             static_cast<double>(info.file_bytes) / (1 << 20)));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Writes a model file in another layout: native, which loads without repacking and which only libmla reads, or rows, which every "
               "program reads. The weights stay the same to the bit.", "mla-quantize");
  std::string input, output, layout = "rows";
  mla::QuantizeOptions options;
  app.add_option("input", input, "the model (GGUF); of a split model any part")->required()->check(program::file_name());
  app.add_option("output", output, "the GGUF file to write; one of this name is replaced when the new one is whole")
      ->required()->check(program::file_name());
  app.add_option("--layout", layout, "how the weights are stored")->check(CLI::IsMember({"rows", "native"}))->capture_default_str();
  app.add_option("-t,--threads", options.n_threads, "threads; 0: the processors there are")->check(program::whole_number(0, 4096))->capture_default_str();
  return program::run(app, argc, argv, [&] {
    options.layout = layout == "native" ? mla::FileLayout::native : mla::FileLayout::rows;
    options.progress = program::progress();
    mla::quantize_file(input, output, options);
    report(output);
  });
}
