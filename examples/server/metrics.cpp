#include "server/metrics.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace server {
namespace {

std::string head(const std::string& name, const char* type, const std::string& help) {
  return fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

template <typename T>
std::string single(const char* name, const char* type, const char* help, T value) {
  return head(name, type, help) + fmt::format("{} {}\n", name, value);
}

}  // namespace

void Histogram::add(double seconds) {
  const auto bucket = std::ranges::lower_bound(bounds, seconds) - bounds.begin();
  const std::lock_guard lock(mutex_);
  ++counts_[static_cast<std::size_t>(bucket)];
  sum_ += seconds;
}

std::string Histogram::text(const std::string& name, const std::string& help) const {
  const std::lock_guard lock(mutex_);
  std::string out = head(name, "histogram", help);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    total += counts_[i];
    out += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, i < bounds.size() ? fmt::format("{}", bounds[i]) : "+Inf", total);
  }
  return out + fmt::format("{}_sum {}\n{}_count {}\n", name, sum_, name, total);
}

void Metrics::count_request(const std::string& path, int status) {
  const std::lock_guard lock(mutex_);
  ++requests_[{path, status}];
}

void Metrics::count_answer(const Finish& finish) {
  ++answers_;
  if (finish.reason == FinishReason::failed) ++failed_;
  prompt_tokens_ += static_cast<std::uint64_t>(finish.n_prompt);
  cached_tokens_ += static_cast<std::uint64_t>(finish.n_cached);
  generated_tokens_ += static_cast<std::uint64_t>(finish.n_generated);
}

void Metrics::count_step(int n_tokens, double seconds) {
  ++steps_;
  step_tokens_ += static_cast<std::uint64_t>(n_tokens);
  step_seconds_ += seconds;
}

std::string Metrics::text(const Load& load) const {
  std::string out = head("mla_http_requests_total", "counter", "Requests by path and status.");
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, n] : requests_)
      out += fmt::format("mla_http_requests_total{{path=\"{}\",status=\"{}\"}} {}\n", key.first, key.second, n);
  }
  out += single("mla_answers_total", "counter", "Answers that came to their end.", answers_.load());
  out += single("mla_answers_failed_total", "counter", "Of them, those that ended in an error.", failed_.load());
  out += single("mla_answers_cancelled_total", "counter", "Answers whose client went away.", cancelled_.load());
  out += single("mla_prompt_tokens_total", "counter", "Tokens of prompts, those from the cache included.", prompt_tokens_.load());
  out += single("mla_cached_tokens_total", "counter", "Tokens of prompts that came from the prompt cache.", cached_tokens_.load());
  out += single("mla_generated_tokens_total", "counter", "Tokens generated.", generated_tokens_.load());
  out += single("mla_steps_total", "counter", "Batches computed.", steps_.load());
  out += single("mla_step_tokens_total", "counter", "Tokens computed in them.", step_tokens_.load());
  out += single("mla_step_seconds_total", "counter", "Seconds they took.", step_seconds_.load());
  out += single("mla_slots", "gauge", "Answers that can be in work at once.", load.n_slots);
  out += single("mla_slots_busy", "gauge", "Answers in work.", load.n_busy);
  out += single("mla_requests_waiting", "gauge", "Answers that wait for a slot.", load.n_waiting);
  out += single("mla_kv_cache_bytes", "gauge", "Bytes of the KV cache in use.", load.cache_bytes);
  out += single("mla_kv_cache_capacity_bytes", "gauge", "Bytes that the KV cache may use.", load.cache_capacity);
  out += single("mla_cached_prompts", "gauge", "Prompts and answers kept in memory.", load.n_cached_prompts);
  out += single("mla_cached_prompts_evicted_total", "counter", "Of them, those that had to make room.", load.n_evicted);
  out += single("mla_saved_prompts", "gauge", "Prompts and answers kept on disk.", load.n_saved_prompts);
  out += single("mla_saved_prompt_bytes", "gauge", "Bytes they take.", load.saved_bytes);
  out += first_token.text("mla_time_to_first_token_seconds", "From a request's arrival to the first token of its answer.");
  return out + between_tokens.text("mla_time_between_tokens_seconds", "Between tokens of one answer.");
}

}  // namespace server
