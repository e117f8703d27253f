// mla-perplexity as a user meets it.
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <mla/model.hpp>

#include "demo_variant.hpp"
#include "folder.hpp"
#include "npy.hpp"
#include "process.hpp"

namespace {

// "perplexity: 12.3456 ± 0.7890 (1234 tokens)"
struct Figures {
  double perplexity = 0, uncertainty = 0;
  int n_tokens = 0;
};

Figures figures(const Run& run) {
  CHECK(run.status == 0);
  CHECK(run.err.empty());
  INFO(run.out);
  Figures f;
  REQUIRE(std::sscanf(run.out.c_str(), "perplexity: %lf ± %lf (%d tokens)\n", &f.perplexity, &f.uncertainty, &f.n_tokens) == 3);
  CHECK(run.out.find('\n') == run.out.size() - 1);
  return f;
}

std::string ids(int n) {
  std::string text;
  for (int i = 0; i < n; ++i) text += std::to_string(i * 37 % 2000) + (i % 10 == 9 ? "\n" : " ");
  return text;
}

}  // namespace

TEST_CASE("mla-perplexity measures a text") {
  const std::vector<std::string> base{"-m", demo_model, "-f", heldout_text, "--chunks", "2"};
  const auto with = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), base.begin(), base.end());
    return figures(run_program("mla-perplexity", arguments));
  };
  const Figures whole = with({});
  CHECK(whole.n_tokens == 2 * 255);  // of a window of 512, the tokens after position 256
  CHECK(whole.perplexity > 2);
  CHECK(whole.perplexity < 60);
  CHECK(whole.uncertainty > 0);
  CHECK(whole.uncertainty < whole.perplexity / 2);
  CHECK(with({"-c", "64"}).n_tokens == 2 * 31);
  CHECK(std::abs(with({"-b", "100", "-ub", "32"}).perplexity / whole.perplexity - 1) < 1e-3);
  for (const char* mode : {"deepseek2", "deepseek-mla"})
    CHECK(std::abs(with({"--attention", mode, "--cache-type", "q8_0", "-t", "1"}).perplexity / whole.perplexity - 1) < 0.02);
}

TEST_CASE("mla-perplexity: its figure is the one that its logits give") {
  // One window of token ids, its first one bos; the text is what they stand for.
  const Folder folder;
  const std::string text = read_file(heldout_text).substr(0, 2000);
  write_file(folder / "text", text);
  const Figures f = figures(
      run_program("mla-perplexity", {"-m", demo_model, "-f", folder / "text", "-c", "128", "--chunks", "1", "--cache-type", "f32"}));
  const auto model = mla::Model::load(demo_model);
  auto tokens = model->tokenizer().encode(text);
  REQUIRE(tokens.size() > 128);
  std::string list;
  for (int i = 0; i < 128; ++i) list += std::to_string(tokens[static_cast<std::size_t>(i)]) + " ";
  const Run run = run_program(
      "mla-perplexity", {"-m", demo_model, "--tokens", "-", "--logits-out", folder / "l.npy", "--cache-type", "f32"}, {.input = list});
  CHECK(run.status == 0);
  const Npy logits = Npy::read(folder / "l.npy");
  REQUIRE(logits.shape == std::vector<std::size_t>{128, static_cast<std::size_t>(model->info().n_vocab)});
  double nll = 0;
  for (std::size_t i = 64; i < 127; ++i) {
    const float* row = logits.values.data() + i * logits.shape[1];
    double sum = 0;
    for (std::size_t v = 0; v < logits.shape[1]; ++v) sum += std::exp(static_cast<double>(row[v]));
    nll += std::log(sum) - row[static_cast<std::size_t>(tokens[i + 1])];
  }
  CHECK(f.n_tokens == 63);
  CHECK(std::abs(std::exp(nll / 63) - f.perplexity) < 2e-4 * f.perplexity);
}

TEST_CASE("mla-perplexity writes the logits of token ids") {
  const Folder folder;
  write_file(folder / "ids.txt", ids(300));
  const auto logits = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(),
                     {"-m", demo_model, "--tokens", folder / "ids.txt", "--logits-out", folder / "out.npy", "--cache-type", "f32"});
    const Run run = run_program("mla-perplexity", arguments);
    CHECK(run.status == 0);
    CHECK(run.out.empty());
    CHECK(run.err.empty());
    CHECK(folder.n_files() == 2);  // nothing but the list and the result
    return Npy::read(folder / "out.npy");
  };
  const Npy all = logits({});
  REQUIRE(all.shape == std::vector<std::size_t>{300, 2048});
  REQUIRE(std::ranges::all_of(all.values, [](float value) { return std::isfinite(value); }));
  float largest = 0;
  for (const float value : all.values) largest = std::max(largest, std::abs(value));
  CHECK(largest > 1);
  for (const auto& arguments :
       {std::vector<std::string>{"-b", "7"}, {"--attention", "deepseek2", "-ub", "33"}, {"--attention", "deepseek-mla", "-c", "300"}}) {
    const Npy other = logits(arguments);
    REQUIRE(other.values.size() == all.values.size());
    float worst = 0;
    for (std::size_t i = 0; i < all.values.size(); ++i) worst = std::max(worst, std::abs(other.values[i] - all.values[i]));
    CHECK(worst < 2e-4f * largest);
  }
}

TEST_CASE("mla-perplexity: errors are one line with the name of what is wrong, and a status; no file is left") {
  const Folder folder;
  const std::string list = folder / "ids.txt", out = folder / "out.npy";
  write_file(folder / "short.txt", "Too short.");
  write_file(folder / "empty.txt", "");
  const auto error = [](std::vector<std::string> arguments, int status, const std::vector<std::string>& parts) {
    check_error("mla-perplexity", arguments, status, parts);
  };
  error({}, 2, {"--model"});
  error({"-m", demo_model}, 2, {"-f", "--tokens"});
  error({"-m", demo_model, "-f", heldout_text, "--tokens", list}, 2, {"--tokens"});
  error({"-m", demo_model, "--tokens", list}, 2, {"--logits-out"});
  error({"-m", demo_model, "--logits-out", out}, 2, {"--tokens"});
  error({"-m", demo_model, "-f", folder / "none.txt"}, 1, {"none.txt", "No such file"});
  error({"-m", demo_model, "-f", folder.path()}, 1, {folder.path(), "directory"});
  error({"-m", demo_model, "-f", folder / "short.txt"}, 1, {"short.txt", "512", "-c"});
  error({"-m", demo_model, "-f", folder / "empty.txt"}, 1, {"empty.txt"});
  error({"-m", demo_model, "-f", heldout_text, "-c", "3"}, 1, {"-c 3"});
  error({"-m", demo_model, "-f", heldout_text, "--chunks", "-1"}, 2, {"--chunks"});
  error({"-m", folder / "none.gguf", "-f", heldout_text}, 1, {"none.gguf"});

  const std::vector<std::string> base{"-m", demo_model, "--tokens", list, "--logits-out", out};
  error(base, 1, {"ids.txt", "No such file"});
  for (const char* bad : {"-1", "2048", "99999999999", "1.5", "+3", "0x10", "7,8", "nan", "\xff"}) {
    write_file(list, std::string("1 2\n3\t") + bad + " 4");
    error(base, 1, {"ids.txt", "entry 4", bad, "2047"});
  }
  for (const char* none : {"", " \n\t\n"}) {
    write_file(list, none);
    error(base, 1, {"ids.txt", "no token ids"});
  }
  write_file(list, ids(40));
  auto small = base;
  small.insert(small.end(), {"-c", "39"});
  error(small, 1, {"ids.txt", "40", "-c 39"});
  CHECK(folder.n_files() == 3);

  error({"-m", demo_model, "--tokens", list, "--logits-out", folder / "no/out.npy"}, 1, {"no/out.npy", "No such file"});
  error({"-m", demo_model, "--tokens", list, "--logits-out", folder.path()}, 1, {folder.path(), "directory"});
  error({"-m", demo_model, "--tokens", list, "--logits-out", "/dev/full"}, 1, {"/dev/full", "No space left"});
  write_file(out, "what was there before");
  check_error("mla-perplexity", base, 1, {"out.npy", "too large"}, {.largest_file = 100'000});
  CHECK(read_file(out) == "what was there before");
  CHECK(folder.n_files() == 4);
  check_error("mla-perplexity", {"-m", demo_model, "-f", heldout_text, "--chunks", "1"}, 1, {"standard output", "No space left"},
              {.output = "/dev/full"});
}

TEST_CASE("mla-perplexity does not average over logits that are not numbers") {
  const Folder folder;
  write_demo_variant(folder / "nan.gguf", {.change = [](const mla::format::TensorInfo& tensor, std::vector<float>& values) {
    if (tensor.name == "output_norm.weight") values.assign(values.size(), std::numeric_limits<float>::quiet_NaN());
  }});
  check_error("mla-perplexity", {"-m", folder / "nan.gguf", "-f", heldout_text}, 1, {"nan.gguf", "window 1", "not finite"});
}

TEST_CASE("mla-perplexity on a terminal shows how far it is, and Ctrl-C stops it", "[.terminal]") {
  need_terminal();
  const Run done = run_program("mla-perplexity", {"-m", demo_model, "-f", heldout_text, "--chunks", "3", "-b", "100"}, {.terminal = true});
  CHECK(done.status == 0);
  CHECK(done.out.find(" %") != std::string::npos);
  CHECK(done.out.find("\033[Kperplexity: ") != std::string::npos);
  const Run stopped = run_program("mla-perplexity", {"-m", demo_model, "-f", heldout_text, "-c", "64"},
                                  {.terminal = true, .signal_after = "perplexity ", .signal = SIGINT});
  CHECK(stopped.status == 128 + SIGINT);
  CHECK(stopped.out.find("perplexity: ") == std::string::npos);
  CHECK(stopped.out.ends_with("\r\033[K"));
}
