// Multiple choice: tasks through a model, several at once.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/program.hpp"
#include "perplexity/choices.hpp"
#include "common/rows.hpp"
#include "common/statistics.hpp"
#include "perplexity/tasks.hpp"

namespace program::perplexity {
namespace {

using mla::Position;
using mla::SequenceId;
using mla::Token;

// A task in tokens: what all endings begin with, and how each goes on.
struct TokenTask {
  std::vector<Token> prefix;
  std::vector<std::vector<Token>> endings;
  std::vector<double> log_likelihood;  // of each ending
  std::size_t right = 0;

  std::size_t n_ending_tokens() const noexcept {
    std::size_t n = 0;
    for (const auto& ending : endings) n += ending.size();
    return n;
  }
  std::size_t cache_rows_needed() const noexcept {
    std::size_t n = cache_rows(prefix.size());
    for (const auto& ending : endings) n += cache_rows(prefix.size() + ending.size());
    return n;
  }
};

TokenTask encode(const Choice& choice, const std::string& name, std::size_t number, const mla::Tokenizer& tokenizer) {
  TokenTask task;
  task.right = choice.right;
  task.log_likelihood.resize(choice.endings.size());
  for (const std::string& ending : choice.endings) task.endings.push_back(tokenizer.encode(choice.context + " " + ending));
  std::size_t common = task.endings[0].size();
  for (const auto& tokens : task.endings)
    common = std::min(common, static_cast<std::size_t>(std::ranges::mismatch(tokens, task.endings[0]).in1 - tokens.begin()));
  task.prefix.assign(task.endings[0].begin(), task.endings[0].begin() + static_cast<std::ptrdiff_t>(common));
  for (auto& tokens : task.endings) {
    tokens.erase(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(common));
    if (tokens.empty() || common == 0)
      throw Failure(fmt::format("{}: task {}: an ending is the beginning of another, or there is no context", name, number + 1));
  }
  return task;
}

// Tasks begin … end - 1, whose endings and whose prefixes fit a decode call each, or one task.
std::size_t end_of_group(const std::vector<TokenTask>& tasks, std::size_t begin, std::size_t n_batch, std::size_t n_ctx) {
  std::size_t prefixes = 0, endings = 0, rows = 0, end = begin;
  for (; end < tasks.size(); ++end) {
    prefixes += tasks[end].prefix.size(), endings += tasks[end].n_ending_tokens(), rows += tasks[end].cache_rows_needed();
    if (end > begin && (std::max(prefixes, endings) > n_batch || rows > n_ctx)) break;
  }
  return end;
}

// The token that an ending goes on with at some row.
struct Question {
  std::size_t task, ending;
  Token token;
};

// Rows of some tasks, the questions that their logits answer, and the way through the model.
class Group {
 public:
  Group(std::span<TokenTask> tasks, Scorer& scorer) : tasks_(tasks), scorer_(scorer) {}

  void score() {
    scorer_.cache().clear();
    SequenceId sequence = 0;
    for (std::size_t t = 0; t < tasks_.size(); sequence += n_sequences(t++)) add_prefix(t, sequence);
    answer();
    sequence = 0;
    for (std::size_t t = 0; t < tasks_.size(); sequence += n_sequences(t++)) add_endings(t, sequence);
    answer();
  }

 private:
  SequenceId n_sequences(std::size_t task) const { return static_cast<SequenceId>(tasks_[task].endings.size()); }

  void add_prefix(std::size_t t, SequenceId sequence) {
    const TokenTask& task = tasks_[t];
    for (std::size_t i = 0; i < task.prefix.size(); ++i)
      rows_.add(task.prefix[i], static_cast<Position>(i), sequence, i + 1 == task.prefix.size());
    auto& questions = questions_.emplace_back();
    for (std::size_t e = 0; e < task.endings.size(); ++e) questions.push_back({t, e, task.endings[e][0]});
  }

  // Each ending in a sequence of its own, which shares the prefix. The last token has nothing to predict.
  void add_endings(std::size_t t, SequenceId first) {
    const TokenTask& task = tasks_[t];
    for (std::size_t e = 0; e < task.endings.size(); ++e) {
      const SequenceId sequence = first + static_cast<SequenceId>(e);
      if (e > 0) scorer_.cache().seq_cp(first, sequence);
      for (std::size_t i = 0; i + 1 < task.endings[e].size(); ++i) {
        rows_.add(task.endings[e][i], static_cast<Position>(task.prefix.size() + i), sequence, true);
        questions_.push_back({{t, e, task.endings[e][i + 1]}});
      }
    }
  }

  void answer() {
    std::vector<double> totals;
    std::size_t first = 0;
    scorer_.decode(rows_, [&](const Piece& piece) {
      totals.resize(piece.rows().size());
      piece.for_each([&](std::size_t i, std::span<const float> logits) { totals[i] = log_sum_exp(logits); });
      for (std::size_t i = 0; i < totals.size(); ++i)
        for (const Question& q : questions_[first + i])
          tasks_[q.task].log_likelihood[q.ending] += static_cast<double>(piece.logits(i)[static_cast<std::size_t>(q.token)]) - totals[i];
      first += totals.size();
    });
    rows_.clear(), questions_.clear();
  }

  std::span<TokenTask> tasks_;
  Scorer& scorer_;
  mla::Batch rows_;
  std::vector<std::vector<Question>> questions_;  // [rows that want logits]
};

// Shares of tasks in which the right ending was the likeliest.
struct Accuracy {
  Mean by_mean, by_sum;

  void add(const TokenTask& task) {
    std::vector<double> mean = task.log_likelihood;
    for (std::size_t e = 0; e < mean.size(); ++e) mean[e] /= static_cast<double>(task.endings[e].size());
    const auto is_right = [&](const std::vector<double>& score) {
      return static_cast<std::size_t>(std::ranges::max_element(score) - score.begin()) == task.right;
    };
    by_mean.add(is_right(mean) ? 1 : 0);
    by_sum.add(is_right(task.log_likelihood) ? 1 : 0);
  }
};

std::string percent(const Mean& mean) { return fmt::format("{:.2f} ± {:.2f} %", 100 * mean.value(), 100 * mean.error()); }

// Evenly spread over the file, whose neighbours are often alike.
std::vector<TokenTask> pick(const std::vector<Choice>& choices, const Flags& flags, const mla::Tokenizer& tokenizer) {
  const std::size_t all = choices.size(), n = flags.n_tasks > 0 ? std::min(all, static_cast<std::size_t>(flags.n_tasks)) : all;
  std::vector<TokenTask> tasks;
  for (std::size_t i = 0; i < n; ++i) tasks.push_back(encode(choices[i * all / n], flags.text_file, i * all / n, tokenizer));
  return tasks;
}

void print_figures(const Flags& flags, const Accuracy& accuracy) {
  if (!flags.json)
    return print(fmt::format("accuracy: {} ({} tasks)\naccuracy by the sum: {}\n",
                             percent(accuracy.by_mean), accuracy.by_mean.count(), percent(accuracy.by_sum)));
  const auto json = [](const Mean& mean) { return nlohmann::ordered_json{{"value", mean.value()}, {"error", mean.error()}}; };
  print(nlohmann::ordered_json{{"tasks", accuracy.by_mean.count()}, {"accuracy", json(accuracy.by_mean)},
                               {"accuracy_by_sum", json(accuracy.by_sum)}}.dump(2) + "\n");
}

}  // namespace

void measure_choices(const Flags& flags, const std::string& text, const ModelPointer& model) {
  std::vector<TokenTask> tasks = pick(parse_choices(text, flags.text_file), flags, model->tokenizer());
  // Pages are taken as they are needed, so room for many tasks costs nothing.
  std::size_t n_ctx = cache_rows(flags.batch_size()) * 64;
  for (const TokenTask& task : tasks) n_ctx = std::max(n_ctx, task.cache_rows_needed());
  if (flags.model.n_ctx > 0) n_ctx = static_cast<std::size_t>(flags.model.n_ctx);
  Scorer scorer(model, flags.model, flags.batch_size(), static_cast<int>(n_ctx));
  const mla::ProgressCallback progress = program::progress();
  Accuracy accuracy;
  for (std::size_t begin = 0; begin < tasks.size();) {
    const std::size_t end = end_of_group(tasks, begin, flags.batch_size(), n_ctx);
    Group(std::span(tasks).subspan(begin, end - begin), scorer).score();
    for (; begin < end; ++begin) {
      for (const double sum : tasks[begin].log_likelihood)
        if (!std::isfinite(sum)) throw Failure(fmt::format("{}: the logits of task {} are not finite", flags.model.model, begin + 1));
      accuracy.add(tasks[begin]);
    }
    const std::string running = "accuracy " + percent(accuracy.by_mean);
    if (flags.model.verbose) notice(fmt::format("task {} of {}: {}", end, tasks.size(), running));
    progress(running, end, tasks.size());
  }
  print_figures(flags, accuracy);
}

}  // namespace program::perplexity
