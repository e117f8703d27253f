#include "report.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "table.hpp"

namespace bench {
namespace {

using Json = nlohmann::ordered_json;

std::string markdown(const std::vector<Result>& results) {
  std::vector<std::vector<std::string>> rows = {
      {"model", "attention", "cache", "threads", "ubatch", "test", "tokens/s (median)", "± stddev"}};
  for (const Result& r : results)
    rows.push_back({r.model, r.attention, r.cache(), std::to_string(r.threads), std::to_string(r.ubatch), r.test(),
                    fixed(r.tokens_per_second()), fixed(r.stddev())});
  return markdown_table(rows, 3);
}

Json ops_json(const Result& r) {
  Json list = Json::array();
  for (const mla::OpTiming& op : r.ops)
    list.push_back({{"name", op.name}, {"seconds", op.seconds}, {"calls", op.calls}, {"bytes", op.bytes}, {"operations", op.operations},
                    {"limit_seconds", r.limit_seconds(op)}});
  return list;
}

std::string json(const std::vector<Result>& results, bool with_ops) {
  Json array = Json::array();
  for (const Result& r : results) {
    array.push_back({{"model", r.model}, {"attention", r.attention}, {"cache_type_k", r.cache_type_k}, {"cache_type_v", r.cache_type_v},
                     {"threads", r.threads}, {"ubatch", r.ubatch}, {"n_prompt", r.n_prompt}, {"n_gen", r.n_gen}, {"depth", r.depth},
                     {"tokens_per_second", r.tokens_per_second()}, {"stddev", r.stddev()}, {"samples", r.samples}});
    if (!with_ops) continue;
    array.back()["ops"] = ops_json(r);
    array.back()["limit_tokens_per_second"] = r.limit_tokens_per_second();
    array.back()["machine"] = {{"read_bytes_per_second", r.machine->read_bytes}, {"f32_operations_per_second", r.machine->f32_operations},
                               {"int8_operations_per_second", r.machine->int8_operations}};
  }
  return array.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

// A field as RFC 4180 wants it.
std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == text.npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + '"';
}

std::string csv(const std::vector<Result>& results) {
  std::string text = "model,attention,cache_type_k,cache_type_v,threads,ubatch,n_prompt,n_gen,depth,tokens_per_second,stddev\n";
  for (const Result& r : results) {
    text += quoted(r.model) + ',' + r.attention + ',' + r.cache_type_k + ',' + r.cache_type_v;
    for (const int n : {r.threads, r.ubatch, r.n_prompt, r.n_gen, r.depth}) text += ',' + std::to_string(n);
    text += ',' + fixed(r.tokens_per_second()) + ',' + fixed(r.stddev()) + '\n';
  }
  return text;
}

double giga_rate(double amount, double seconds) { return seconds > 0 ? amount / seconds * 1e-9 : 0; }

// Figures of an operation per `runs` of them, or of all together.
std::vector<std::string> ops_row(const std::string& name, const mla::OpTiming& op, double limit_seconds, double total_seconds,
                                 double runs) {
  const double bytes = static_cast<double>(op.bytes), operations = static_cast<double>(op.operations);
  const auto or_blank = [](double value, int digits) { return value > 0 ? fixed(value, digits) : std::string(); };
  return {name,
          fixed(op.seconds / runs * 1e3, 3),
          fixed(100 * op.seconds / total_seconds, 1) + " %",
          or_blank(bytes / runs * 1e-6, 2),
          or_blank(operations / runs * 1e-9, 3),
          or_blank(giga_rate(bytes, op.seconds), 2),
          or_blank(giga_rate(operations, op.seconds), 1),
          limit_seconds > 0 ? fixed(100 * limit_seconds / op.seconds, 1) + " %" : std::string()};
}

}  // namespace

double Result::tokens_per_second() const { return median(samples); }
double Result::stddev() const { return standard_deviation(samples); }

std::string Result::test() const {
  const std::string name = n_prompt > 0 ? "pp" + std::to_string(n_prompt) : "tg" + std::to_string(n_gen);
  return depth > 0 ? name + " @ d" + std::to_string(depth) : name;
}

std::string Result::cache() const { return cache_type_k == cache_type_v ? cache_type_k : cache_type_k + "/" + cache_type_v; }

double Result::limit_seconds(const mla::OpTiming& op) const {
  return std::max(static_cast<double>(op.bytes) / machine->read_bytes,
                  static_cast<double>(op.operations) / std::max(machine->f32_operations, machine->int8_operations));
}

double Result::limit_tokens_per_second() const {
  double seconds = 0;
  for (const mla::OpTiming& op : ops) seconds += limit_seconds(op);
  return seconds > 0 ? static_cast<double>(samples.size()) * (n_prompt + n_gen) / seconds : 0;
}

std::string ops_table(const Result& r) {
  const bool generation = r.n_gen > 0;
  const double runs = static_cast<double>(r.samples.size()) * (generation ? r.n_gen : 1);
  std::vector<std::vector<std::string>> rows = {{"operation", "ms", "share", "MB", "GOP", "GB/s", "GOP/s", "of the limit"}};
  mla::OpTiming all{"total"};
  double limit = 0;
  for (const mla::OpTiming& op : r.ops) {
    all.seconds += op.seconds, all.bytes += op.bytes, all.operations += op.operations;
    limit += r.limit_seconds(op);
  }
  for (const mla::OpTiming& op : r.ops) rows.push_back(ops_row(std::string(op.name), op, r.limit_seconds(op), all.seconds, runs));
  rows.push_back(ops_row("total", all, limit, all.seconds, runs));
  const mla::MachineRates& m = *r.machine;
  return fmt::format("\n{}, {} attention, {} cache, {} threads: per {}\n", r.test(), r.attention, r.cache(), r.threads,
                     generation ? "token" : "prompt") +
         fmt::format("Limits: memory read {:.1f} GB/s, f32 product {:.1f} GOP/s, int8 product {:.1f} GOP/s\n\n", m.read_bytes * 1e-9,
                     m.f32_operations * 1e-9, m.int8_operations * 1e-9) +
         markdown_table(rows, 1);
}

std::string format(const std::vector<Result>& results, const std::string& as, bool with_ops) {
  if (as == "json") return json(results, with_ops);
  if (as == "csv") return csv(results);
  std::string text = markdown(results);
  if (with_ops)
    for (const Result& result : results) text += ops_table(result);
  return text;
}

}  // namespace bench
