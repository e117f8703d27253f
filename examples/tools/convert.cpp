// mla-convert: a Hugging Face folder to GGUF.
#include <filesystem>

#include <fmt/format.h>
#include <mla/convert.hpp>
#include <mla/inspect.hpp>
#include <mla/quantize.hpp>

#include "common/program.hpp"

namespace {

// What became of it, for the user who waited.
void report(const std::string& output) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(output, ignored))) return;  // a pipe, /dev/stdout; parts
  const mla::FileInfo info = mla::inspect_file(output);
  program::print(fmt::format("{}: {} tensors, {} parameters, {:.1f} MiB\n", output, info.tensors.size(), info.n_parameters,
                             static_cast<double>(info.file_bytes) / (1 << 20)));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Converts a Hugging Face folder (config.json, safetensors, tokenizer.json or tiktoken.model) to GGUF: DeepSeek-V2, -V3 and -R1, "
      "Moonlight, Kimi-K2, GLM-4.7-Flash; F32, F16, BF16, or FP8 with block scales. What a stopped run wrote, the same command "
      "goes on from.",
      "mla-convert");
  std::string folder, output, split;
  mla::ConvertOptions options;
  bool verbose = false;
  app.add_option("folder", folder, "the model's folder")->required()->check(program::file_name());
  app.add_option("-o,--output,--outfile", output, "the GGUF file to write; one of this name is replaced when the new one is whole")
      ->required()->check(program::file_name());
  app.add_option("--type,--outtype", options.type, "type of the matrices, or a mix of types as of mla-quantize; norms and routers stay f32")
      ->check(CLI::IsMember(mla::quantize_types(), CLI::ignore_case))->capture_default_str();
  app.add_option("--split-max-size", split,
                 "cut a model that takes more into files NAME-00001-of-0000N.gguf of at most so many bytes: 500M, 40G")
      ->check(program::part_size());
  app.add_flag("--mtp", options.mtp, "keep the layers of multi-token prediction, as blk.N.nextn.*; they take no part in ordinary decoding");
  app.add_option("-t,--threads", options.n_threads, "threads; 0: the processors there are")
      ->check(program::whole_number(0, mla::max_threads))
      ->capture_default_str();
  app.add_flag("-v,--verbose", verbose, "say what is stored in another type");
  return program::run(app, argc, argv, [&] {
    if (!split.empty()) options.max_part_bytes = program::part_bytes(split);
    options.progress = program::progress();
    options.log = program::log(verbose ? mla::LogLevel::info : mla::LogLevel::warning);
    mla::convert_huggingface(folder, output, options);
    report(output);
  });
}
