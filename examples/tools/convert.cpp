// mla-convert: a Hugging Face folder to GGUF.
#include <cstdio>

#include <mla/convert.hpp>

#include "common/program.hpp"

int main(int argc, char** argv) {
  CLI::App app{"Converts a Hugging Face folder (config.json, safetensors, tokenizer.json) of a DeepSeek-V2 or -V3 model to GGUF."};
  std::string folder, output;
  mla::ConvertOptions options;
  bool verbose = false;
  app.add_option("folder", folder, "the model's folder")->required();
  app.add_option("-o,--output", output, "the GGUF file to write")->required();
  app.add_option("--type", options.type, "type of the matrices: f32, f16, bf16 or q8_0; norms and routers stay f32")->capture_default_str();
  app.add_flag("-v,--verbose", verbose, "say what is stored in another type");
  return program::run(app, argc, argv, [&] {
    options.progress = program::progress();
    options.log = mla::stderr_log(verbose ? mla::LogLevel::info : mla::LogLevel::warning);
    mla::convert_huggingface(folder, output, options);
  });
}
