#include "model/hf_encoder.hpp"

#include <algorithm>
#include <utility>

#include "platform/fail.hpp"
#include "quant/encode.hpp"

namespace mla::model {
namespace {

constexpr std::int64_t task_values = std::int64_t{1} << 17;   // of a thread at a time: half a megabyte of floats
constexpr std::int64_t piece_values = std::int64_t{1} << 23;  // between two calls of the sink

std::int64_t rows_of(std::int64_t values, const HfTensor& tensor) {
  const std::int64_t step = tensor.step();
  return std::max<std::int64_t>(1, values / (tensor.cols() * step)) * step;
}

}  // namespace

HfEncoder::HfEncoder(std::string folder, const format::SafetensorsFolder& files, int n_threads)
    : folder_(std::move(folder)), files_(files), pool_(make_thread_pool(n_threads)), rows_(static_cast<std::size_t>(pool_->n_threads())) {}

void HfEncoder::run(const HfTensor& tensor, quant::Type type, const std::function<void(std::span<const std::byte>)>& sink) {
  const std::int64_t rows = tensor.rows(), piece = rows_of(piece_values, tensor);
  for (std::int64_t first = 0; first < rows; first += piece) {
    const std::int64_t n = std::min(piece, rows - first);
    const auto sources = tensor.bytes_of(first, n);
    encode(tensor, type, first, n);
    sink(blocks_);
    for (const std::span<const std::byte> bytes : sources)
      if (const platform::FileView* file = files_.file_with(bytes.data())) file->let_go(bytes);
  }
}

void HfEncoder::encode(const HfTensor& tensor, quant::Type type, std::int64_t first, std::int64_t n) {
  const std::int64_t cols = tensor.cols(), step = rows_of(task_values, tensor);
  const std::size_t row_bytes = quant::row_bytes(type, cols);
  const bool needs_finite = quant::traits(type).block_size > 1;
  blocks_.resize(row_bytes * static_cast<std::size_t>(n));
  auto task = [&](int i, int thread) {
    const std::int64_t begin = i * step, count = std::min(step, n - begin);
    std::vector<float>& rows = rows_[static_cast<std::size_t>(thread)];
    rows.resize(static_cast<std::size_t>(count * cols));
    tensor.load(first + begin, count, rows.data());
    if (needs_finite && quant::find_not_finite(rows) != 0)
      fail(Status::bad_file, "{}: tensor {} has values that are not finite, which {} can't hold", folder_, tensor.name,
           quant::traits(type).name);
    quant::encode(type, rows.data(), nullptr, blocks_.data() + row_bytes * static_cast<std::size_t>(begin), count * cols);
  };
  const auto call = [](void* data, int i, int thread) { (*static_cast<decltype(task)*>(data))(i, thread); };
  pool_->run(static_cast<int>((n + step - 1) / step), {call, &task});
}

}  // namespace mla::model
