#include "model/tensor_reader.hpp"

#include <fmt/ranges.h>

#include <charconv>

#include "kernels/panels.hpp"
#include "model/repack.hpp"
#include "model/restore.hpp"
#include "platform/fail.hpp"
#include "quant/dequantize.hpp"

namespace mla::model {
namespace {

using kernels::Matrix;

std::int64_t dim(const format::TensorInfo& tensor, std::size_t i) {
  return i < tensor.shape.size() ? static_cast<std::int64_t>(tensor.shape[i]) : 1;
}

[[noreturn]] void fail_shape(const std::string& path, const format::TensorInfo& tensor, const std::string& wanted) {
  fail(Status::bad_file, "{}: tensor {} has shape [{}], and its metadata demand {}", path, tensor.name, fmt::join(tensor.shape, ", "), wanted);
}

}  // namespace

const format::TensorInfo& TensorReader::require(const std::string& name) {
  const format::TensorInfo* tensor = model_.file.find(name);
  if (tensor == nullptr) fail(Status::bad_file, "{}: tensor {} is missing", model_.file.path(), name);
  if (tensor->in_panels && !may_be_in_panels(*tensor))
    fail(Status::bad_file, "{}: tensor {} is in panels, but it is not read so: make the file anew, with mla-quantize --layout native",
         model_.file.path(), name);
  used_.insert(name);
  return *tensor;
}

Matrix TensorReader::view(const format::TensorInfo& tensor, std::int64_t rows, std::int64_t cols) {
  if (const quant::Interleaving* layout = quant::find_interleaving(tensor.type))
    return restore_interleaved(*layout, tensor, rows, cols, allocator_, keep_going_, model_.derived);
  const auto type = static_cast<quant::Type>(tensor.type);
  Matrix matrix{tensor.data, type, rows, cols, quant::row_bytes(type, cols), tensor.in_panels};
  if (!tensor.pieces.empty()) matrix.scales = {tensor.pieces.front().scales, kernels::BlockScales::blocks(cols)};
  return matrix;
}

Matrix TensorReader::matrix(const std::string& name, std::int64_t rows, std::int64_t cols) {
  const format::TensorInfo& tensor = require(name + ".weight");
  if (dim(tensor, 0) != cols || dim(tensor, 1) != rows || dim(tensor, 2) != 1 || dim(tensor, 3) != 1)
    fail_shape(model_.file.path(), tensor, fmt::format("[{}, {}]", cols, rows));
  return view(tensor, rows, cols);
}

kernels::MatrixStack TensorReader::stack(const std::string& name, std::int64_t count, std::int64_t rows, std::int64_t cols) {
  const format::TensorInfo& tensor = require(name + ".weight");
  const bool deep = dim(tensor, 1) == rows && dim(tensor, 2) == count;
  const bool flat = dim(tensor, 1) == rows * count && dim(tensor, 2) == 1;
  if (dim(tensor, 0) != cols || !(deep || flat) || dim(tensor, 3) != 1)
    fail_shape(model_.file.path(), tensor, fmt::format("[{}, {}, {}]", cols, rows, count));
  if (tensor.pieces.size() > 1) return separate(tensor, count, rows, cols);
  const Matrix all = view(tensor, rows * count, cols), first = all.slice(0, rows);
  if (first.in_panels && !kernels::fits_panels(first))
    fail(Status::bad_file, "{}: tensor {} is in panels that reach from one matrix into the next", model_.file.path(), tensor.name);
  return {first, count, all.row_bytes * static_cast<std::size_t>(rows)};
}

kernels::MatrixStack TensorReader::separate(const format::TensorInfo& tensor, std::int64_t count, std::int64_t rows, std::int64_t cols) {
  if (tensor.pieces.size() != static_cast<std::size_t>(count)) fail(Status::internal, "{}: tensor {} is not of {} pieces", model_.file.path(), tensor.name, count);
  std::vector<Matrix>& each = model_.separate.emplace_back();
  const Matrix first = view(tensor, rows, cols);
  for (const format::TensorPiece& piece : tensor.pieces) {
    each.push_back(first);
    each.back().data = piece.data;
    each.back().scales.first = piece.scales;
  }
  return {first, count, 0, each.data()};
}

const float* TensorReader::vector(const std::string& name, std::int64_t n) {
  const format::TensorInfo& tensor = require(name);
  if (dim(tensor, 0) != n || dim(tensor, 1) != 1 || dim(tensor, 2) != 1 || dim(tensor, 3) != 1)
    fail_shape(model_.file.path(), tensor, fmt::format("[{}]", n));
  const Matrix row = view(tensor, 1, n);
  if (row.type == quant::Type::f32 && reinterpret_cast<std::uintptr_t>(row.data) % alignof(float) == 0)
    return reinterpret_cast<const float*>(row.data);
  platform::Buffer& floats = model_.derived.emplace_back(allocator_, static_cast<std::size_t>(n) * sizeof(float), name.c_str());
  quant::dequantize(row.type, row.data, floats.as<float>().data(), n);
  return floats.as<float>().data();
}

void TensorReader::refuse_unread(int first_mtp, int end_mtp) const {
  for (const format::TensorInfo& tensor : model_.file.tensors()) {
    if (used_.contains(tensor.name)) continue;
    int layer = -1;
    if (tensor.name.starts_with("blk.")) std::from_chars(tensor.name.data() + 4, tensor.name.data() + tensor.name.size(), layer);
    if (layer < first_mtp || layer >= end_mtp)
      fail(Status::unsupported, "{}: tensor {} is not part of a deepseek2 model that this version knows", model_.file.path(), tensor.name);
  }
}

}  // namespace mla::model
