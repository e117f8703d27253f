// Two files.
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "inspect/shown.hpp"

namespace program::inspect {
namespace {

using mla::FileDiff;
using Json = nlohmann::ordered_json;

std::string shown(const FileDiff::Tensor& t) {
  const auto one = [](const mla::FileInfo::Tensor& tensor) {
    return fmt::format("{}, {}, {} bytes", type_text(tensor), shape_text(tensor.shape), tensor.bytes);
  };
  if (!t.a) return "only in B: " + one(*t.b);
  if (!t.b) return "only in A: " + one(*t.a);
  std::string out;
  if (t.a->type != t.b->type) out += fmt::format("; type {} | {}, {} | {} bytes", t.a->type, t.b->type, t.a->bytes, t.b->bytes);
  if (t.a->shape != t.b->shape) out += fmt::format("; sizes {} | {}", shape_text(t.a->shape), shape_text(t.b->shape));
  if (t.compared) out += fmt::format("; values differ by {:.4g} at most, {:.4g} rms, {:.4g} % of A's", t.largest, t.rms, 100 * t.relative);
  return out.empty() ? "can't be compared: a type that this version doesn't read" : out.substr(2);
}

// JSON has no numbers for what isn't finite.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(fmt::format("{}", value)); }

Json tensor_json(const std::optional<mla::FileInfo::Tensor>& tensor) {
  if (!tensor) return nullptr;
  return {{"type", tensor->type}, {"layout", tensor->layout}, {"shape", tensor->shape}, {"bytes", tensor->bytes}};
}

}  // namespace

std::string diff_as_table(const FileDiff& diff) {
  std::string out = fmt::format("keys: {} equal, {} differ; tensors: {} equal, {} differ\n",
                                diff.n_equal_keys, diff.keys.size(), diff.n_equal_tensors, diff.tensors.size());
  for (const FileDiff::Key& key : diff.keys)
    out += fmt::format("key    {}: {}\n", one_line(key.name),
                       !key.b   ? "only in A: " + one_line(*key.a)
                       : !key.a ? "only in B: " + one_line(*key.b)
                                : one_line(*key.a) + " | " + one_line(*key.b));
  for (const FileDiff::Tensor& tensor : diff.tensors) out += fmt::format("tensor {}: {}\n", one_line(tensor.name), shown(tensor));
  return out;
}

std::string diff_as_json(const FileDiff& diff) {
  Json out{{"equal_keys", diff.n_equal_keys}, {"equal_tensors", diff.n_equal_tensors}, {"keys", Json::array()}, {"tensors", Json::array()}};
  const auto text = [](const std::optional<std::string>& value) { return value ? Json(*value) : Json(nullptr); };
  for (const FileDiff::Key& key : diff.keys) out["keys"].push_back({{"key", key.name}, {"a", text(key.a)}, {"b", text(key.b)}});
  for (const FileDiff::Tensor& t : diff.tensors) {
    Json tensor{{"name", t.name}, {"a", tensor_json(t.a)}, {"b", tensor_json(t.b)}};
    if (t.compared) tensor["largest"] = number(t.largest), tensor["rms"] = number(t.rms), tensor["relative"] = number(t.relative);
    out["tensors"].push_back(tensor);
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace program::inspect
