#include "model/footprint.hpp"

#include <charconv>

#include "model/derive.hpp"
#include "model/repack.hpp"
#include "platform/fail.hpp"
#include "quant/interleaving.hpp"

namespace mla::model {
namespace {

// Layers of multi-token prediction are not loaded.
bool is_loaded(const format::TensorInfo& tensor, const Config& c) {
  int layer = -1;
  if (tensor.name.starts_with("blk.")) std::from_chars(tensor.name.data() + 4, tensor.name.data() + tensor.name.size(), layer);
  return layer < c.shape.n_layers;
}

bool has(const format::GgufFile& file, int layer, const char* part) {
  return file.find(fmt::format("blk.{}.attn_{}.weight", layer, part)) != nullptr;
}

}  // namespace

Footprint footprint(const format::GgufFile& file, const Config& c) {
  Footprint sum;
  for (const format::TensorInfo& tensor : file.tensors()) {
    if (!is_loaded(tensor, c)) continue;
    sum.weights += tensor.bytes;
    sum.repacked += repacked_bytes(tensor);
    if (quant::find_interleaving(tensor.type) != nullptr) sum.derived += tensor.bytes;
    if (tensor.name.ends_with("norm.weight") && tensor.type != static_cast<std::uint32_t>(quant::Type::f32))
      sum.derived += tensor.shape[0] * sizeof(float);
  }
  for (int layer = 0; layer < c.shape.n_layers; ++layer) {
    const format::TensorInfo* kv_b = file.find(fmt::format("blk.{}.attn_kv_b.weight", layer));
    if (kv_b == nullptr || has(file, layer, "k_b")) continue;
    const quant::Interleaving* interleaved = quant::find_interleaving(kv_b->type);
    sum.derived += derived_k_b_bytes(interleaved != nullptr ? interleaved->base : static_cast<quant::Type>(kv_b->type), c.shape);
  }
  return sum;
}

}  // namespace mla::model
