#include "model/quantize_plan.hpp"

#include <algorithm>
#include <charconv>
#include <regex>
#include <span>
#include <string_view>

#include "platform/fail.hpp"
#include "quant/encode.hpp"

namespace mla::model {
namespace {

using format::TensorInfo;
using quant::Type;

enum class Mix { none, q2_k, q3_k_m, q4_k_s, q4_k_m, q5_k_s, q5_k_m, iq4 };

// `file_type` as other programs number them.
struct Recipe {
  const char* name;
  Type base;
  Mix mix;
  std::uint32_t file_type;
};

constexpr Recipe recipes[] = {
    {"Q2_K", Type::q2_k, Mix::q2_k, 10},      {"Q3_K_M", Type::q3_k, Mix::q3_k_m, 12}, {"Q4_K_S", Type::q4_k, Mix::q4_k_s, 14},
    {"Q4_K_M", Type::q4_k, Mix::q4_k_m, 15},  {"Q5_K_S", Type::q5_k, Mix::q5_k_s, 16}, {"Q5_K_M", Type::q5_k, Mix::q5_k_m, 17},
    {"Q6_K", Type::q6_k, Mix::none, 18},      {"IQ4_XS", Type::iq4_xs, Mix::iq4, 30},  {"IQ4_NL", Type::iq4_nl, Mix::iq4, 25},
    {"Q4_0", Type::q4_0, Mix::none, 2},       {"Q5_0", Type::q5_0, Mix::none, 8},      {"Q6_0", Type::q6_0, Mix::none, 135},
    {"Q8_0", Type::q8_0, Mix::none, 7},       {"F16", Type::f16, Mix::none, 1},        {"BF16", Type::bf16, Mix::none, 32},
    {"F32", Type::f32, Mix::none, 0},
    // As other programs abbreviate them.
    {"Q3_K", Type::q3_k, Mix::q3_k_m, 12},    {"Q4_K", Type::q4_k, Mix::q4_k_m, 15},   {"Q5_K", Type::q5_k, Mix::q5_k_m, 17},
};
constexpr std::size_t n_abbreviations = 3;

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

const Recipe& find_recipe(const std::string& name) {
  for (const Recipe& recipe : recipes)
    if (same_name(recipe.name, name)) return recipe;
  fail(Status::invalid_argument, "can't quantise to '{}': use one of {}", name, fmt::join(quantize_types(), ", "));
}

Type find_type(const TensorTypeRule& rule) {
  const auto type = quant::parse_type(rule.type);
  if (!type || !quant::can_encode(*type))
    fail(Status::invalid_argument,
         "rule {}={}: not a type that can be written: use F32, F16, BF16, Q4_0, Q5_0, Q6_0, Q8_0, Q2_K to Q6_K, IQ4_NL or IQ4_XS",
         rule.pattern, rule.type);
  return *type;
}

struct Rule {
  std::regex pattern;
  Type type;
  const TensorTypeRule* source;
  bool used = false;
};

std::vector<Rule> compile(const std::vector<TensorTypeRule>& sources) {
  std::vector<Rule> rules;
  for (const TensorTypeRule& source : sources) {
    try {
      rules.push_back({std::regex(source.pattern), find_type(source), &source});
    } catch (const std::regex_error&) {
      fail(Status::invalid_argument, "rule {}={}: not a regular expression", source.pattern, source.type);
    }
  }
  return rules;
}

// What norms, biases, routers and whatever has no rows are not.
bool may_change(const TensorInfo& tensor) {
  const std::string_view name = tensor.name;
  return tensor.shape.size() >= 2 && name.ends_with(".weight") && !name.ends_with("_norm.weight") && name.find("ffn_gate_inp") == name.npos;
}

// Where a row is no whole number of blocks: the type with small blocks that is next in precision, else F16.
Type fitting(Type type, std::uint64_t columns) {
  const auto fits = [&](Type t) { return columns % static_cast<std::uint64_t>(quant::traits(t).block_size) == 0; };
  if (fits(type)) return type;
  const Type smaller = type == Type::q2_k || type == Type::q3_k || type == Type::iq4_xs ? Type::iq4_nl
                       : type == Type::q4_k                                             ? Type::q5_0
                                                                                        : Type::q8_0;
  return fits(smaller) ? smaller : Type::f16;
}

// Tensors whose rows don't fit the type that they should have: each is named at level info, all together in one warning.
class Misfits {
 public:
  explicit Misfits(LogSink* log) : log_(log) {}

  void add(const TensorInfo& tensor, Type asked, Type given) {
    const std::string change =
        fmt::format("{} instead of {} for rows of {}", quant::traits(given).name, quant::traits(asked).name, tensor.shape[0]);
    if (log_ != nullptr) log_->write(LogLevel::info, one_line(fmt::format("tensor {}: {}", tensor.name, change)));
    const auto known = std::ranges::find(changes_, change, &Change::text);
    if (known == changes_.end()) changes_.push_back({change, 1});
    else ++known->n_tensors;
    if (n_++ == 0) first_ = tensor.name;
  }

  void report() const {
    if (log_ == nullptr || n_ == 0) return;
    std::string text;
    for (const Change& change : changes_) text += fmt::format("{}{} ({} tensors)", text.empty() ? "" : ", ", change.text, change.n_tensors);
    log_->write(LogLevel::warning,
                one_line(fmt::format("rows that don't fit their type, in {} tensors, the first of which is {}: {}", n_, first_, text)));
  }

 private:
  struct Change {
    std::string text;
    std::size_t n_tensors;
  };
  LogSink* log_;
  std::vector<Change> changes_;
  std::size_t n_ = 0;
  std::string first_;
};

class Chooser {
 public:
  Chooser(const format::GgufFile& file, const Recipe& recipe, bool has_imatrix)
      : base_(recipe.base),
        mix_(recipe.mix),
        n_layers_(static_cast<int>(std::min<std::uint64_t>(file.get_uint("deepseek2.block_count").value_or(0), 1 << 20))),
        has_experts_(file.get_uint("deepseek2.expert_count").value_or(0) >= 4),
        has_imatrix_(has_imatrix),
        has_output_(file.find("output.weight") != nullptr) {}

  Type choose(std::string_view name) const {
    const auto has = [&](std::string_view part) { return name.find(part) != name.npos; };
    const bool is_float = quant::traits(base_).block_size == 1;
    if (is_float) return base_;
    if (name == "output.weight" || (!has_output_ && name == "token_embd.weight")) return base_ == Type::q8_0 ? base_ : Type::q6_k;
    if (has("attn_k")) return has_experts_ ? Type::q8_0 : base_;
    if (has("ffn_down")) return for_ffn_down(layer_of(name));
    if (has("attn_output")) return for_attention_output();
    return base_;
  }

 private:
  static int layer_of(std::string_view name) {
    int layer = 0;
    if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
    return layer;
  }

  // The first and last eighth of the layers, and every third between.
  bool deserves_more(int layer) const {
    return layer < n_layers_ / 8 || layer >= 7 * n_layers_ / 8 || (layer - n_layers_ / 8) % 3 == 2;
  }

  Type for_ffn_down(int layer) const {
    switch (mix_) {
      case Mix::q2_k: return Type::q3_k;
      case Mix::q3_k_m: return layer < n_layers_ / 16 ? Type::q5_k : Type::q4_k;
      case Mix::q4_k_s: return layer < n_layers_ / 8 ? Type::q5_k : base_;
      case Mix::q4_k_m:
      case Mix::q5_k_m: return deserves_more(layer) ? Type::q6_k : base_;
      case Mix::iq4: return layer < n_layers_ / 8 && !has_imatrix_ ? Type::q5_k : base_;
      default: return base_;
    }
  }

  Type for_attention_output() const {
    const bool below_5_bits = mix_ != Mix::none && mix_ != Mix::q5_k_s && mix_ != Mix::q5_k_m;
    if (has_experts_) return below_5_bits ? Type::q5_k : base_;
    return mix_ == Mix::q2_k ? Type::q3_k : mix_ == Mix::q3_k_m ? Type::q4_k : base_;
  }

  Type base_;
  Mix mix_;
  int n_layers_;
  bool has_experts_, has_imatrix_, has_output_;
};

}  // namespace

QuantizePlan plan_quantization(const format::GgufFile& file, const QuantizeOptions& options) {
  const Recipe* recipe = options.type.empty() ? nullptr : &find_recipe(options.type);
  std::vector<Rule> rules = compile(options.tensor_types);
  std::optional<Chooser> chooser;
  if (recipe != nullptr) chooser.emplace(file, *recipe, !options.imatrix.empty());
  constexpr std::size_t longest_name = 256;  // std::regex recurses with the text

  QuantizePlan plan;
  Misfits misfits(options.log.get());
  if (recipe != nullptr) plan.file_type = recipe->file_type;
  for (const TensorInfo& tensor : file.tensors()) {
    std::optional<Type>& type = plan.types.emplace_back();
    if (!may_change(tensor)) continue;
    const auto rule = std::ranges::find_if(
        rules, [&](const Rule& r) { return tensor.name.size() <= longest_name && std::regex_search(tensor.name, r.pattern); });
    if (rule != rules.end()) type = rule->type, rule->used = true;
    else if (chooser) type = options.pure ? recipe->base : chooser->choose(tensor.name);
    if (!type) continue;
    if (const Type fit = fitting(*type, tensor.shape[0]); fit != *type) {
      misfits.add(tensor, *type, fit);
      type = fit;
    }
    if (tensor.type == static_cast<std::uint32_t>(*type)) type.reset();
  }
  misfits.report();
  for (const Rule& rule : rules)
    if (!rule.used)
      fail(Status::invalid_argument, "rule {}={}: no matrix of {} has such a name", rule.source->pattern, rule.source->type, file.path());
  return plan;
}

}  // namespace mla::model

namespace mla {

std::vector<std::string> quantize_types() {
  std::vector<std::string> names;
  for (const model::Recipe& recipe : std::span(model::recipes).first(std::size(model::recipes) - model::n_abbreviations))
    names.emplace_back(recipe.name);
  return names;
}

}  // namespace mla
