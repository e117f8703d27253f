// One file.
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "inspect/shown.hpp"

namespace program::inspect {
namespace {

using mla::FileInfo;
using Json = nlohmann::ordered_json;

struct Group {
  std::uint64_t n_tensors = 0, n_parameters = 0, bytes = 0;
};

std::uint64_t n_values(const FileInfo::Tensor& tensor) {
  std::uint64_t n = 1;
  for (const std::uint64_t size : tensor.shape) n *= size;
  return n;
}

// By kind and type; kinds in the order of the model.
std::map<std::pair<std::string, std::string>, Group> groups(const FileInfo& info) {
  std::map<std::pair<std::string, std::string>, Group> all;
  for (const FileInfo::Tensor& tensor : info.tensors) {
    Group& group = all[{tensor.kind, type_text(tensor)}];
    ++group.n_tensors, group.n_parameters += n_values(tensor), group.bytes += tensor.bytes;
  }
  return all;
}

double bits(const Group& group) {
  return group.n_parameters == 0 ? 0 : 8.0 * static_cast<double>(group.bytes) / static_cast<double>(group.n_parameters);
}

std::string sizes_table(const FileInfo& info) {
  std::map<std::string, Group> by_type;
  Group all;
  std::string out = "\nsizes by kind and type: tensors, parameters, bits each, bytes\n";
  const auto line = [&](const std::string& kind, const std::string& type, const Group& g) {
    const double share = info.tensor_bytes == 0 ? 0 : 100 * static_cast<double>(g.bytes) / static_cast<double>(info.tensor_bytes);
    out += fmt::format("  {:<15} {:<15} {:>5} {:>15} {:>7.3f} {:>12} {:>6.2f} %\n",
                       kind, type, g.n_tensors, g.n_parameters, bits(g), size_text(g.bytes), share);
  };
  for (const auto& [name, group] : groups(info)) {
    line(name.first, name.second, group);
    for (Group* sum : {&by_type[name.second], &all})
      sum->n_tensors += group.n_tensors, sum->n_parameters += group.n_parameters, sum->bytes += group.bytes;
  }
  for (const auto& [type, group] : by_type) line("all", type, group);
  line("all", "all", all);
  return out;
}

std::string needs_table(const std::vector<NeedRow>& needs, const std::string& context) {
  if (needs.empty()) return "";
  std::string out = fmt::format("\nmemory for {}\n  {:<20} {:>12} {:>12} {:>12} {:>12} {:>12}\n",
                                context, "attention", "weights", "derived", "cache", "context", "in all");
  for (const auto& [mode, n] : needs)
    out += fmt::format("  {:<20} {:>12} {:>12} {:>12} {:>12} {:>12}  {}\n", mode, size_text(n.weights), size_text(n.derived),
                       size_text(n.cache), size_text(n.context), size_text(n.total()), verdict(n));
  const mla::MemoryNeed& n = needs.front().need;
  out += fmt::format("  {} of the weights are repacked where that fits: memory that the system can't drop and read again\n",
                     size_text(n.repacked));
  return out +
         (n.limit.empty() ? "  nothing says how much memory there is\n" : fmt::format("  {} has {} left\n", n.limit, size_text(n.room)));
}

Json need_json(const NeedRow& row) {
  const mla::MemoryNeed& n = row.need;
  return {{"attention", row.mode},
          {"weights", n.weights},
          {"repacked", n.repacked},
          {"derived", n.derived},
          {"cache", n.cache},
          {"context", n.context},
          {"total", n.total()},
          {"room", n.room},
          {"limit", n.limit},
          {"fits", n.fits()},
          {"runs_from_disk", n.runs_from_disk()}};
}

}  // namespace

std::string as_table(const FileInfo& info, int n_ctx, const std::vector<NeedRow>& needs, const std::string& context, bool tensors) {
  const std::string format = info.version == 0 ? "Hugging Face folder" : fmt::format("GGUF version {}", info.version);
  std::string out = fmt::format("{}\n{}, {} part{}, {}; {} tensors, {} parameters\n", info.path, format, info.n_parts,
                                info.n_parts == 1 ? "" : "s", size_text(info.file_bytes), info.tensors.size(), info.n_parameters);
  if (!info.problem.empty()) out += fmt::format("libmla can't run it: {}\n", one_line(info.problem));
  out += "\nmetadata\n";
  for (const FileInfo::Key& key : info.keys) out += fmt::format("  {:<48} {:<16} {}\n", one_line(key.name), key.type, one_line(key.value));
  out += sizes_table(info);
  const auto rows = cache_rows(info, n_ctx);
  if (!rows.empty()) out += fmt::format("\nKV cache: bytes per token, and what {} tokens take\n", n_ctx);
  for (const CacheRow& row : rows)
    out += fmt::format("  {:<20} {:<7} {:>9} {:>14}\n", row.mode, mla::to_string(row.type), row.bytes_per_token, size_text(row.bytes));
  out += needs_table(needs, context);
  if (tensors) {
    out += "\ntensors: name, type, sizes (row width first), bytes\n";
    for (const FileInfo::Tensor& tensor : info.tensors)
      out +=
          fmt::format("  {:<40} {:<15} {:>24} {:>12}\n", one_line(tensor.name), type_text(tensor), shape_text(tensor.shape), tensor.bytes);
  }
  return out;
}

std::string as_json(const FileInfo& info, int n_ctx, const std::vector<NeedRow>& needs) {
  Json out{{"path", info.path}, {"version", info.version}, {"parts", info.n_parts}, {"file_bytes", info.file_bytes},
           {"tensor_bytes", info.tensor_bytes}, {"parameters", info.n_parameters}, {"problem", info.problem}};
  for (const char* list : {"metadata", "tensors", "sizes", "cache", "memory"}) out[list] = Json::array();
  for (const FileInfo::Key& key : info.keys) out["metadata"].push_back({{"key", key.name}, {"type", key.type}, {"value", key.value}});
  for (const FileInfo::Tensor& tensor : info.tensors)
    out["tensors"].push_back({{"name", tensor.name}, {"type", tensor.type}, {"layout", tensor.layout}, {"kind", tensor.kind},
                              {"shape", tensor.shape}, {"bytes", tensor.bytes}});
  for (const auto& [name, group] : groups(info))
    out["sizes"].push_back({{"kind", name.first}, {"type", name.second}, {"tensors", group.n_tensors}, {"parameters", group.n_parameters},
                            {"bytes", group.bytes}});
  for (const CacheRow& row : cache_rows(info, n_ctx))
    out["cache"].push_back({{"attention", row.mode}, {"cache_type", mla::to_string(row.type)}, {"bytes_per_token", row.bytes_per_token},
                            {"n_ctx", n_ctx}, {"bytes", row.bytes}});
  for (const NeedRow& row : needs) out["memory"].push_back(need_json(row));
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace program::inspect
