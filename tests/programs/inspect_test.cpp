// mla-inspect as a user meets it.
#include <signal.h>

#include <algorithm>
#include <map>
#include <regex>
#include <sstream>
#include <nlohmann/json.hpp>

#include "demo_variant.hpp"
#include "folder.hpp"
#include "process.hpp"

namespace {

nlohmann::json inspect_json(const std::string& path) {
  const Run run = run_program("mla-inspect", {"--json", path});
  CHECK(run.status == 0);
  CHECK(run.err.empty());
  return nlohmann::json::parse(run.out);
}

// Without the line that says how much memory is left at this moment.
std::string steady(std::string text) {
  const std::size_t end = text.find(" left\n"), begin = text.rfind('\n', end);
  REQUIRE(end != text.npos);
  return text.erase(begin, end + 5 - begin);
}

}  // namespace

TEST_CASE("mla-inspect shows metadata, tensors, sizes and cache bytes") {
  const Run run = run_program("mla-inspect", {demo_model});
  CHECK(run.status == 0);
  CHECK(run.err.empty());
  for (const char* part : {"GGUF version 3, 1 part", "general.architecture", "deepseek2.attention.kv_lora_rank", "tokenizer.chat_template",
                           "F16", "blk.0.attn_k_b.weight", "auto, deepseek-mla", "deepseek2 "}) {
    INFO(part);
    CHECK(run.out.find(part) != std::string::npos);
  }
  CHECK(run.out.find("can't run") == std::string::npos);
  CHECK(steady(run_program("mla-inspect", {"-m", demo_model}).out) == steady(run.out));
  const Run brief = run_program("mla-inspect", {"--no-tensors", "--model", demo_model});
  CHECK(brief.out.find("blk.0.attn_k_b.weight") == std::string::npos);
  CHECK(steady(run.out).starts_with(steady(brief.out)));
}

TEST_CASE("mla-inspect --json has the figures that the file and the cache's layout give") {
  const nlohmann::json info = inspect_json(demo_model);
  CHECK(info["file_bytes"] == std::filesystem::file_size(demo_model));
  CHECK(info["problem"] == "");
  std::uint64_t bytes = 0, parameters = 0;
  std::map<std::string, std::uint64_t> keys;
  for (const auto& tensor : info["tensors"]) {
    std::uint64_t values = 1;
    for (const auto& size : tensor["shape"]) values *= size.get<std::uint64_t>();
    bytes += tensor["bytes"].get<std::uint64_t>(), parameters += values;
  }
  CHECK(info["tensor_bytes"] == bytes);
  CHECK(info["parameters"] == parameters);
  for (const auto& key : info["metadata"])
    if (key["type"] == "uint32")
      keys[key["key"].get<std::string>().substr(std::string("deepseek2.").size())] = std::stoull(key["value"].get<std::string>());
  const auto rope = keys.at("rope.dimension_count"), layers = keys.at("block_count"), heads = keys.at("attention.head_count");
  const auto nope = keys.at("attention.key_length_mla") - rope, value = keys.at("attention.value_length_mla");
  const auto latent = keys.at("attention.kv_lora_rank") + rope, expanded = heads * (nope + value) + rope;
  int n_rows = 0;
  for (const auto& row : info["cache"]) {
    const auto values = layers * (row["attention"] == "deepseek2" ? expanded : latent);
    const auto rope_values = layers * rope, blocks = (values - rope_values) / 32;  // rope values stay 16-bit in quantised rows
    const auto scales = layers * (row["attention"] == "deepseek2" ? 2 * heads : 1);
    const std::map<std::string, std::uint64_t> expected{{"f32", 4 * values}, {"f16", 2 * values}, {"bf16", 2 * values},
                                                        {"q8_0", blocks * 34 + 2 * rope_values}, {"q6_0", blocks * 26 + 2 * rope_values},
                                                        {"q4_0", blocks * 18 + 2 * rope_values},
                                                        {"q8_row", blocks * 32 + 4 * scales + 2 * rope_values},
                                                        {"q16_row", 2 * values + 4 * (scales + layers)}};
    CHECK(row["bytes_per_token"] == expected.at(row["cache_type"]));
    CHECK(row["bytes"] == row["n_ctx"].get<std::uint64_t>() * row["bytes_per_token"].get<std::uint64_t>());
    ++n_rows;
  }
  CHECK(n_rows == 16);
}

TEST_CASE("mla-inspect: sizes by kind and type, and the memory that it takes") {
  const nlohmann::json info = inspect_json(demo_model);
  std::map<std::string, std::uint64_t> bytes;
  std::uint64_t sum = 0, parameters = 0;
  for (const auto& group : info["sizes"]) {
    bytes[group["kind"].get<std::string>()] += group["bytes"].get<std::uint64_t>();
    sum += group["bytes"].get<std::uint64_t>(), parameters += group["parameters"].get<std::uint64_t>();
  }
  CHECK(sum == info["tensor_bytes"]);
  CHECK(parameters == info["parameters"]);
  CHECK(bytes.at("embedding") == 2 * 2048 * 256);
  CHECK(bytes.at("routed experts") == 3 * 8 * 2 * 256 * 256);
  CHECK(bytes.at("router") == 4 * (8 * 256 + 8));
  CHECK(bytes.at("attention") == 3 * 2 * (256 * (256 + 256 + 288 + 256) + 4 * 256 * (32 + 64)));
  CHECK(bytes.size() == 8);
  REQUIRE(info["memory"].size() == 2);
  for (const auto& need : info["memory"]) {
    CHECK(need["weights"] == info["tensor_bytes"]);
    const auto cell = std::find_if(info["cache"].begin(), info["cache"].end(),
                                   [&](const auto& row) { return row["attention"] == need["attention"] && row["cache_type"] == "q16_row"; });
    CHECK(need["cache"] == (*cell)["bytes"]);
    CHECK(need["fits"] == true);
  }
  const Run run = run_program("mla-inspect", {demo_model, "-c", "1000000000", "-ub", "64", "--cache-type", "q8_0", "--no-tensors"});
  CHECK(run.out.find("memory for 1000000000 tokens of cache in q8_0, 64 computed at once") != std::string::npos);
  CHECK(run.out.find("doesn't fit") != std::string::npos);
  CHECK(run.out.find("routed experts  F16") != std::string::npos);
}

TEST_CASE("mla-inspect --diff") {
  const Folder folder;
  const Run same = run_program("mla-inspect", {"--diff", demo_model, demo_model});
  CHECK(same.status == 0);
  CHECK(same.out == "keys: 44 equal, 0 differ; tensors: 47 equal, 0 differ\n");
  write_demo_variant(folder / "q8", {.type = mla::quant::Type::q8_0, .keys = {{"deepseek2.context_length", 7}}});
  const Run run = run_program("mla-inspect", {"--diff", demo_model, folder / "q8"});
  CHECK(run.status == 1);
  CHECK(run.err.empty());
  for (const char* part : {"tensors: 15 equal, 32 differ", "key    deepseek2.context_length: uint32 1024 | uint32 7",
                           "tensor output.weight: type F16 | Q8_0, ", "values differ by "})
    CHECK(run.out.find(part) != std::string::npos);
  const Run json = run_program("mla-inspect", {"--json", "--no-values", "--diff", demo_model, folder / "q8"});
  CHECK(json.status == 1);
  const auto diff = nlohmann::json::parse(json.out);
  CHECK(diff["tensors"].size() == 32);
  CHECK_FALSE(diff["tensors"][0].contains("rms"));
  CHECK(diff["keys"][0]["b"] == "uint32 7");
  check_error("mla-inspect", {"--diff", demo_model}, 2, {"--diff"});
  check_error("mla-inspect", {"--diff", demo_model, folder / "none"}, 1, {"none"});
  check_error("mla-inspect", {demo_model, "--no-values"}, 2, {"--diff"});
}

TEST_CASE("mla-inspect: a split model from any of its parts, and that model runs") {
  const Folder folder;
  write_demo_variant(folder / "demo-00001-of-00003.gguf", {.type = mla::quant::Type::q8_0, .n_parts = 3});
  CHECK(folder.n_files() == 3);
  const auto inspect_part = [&](const std::string& part) {
    nlohmann::json info = inspect_json(folder / part);
    for (auto& need : info["memory"]) need.erase("room");  // of this moment
    return info;
  };
  const nlohmann::json first = inspect_part("demo-00001-of-00003.gguf");
  CHECK(first["parts"] == 3);
  CHECK(first["tensors"].size() == inspect_json(demo_model)["tensors"].size());
  CHECK(inspect_part("demo-00003-of-00003.gguf") == first);
  const Run run = run_program("mla-run", {"-m", folder / "demo-00002-of-00003.gguf", "-n", "5"});
  CHECK(run.status == 0);
  CHECK(run.err.empty());
  std::filesystem::remove(folder / "demo-00002-of-00003.gguf");
  check_error("mla-inspect", {folder / "demo-00001-of-00003.gguf"}, 1, {"demo-00002-of-00003.gguf", "part 2 of 3 is missing"});
  check_error("mla-run", {"-m", folder / "demo-00003-of-00003.gguf"}, 1, {"demo-00002-of-00003.gguf", "part 2 of 3 is missing"});
}

TEST_CASE("mla-inspect: a file of another architecture is shown, and why it can't be run") {
  const Folder folder;
  {
    mla::format::GgufWriter writer(folder / "other.gguf");
    writer.add_string("general.architecture", "llama");
    writer.add_string("general.name", std::string(97, 'x') + "｜｜ \033[31m");  // cut within a character if done by bytes
    writer.add_string("general.description", "two\nlines \033[31m red");
    writer.add_tensor("odd\033name", {32}, mla::quant::Type::f32);
    writer.begin_data();
    writer.write(std::vector<std::byte>(128));
    writer.finish();
  }
  const Run run = run_program("mla-inspect", {folder / "other.gguf"});
  CHECK(run.status == 0);
  CHECK(run.out.find("libmla can't run it: ") != std::string::npos);
  CHECK(run.out.find("llama") != std::string::npos);
  CHECK(run.out.find('\033') == std::string::npos);
  CHECK(run.out.find(std::string(97, 'x') + "｜ …") != std::string::npos);
  CHECK(run.out.find("KV cache") == std::string::npos);
  CHECK(inspect_json(folder / "other.gguf")["cache"].empty());
  check_error("mla-run", {"-m", folder / "other.gguf"}, 1, {"other.gguf", "general.architecture", "llama"});
}

TEST_CASE("mla-inspect: errors are one line") {
  const Folder folder;
  write_file(folder / "text", "GGU?");
  check_error("mla-inspect", {}, 2, {"--model"});
  check_error("mla-inspect", {""}, 2, {"empty"});
  check_error("mla-inspect", {"a", "b"}, 2, {"b", "--help"});
  check_error("mla-inspect", {folder / "none"}, 1, {"none", "No such file"});
  check_error("mla-inspect", {folder.path()}, 1, {folder.path()});
  check_error("mla-inspect", {folder / "text"}, 1, {"text", "not a GGUF file"});
  check_error("mla-inspect", {demo_model}, 1, {"No space left"}, {.output = "/dev/full"});
  CHECK(run_program("mla-inspect", {"--help"}).out.find("Usage: mla-inspect [OPTIONS] [model]") != std::string::npos);
}

TEST_CASE("every program has --help, on standard output, that names its flags") {
  const std::vector<std::pair<std::string, std::vector<std::string>>> programs{
      {"mla-run",
       {"-m,--model", "-t,--threads", "-tb,--threads-batch", "--numa", "--pin", "--deterministic", "-c,--ctx-size",
        "-ub,--ubatch-size", "--attention", "--cache-type", "--cache-type-k", "--cache-type-v", "-p,--prompt", "-f,--file",
        "-n,--n-predict", "-s,--seed", "--temp", "--top-k", "--top-p", "--min-p"}},
      {"mla-perplexity",
       {"-m,--model", "-t,--threads", "-c,--ctx-size", "-ub,--ubatch-size", "--attention", "--cache-type", "-f,--file", "--tokens",
        "--logits-out", "--kl-divergence", "--hellaswag", "exp(mean negative log-likelihood)"}},
      {"mla-inspect", {"-m,--model", "--json", "--diff", "-ub,--ubatch-size", "--cache-type"}},
      {"mla-imatrix", {"-m,--model", "-f,--file", "-o,--output", "--in-file", "--derive-mla", "--process-output"}},
      {"mla-bench",
       {"-m,--model", "-p,--n-prompt", "-n,--n-gen", "-d,--depth", "-t,--threads", "-ub,--ubatch-size", "--attention", "--cache-type",
        "--cache-type-k", "--cache-type-v", "-r,--repetitions", "-o,--output", "--ops", "--fill", "--sweep", "--svg", "--synthetic",
        "--layers"}},
      {"mla-quantize", {"--tensor-type RULE", "--split-max-size N(M|G)"}},
      {"mla-convert", {"-o,--output", "--type", "[f16]", "--split-max-size N(M|G)"}}};
  for (const auto& [name, flags] : programs) {
    const Run run = run_program(name, {"--help"});
    CHECK(run.status == 0);
    CHECK(run.err.empty());
    CHECK(run_program(name, {"-h"}).out == run.out);
    std::istringstream lines(run.out);
    for (std::string line; std::getline(lines, line);) {
      INFO(name << ": " << line);
      CHECK(line.size() <= 100);
    }
    const std::string text = std::regex_replace(run.out, std::regex("\\s+"), " ");
    for (const std::string& flag : flags) {
      INFO(name << " " << flag);
      CHECK(text.find(flag) != std::string::npos);
    }
  }
}
