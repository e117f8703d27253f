// mla-convert as a user meets it.
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "hf_folder.hpp"
#include "npy.hpp"
#include "process.hpp"

namespace {

// A folder with the model in hf/.
struct Workplace : Folder {
  Workplace() {
    std::filesystem::create_directory(*this / "hf");
    write_hf_folder(*this / "hf");
  }
};

Npy logits_of(const Folder& folder, const std::string& model) {
  const Run run = run_program("mla-perplexity", {"-m", model, "--tokens", "-", "--logits-out", folder / "l.npy", "--cache-type", "f32"},
                              {.input = "1 5 9 100 7 7 3 64 127 0"});
  CHECK(run.status == 0);
  CHECK(run.err.empty());
  return Npy::read(folder / "l.npy");
}

}  // namespace

TEST_CASE("mla-convert writes every type, and models of them agree within its rounding") {
  const Workplace place;
  const std::pair<const char*, double> types[] = {{"f32", 0}, {"f16", 0x1p-11}, {"bf16", 0x1p-8}, {"q8_0", 0.5 / 127}};
  Npy reference;
  for (const auto& [type, rounding] : types) {
    INFO(type);
    const std::string output = place / (std::string(type) + ".gguf");
    const Run run = run_program("mla-convert", {place / "hf", "-o", output, "--type", type});
    CHECK(run.status == 0);
    CHECK(run.out.starts_with(output + ": "));  // says what it wrote
    CHECK(run.out.find("tensors") != std::string::npos);
    CHECK(run.err.find("no tokenizer") != std::string::npos);
    CHECK(run.err.find('\n') == run.err.size() - 1);
    CHECK_FALSE(std::filesystem::exists(output + ".part"));
    const auto info = nlohmann::json::parse(run_program("mla-inspect", {"--json", output}).out);
    CHECK(info["problem"] == "");
    std::string upper = type;
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    for (const auto& tensor : info["tensors"]) {
      const std::string name = tensor["name"];
      const bool matrix = tensor["shape"].size() > 1 && name.find("ffn_gate_inp") == std::string::npos;
      CHECK(tensor["type"] == (matrix ? upper : "F32"));
    }
    const Npy logits = logits_of(place, output);
    REQUIRE(logits.shape == std::vector<std::size_t>{10, 128});
    REQUIRE(std::ranges::all_of(logits.values, [](float value) { return std::isfinite(value); }));
    if (reference.values.empty()) reference = logits;
    float worst = 0, largest = 0;
    for (std::size_t i = 0; i < logits.values.size(); ++i) {
      worst = std::max(worst, std::abs(logits.values[i] - reference.values[i]));
      largest = std::max(largest, std::abs(reference.values[i]));
    }
    CHECK(largest > 0.1f);
    CHECK(worst <= 40 * rounding * largest);  // of a dozen matrices in a row, each rounded
    if (rounding > 0) CHECK(worst > 0);
  }
  check_error("mla-run", {"-m", place / "f16.gguf"}, 1, {"f16.gguf", "tokenizer"});
}

TEST_CASE("mla-convert: f16 is the default, capitals are understood, and an older output is replaced") {
  const Workplace place;
  write_file(place / "a.gguf", "older");
  CHECK(run_program("mla-convert", {place / "hf", "--output", place / "a.gguf"}).status == 0);
  CHECK(run_program("mla-convert", {place / "hf/", "--outfile", place / "b.gguf", "--outtype", "F16"}).status == 0);
  CHECK(read_file(place / "a.gguf").size() > 100'000);
  CHECK(read_file(place / "a.gguf").size() == read_file(place / "b.gguf").size());
}

TEST_CASE("mla-convert: errors are one line; inputs are never overwritten, and no half-made output is left") {
  const Workplace place;
  const std::string hf = place / "hf", out = place / "out.gguf";
  const auto error = [](const std::vector<std::string>& arguments, int status, const std::vector<std::string>& parts) {
    check_error("mla-convert", arguments, status, parts);
  };
  error({}, 2, {"folder"});
  error({hf}, 2, {"--output"});
  error({hf, "-o", ""}, 2, {"--output", "empty"});
  error({"", "-o", out}, 2, {"folder", "empty"});
  error({hf, "-o", out, "--type", "q4_k"}, 2, {"--type", "q4_k", "f32,f16,bf16,q8_0"});
  error({place / "none", "-o", out}, 1, {"none/config.json", "No such file"});
  error({demo_model, "-o", out}, 1, {"demo-f16.gguf/config.json", "Not a directory"});
  error({place.path(), "-o", out}, 1, {"config.json", "No such file"});

  // What would destroy an input, under its own name or another.
  const std::string weights = read_file(hf + "/model.safetensors"), config = read_file(hf + "/config.json");
  std::filesystem::create_symlink("model.safetensors", hf + "/link.gguf");
  std::filesystem::create_hard_link(hf + "/config.json", place / "hard.gguf");
  for (const std::string& input : {hf + "/model.safetensors", hf + "/link.gguf", place / "hard.gguf", hf + "/../hf/config.json"}) {
    const Run run = run_program("mla-convert", {hf, "-o", input});
    CHECK(run.status == 1);
    CHECK(run.err.find("choose another name") != std::string::npos);
  }
  CHECK(read_file(hf + "/model.safetensors") == weights);
  CHECK(read_file(hf + "/config.json") == config);
  CHECK(std::filesystem::is_symlink(hf + "/link.gguf"));

  // Outputs that can't be written.
  const auto refused = [&](const std::string& output, const std::string& why, const Setup& setup = {}) {
    const Run run = run_program("mla-convert", {hf, "-o", output}, setup);
    CHECK(run.status == 1);
    CHECK(run.out.empty());
    CHECK(run.err.find("mla-convert: cannot ") != std::string::npos);
    CHECK(run.err.find(output + ": " + why) != std::string::npos);
  };
  refused(place / "no/out.gguf", "No such file");
  refused(place.path(), "Is a directory");
  refused("/dev/full", "No space left");
  CHECK(std::filesystem::is_character_file("/dev/full"));
  write_file(out, "what was there before");
  refused(out, "File too large", {.largest_file = 50'000});
  CHECK(read_file(out) == "what was there before");
  CHECK(place.n_files() == 5);  // hf, hard.gguf, out.gguf, and what the next run goes on from
  CHECK(run_program("mla-convert", {hf, "-o", out}).status == 0);
  CHECK(place.n_files() == 3);

  write_file(hf + "/model.safetensors", weights.substr(0, weights.size() / 2));
  error({hf, "-o", place / "torn.gguf"}, 1, {"model.safetensors", "cut short"});
  CHECK(place.n_files() == 3);
}

TEST_CASE("mla-convert: a link is written through, a pipe in place, and Ctrl-C stops it") {
  const Workplace place;
  const std::string hf = place / "hf";
  std::filesystem::create_symlink(place / "real.gguf", place / "link.gguf");
  write_file(place / "real.gguf", "older");
  CHECK(run_program("mla-convert", {hf, "-o", place / "link.gguf"}).status == 0);
  CHECK(std::filesystem::is_symlink(place / "link.gguf"));
  const std::string expected = read_file(place / "real.gguf");
  CHECK(expected.starts_with("GGUF"));

  REQUIRE(::mkfifo((place / "pipe").c_str(), 0600) == 0);
  std::string received;
  std::thread reader([&] { received = read_file(place / "pipe"); });
  CHECK(run_program("mla-convert", {hf, "-o", place / "pipe"}).status == 0);
  reader.join();
  CHECK(received == expected);
  CHECK(std::filesystem::is_fifo(place / "pipe"));

  // Twenty megabytes don't fit the pipe, so the signal comes in the middle of the work.
  write_hf_folder(hf, 40'000);
  const Run stopped = run_program("mla-convert", {hf, "-o", "/dev/stdout", "--type", "f32"}, {.signal_after = "GGUF", .signal = SIGINT});
  CHECK(stopped.status == 128 + SIGINT);
  CHECK(stopped.out.size() < 15'000'000);
}
