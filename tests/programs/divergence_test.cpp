// mla-perplexity --kl-divergence and --hellaswag as a user meets them.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <mla/model.hpp>
#include <nlohmann/json.hpp>

#include "demo_variant.hpp"
#include "folder.hpp"
#include "npy.hpp"
#include "process.hpp"

namespace {

using Arguments = std::vector<std::string>;

Arguments joined(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

nlohmann::json figures(const Arguments& arguments) {
  const Run run = run_program("mla-perplexity", joined({"--json"}, arguments));
  INFO(run.err);
  REQUIRE(run.status == 0);
  CHECK(run.err.empty());
  return nlohmann::json::parse(run.out);
}

void write_base(const std::string& path, const Arguments& more = {}) {
  const Run run = run_program(
      "mla-perplexity", joined({"-m", demo_model, "-f", heldout_text, "-c", "64", "--chunks", "3", "--kl-divergence-base", path}, more));
  INFO(run.err);
  REQUIRE(run.status == 0);
}

template <typename T>
T at(const std::string& bytes, std::size_t offset) {
  T value;
  REQUIRE(offset + sizeof value <= bytes.size());
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::vector<double> log_softmax(const float* row, std::size_t n) {
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(row[i]));
  std::vector<double> out(row, row + n);
  for (double& value : out) value -= std::log(sum);
  return out;
}

// The logits of a window of the base file, from another run of the program.
Npy logits_of(const std::string& base, std::size_t window, const Folder& folder, const Arguments& more) {
  std::string ids = "0";  // bos, as every window begins
  for (std::size_t i = 1; i < 64; ++i) ids.append(" ").append(std::to_string(at<std::int32_t>(base, 20 + 4 * (64 * window + i))));
  const Run run =
      run_program("mla-perplexity", joined({"-m", demo_model, "--tokens", "-", "--logits-out", folder / "l.npy"}, more), {.input = ids});
  REQUIRE(run.status == 0);
  return Npy::read(folder / "l.npy");
}

}  // namespace

TEST_CASE("mla-perplexity --kl-divergence-base writes the file that the field reads") {
  const Folder folder;
  const Arguments one_form{"--attention", "deepseek-mla"};  // auto takes another one for the last layer where few rows are wanted
  write_base(folder / "base", one_form);
  const std::string base = read_file(folder / "base");
  CHECK(base.starts_with("_logits_"));
  CHECK(at<std::int32_t>(base, 8) == 64);
  CHECK(at<std::int32_t>(base, 12) == 2048);
  CHECK(at<std::int32_t>(base, 16) == 3);
  constexpr std::size_t tokens = 20, records = tokens + 4 * 3 * 64, record = 8 + 2 * 2048;
  CHECK(base.size() == records + 3 * 31 * record);
  const auto encoded = mla::Model::load(demo_model)->tokenizer().encode(read_file(heldout_text));
  for (std::size_t i = 0; i < 3 * 64; ++i) REQUIRE(at<std::int32_t>(base, tokens + 4 * i) == encoded[i]);

  // A record's codes are the log-probabilities to half a step.
  const Npy logits = logits_of(base, 1, folder, one_form);
  for (const std::size_t row : {32, 50, 62}) {
    const std::vector<double> expected = log_softmax(logits.values.data() + row * 2048, 2048);
    const std::size_t begin = records + (31 + row - 32) * record;
    const auto scale = at<float>(base, begin), least = at<float>(base, begin + 4);
    double worst = 0;
    for (std::size_t i = 0; i < 2048; ++i)
      worst = std::max(worst, std::abs(static_cast<double>(scale) * at<std::uint16_t>(base, begin + 8 + 2 * i) + least -
                                       std::max(expected[i], static_cast<double>(least))));
    CHECK(worst < 0.51 * scale + 1e-5);
  }
  // However the windows go through the model.
  write_base(folder / "other", {"-b", "40", "-t", "1"});
  CHECK(read_file(folder / "other").size() == base.size());
}

TEST_CASE("mla-perplexity --kl-divergence: its figures are those of the two models' logits") {
  const Folder folder;
  write_base(folder / "base");
  const std::string base = read_file(folder / "base");
  const Arguments other{"--cache-type", "q4_0"};
  const nlohmann::json found = figures(joined({"-m", demo_model, "--kl-divergence-base", folder / "base", "--kl-divergence"}, other));
  std::vector<double> divergences;
  double nll = 0, base_nll = 0, same = 0, squares = 0;
  for (std::size_t window = 0; window < 3; ++window) {
    const Npy p = logits_of(base, window, folder, {}), q = logits_of(base, window, folder, other);
    for (std::size_t row = 32; row < 63; ++row) {
      const auto log_p = log_softmax(p.values.data() + row * 2048, 2048), log_q = log_softmax(q.values.data() + row * 2048, 2048);
      double divergence = 0;
      for (std::size_t i = 0; i < 2048; ++i) divergence += std::exp(log_p[i]) * (log_p[i] - log_q[i]);
      divergences.push_back(divergence);
      const auto next = static_cast<std::size_t>(at<std::int32_t>(base, 20 + 4 * (64 * window + row + 1)));
      nll -= log_q[next], base_nll -= log_p[next];
      squares += std::pow(std::exp(log_q[next]) - std::exp(log_p[next]), 2);
      same += std::ranges::max_element(log_p) - log_p.begin() == std::ranges::max_element(log_q) - log_q.begin();
    }
  }
  std::ranges::sort(divergences);
  double sum = 0;
  for (const double d : divergences) sum += d;
  const double n = 93;
  const auto value = [&](const char* name) { return found[name]["value"].get<double>(); };
  CHECK(found["tokens"] == 93);
  CHECK(value("kl_divergence") == Approx(sum / n).epsilon(1e-3));
  CHECK(found["kl_quantiles"]["maximum"].get<double>() == Approx(divergences.back()).epsilon(1e-3));
  CHECK(found["kl_quantiles"]["median"].get<double>() == Approx(divergences[46]).epsilon(1e-2));
  CHECK(found["kl_quantiles"]["99 %"].get<double>() == Approx(0.92 * divergences[91] + 0.08 * divergences[92]).epsilon(1e-2));
  CHECK(value("perplexity") == Approx(std::exp(nll / n)).epsilon(1e-4));
  CHECK(value("base_perplexity") == Approx(std::exp(base_nll / n)).epsilon(1e-4));
  CHECK(value("log_ratio") == Approx((nll - base_nll) / n).margin(2e-5));
  CHECK(value("top_agreement") == Approx(same / n));
  CHECK(value("rms_change") == Approx(std::sqrt(squares / n)).epsilon(1e-3));
}

TEST_CASE("mla-perplexity --kl-divergence of a model with itself is the rounding of the file, and text has all figures") {
  const Folder folder;
  write_base(folder / "base");
  const Arguments same{"-m", demo_model, "--kl-divergence-base", folder / "base", "--kl-divergence"};
  const nlohmann::json found = figures(same);
  CHECK(found["kl_divergence"]["value"].get<double>() >= 0);
  CHECK(found["kl_divergence"]["value"].get<double>() < 1e-7);  // steps of 24 / 65535 at most: their squares / 12
  CHECK(found["kl_quantiles"]["minimum"].get<double>() >= 0);
  CHECK(found["top_agreement"]["value"].get<double>() > 0.98);
  CHECK(figures(joined(same, {"--chunks", "2", "-b", "7"}))["tokens"] == 62);
  const Run run = run_program("mla-perplexity", joined(same, {"-v"}));
  for (const char* part : {"perplexity: ", "base perplexity: ", "KL divergence: ", "99.9 %", "99 %", "maximum", "top-1 agreement: ", " ± "})
    CHECK(run.out.find(part) != std::string::npos);
  CHECK(run.err.find("window 3 of 3: perplexity ") != std::string::npos);
}

TEST_CASE("mla-perplexity --kl-divergence refuses damaged files") {
  const Folder folder;
  write_base(folder / "base");
  const std::string good = read_file(folder / "base");
  const auto error = [&](const std::string& bytes, const std::vector<std::string>& parts) {
    write_file(folder / "bad", bytes);
    check_error("mla-perplexity", {"-m", demo_model, "--kl-divergence-base", folder / "bad", "--kl-divergence"}, 1, joined({"bad"}, parts));
  };
  const auto with = [&](std::size_t offset, auto value) {
    std::string bytes = good;
    std::memcpy(bytes.data() + offset, &value, sizeof value);
    return bytes;
  };
  error("", {"log-probabilities"});
  error("_logits", {"log-probabilities"});
  error("_logitz_" + good.substr(8), {"log-probabilities"});
  error(good.substr(0, 19), {"header"});
  error(good.substr(0, 20), {"cut off"});
  error(good.substr(0, good.size() - 1), {"cut off"});
  error(good + "x", {"cut off"});
  for (const std::int32_t n : {0, -1, 3, 1 << 21, 65}) error(with(8, n), {std::to_string(n)});
  for (const std::int32_t n : {0, -2048, 2047, 4096}) error(with(12, n), {"vocabulary", std::to_string(n), "2048"});
  for (const std::int32_t n : {0, -1, 2, 4, 0x7fffffff}) error(with(16, n), {std::to_string(n)});
  for (const std::int32_t token : {-1, 2048}) error(with(24, token), {"token", std::to_string(token)});
  const std::size_t record = 20 + 4 * 3 * 64;
  error(with(record, std::nanf("")), {"position 1", "finite"});
  error(with(record + 4, INFINITY), {"position 1", "finite"});
  check_error("mla-perplexity", {"-m", demo_model, "--kl-divergence-base", folder / "none", "--kl-divergence"}, 1,
              {"none", "No such file"});
  check_error("mla-perplexity", {"-m", demo_model, "--kl-divergence"}, 2, {"--kl-divergence-base"});
  check_error("mla-perplexity", {"-m", demo_model, "-f", heldout_text, "--kl-divergence-base", folder / "b", "--kl-divergence"}, 2,
              {"--kl-divergence"});
  check_error("mla-perplexity", {"-m", demo_model, "-f", heldout_text, "--chunks", "1", "--kl-divergence-base", "/dev/full"}, 1,
              {"/dev/full", "No space left"});
  CHECK(folder.n_files() == 2);
}

namespace {

struct Task {
  std::string context;
  std::vector<std::string> endings;
  std::size_t right;
};

// The true next words of four places in the text, among those of other places.
std::vector<Task> tasks() {
  std::string text = read_file(heldout_text).substr(0, 6000);
  std::ranges::replace(text, '\n', ' ');
  const auto words = [&](std::size_t from, int n) {
    std::size_t begin = text.find(' ', from) + 1, end = begin;
    for (int i = 0; i < n; ++i) end = text.find(' ', end + 1);
    return text.substr(begin, end - begin);
  };
  std::vector<Task> all;
  for (std::size_t t = 0; t < 4; ++t) {
    const std::size_t from = 1200 * t;
    Task task{words(from, 30), {}, t};
    for (std::size_t e = 0; e < 4; ++e)
      task.endings.push_back(words(e == t ? from + task.context.size() : 300 + 1100 * e, 5 + static_cast<int>(e)));
    all.push_back(task);
  }
  return all;
}

std::string as_text(const std::vector<Task>& all) {
  std::string text;
  for (const Task& task : all) {
    text += task.context + "\n" + std::to_string(task.right) + "\n";
    for (const std::string& ending : task.endings) text += ending + "\n";
  }
  return text;
}

std::string as_json(const std::vector<Task>& all) {
  std::string text;
  for (const Task& task : all)
    text += nlohmann::json{{"context", task.context}, {"endings", task.endings}, {"label", task.right}}.dump() + "\n";
  return text;
}

// By the plain way: each ending behind its context, alone. {by the mean, by the sum}
std::pair<int, int> count_right(const std::vector<Task>& all) {
  const Folder folder;
  const auto model = mla::Model::load(demo_model);
  int by_mean = 0, by_sum = 0;
  for (const Task& task : all) {
    std::vector<std::vector<mla::Token>> tokens;
    for (const std::string& ending : task.endings) tokens.push_back(model->tokenizer().encode(task.context + " " + ending));
    std::size_t common = 0;
    while (std::ranges::all_of(tokens, [&](const auto& t) { return t.at(common) == tokens[0][common]; })) ++common;
    std::vector<double> sums, means;
    for (const auto& ending : tokens) {
      std::string ids;
      for (const mla::Token token : ending) ids += std::to_string(token) + " ";
      REQUIRE(run_program("mla-perplexity", {"-m", demo_model, "--tokens", "-", "--logits-out", folder / "l.npy"}, {.input = ids}).status ==
              0);
      const Npy logits = Npy::read(folder / "l.npy");
      double sum = 0;
      for (std::size_t i = common; i < ending.size(); ++i)
        sum += log_softmax(logits.values.data() + (i - 1) * 2048, 2048)[static_cast<std::size_t>(ending[i])];
      sums.push_back(sum), means.push_back(sum / static_cast<double>(ending.size() - common));
    }
    by_sum += static_cast<std::size_t>(std::ranges::max_element(sums) - sums.begin()) == task.right;
    by_mean += static_cast<std::size_t>(std::ranges::max_element(means) - means.begin()) == task.right;
  }
  return {by_mean, by_sum};
}

}  // namespace

TEST_CASE("mla-perplexity --hellaswag: the shares are those of endings scored one by one, in both formats and any batching") {
  const Folder folder;
  std::vector<Task> all = tasks();
  const auto right = count_right(all);
  CHECK(right.first > 0);  // else nothing is told apart
  Task wrong = all[0];
  wrong.right = 3 - wrong.right;
  all.push_back(wrong);
  write_file(folder / "tasks.txt", as_text(all));
  write_file(folder / "tasks.jsonl", as_json(all));
  const auto [by_mean, by_sum] = count_right(all);
  for (const char* file : {"tasks.txt", "tasks.jsonl"})
    for (const Arguments& more : {Arguments{}, {"-b", "16"}, {"-b", "1000"}, {"--attention", "deepseek2"}}) {
      const nlohmann::json found = figures(joined({"-m", demo_model, "-f", folder / file, "--hellaswag"}, more));
      CHECK(found["tasks"] == 5);
      CHECK(found["accuracy"]["value"].get<double>() == Approx(by_mean / 5.0));
      CHECK(found["accuracy_by_sum"]["value"].get<double>() == Approx(by_sum / 5.0));
      const double p = by_mean / 5.0;
      CHECK(found["accuracy"]["error"].get<double>() == Approx(std::sqrt(p * (1 - p) / 4)));
    }
  const Run run =
      run_program("mla-perplexity", {"-m", demo_model, "-f", folder / "tasks.txt", "--hellaswag", "--hellaswag-tasks", "2", "-v"});
  CHECK(run.out.find("(2 tasks)") != std::string::npos);
  CHECK(run.err.find("task 2 of 2: accuracy ") != std::string::npos);
}

TEST_CASE("mla-perplexity --hellaswag: errors name the line") {
  const Folder folder;
  const std::string context = "And God said", endings = "let there be\nunto him\nI am\nGo forth\n";
  const auto error = [&](const std::string& text, const std::vector<std::string>& parts) {
    write_file(folder / "t", text);
    check_error("mla-perplexity", {"-m", demo_model, "-f", folder / "t", "--hellaswag"}, 1, parts);
  };
  error("", {"t holds no tasks"});
  error("\n\n", {"t holds no tasks"});
  error(context + "\n1\n", {"2 lines", "6"});
  for (const char* label : {"4", "-1", "x", "", "01", "1.0"}) error(context + "\n" + label + "\n" + endings, {"line 2", "0 to 3"});
  error(R"({"context": "a", "endings": ["unto", "unto him"], "label": 1})", {"task 1", "beginning of another"});
  for (const char* line : {"{", "{}", R"({"context": "a", "endings": ["b", "c"], "label": -1})",
                           R"({"context": 1, "endings": ["b", "c"], "label": 1})", R"({"context": "a", "endings": "b", "label": 1})"})
    error(line, {"line 1", "\"label\""});
  error(R"({"context": "a", "endings": ["b"], "label": 0})", {"line 1", "1 endings"});
  error(R"({"context": "a", "endings": ["b", "c"], "label": 2})", {"line 1", "label 2"});
  error(R"({"context": "a", "endings": ["b", 2], "label": 1})", {"line 1", "no string"});
  write_file(folder / "t", context + "\n1\n" + endings);
  check_error("mla-perplexity", {"-m", demo_model, "-f", folder / "t", "--hellaswag", "-c", "64"}, 1, {"cache"});
  check_error("mla-perplexity", {"-m", demo_model, "--hellaswag"}, 2, {"--hellaswag"});
}
