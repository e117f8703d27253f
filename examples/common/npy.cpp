#include "common/npy.hpp"

#include <bit>

namespace program {

static_assert(std::endian::native == std::endian::little, "the file says '<f4'");

NpyWriter::NpyWriter(std::string path, std::uint64_t n_rows, std::uint64_t n_columns) : file_(std::move(path)) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(n_rows) + ", " +
                       std::to_string(n_columns) + "), }";
  constexpr std::size_t prefix = 10;  // magic, version, length
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  const auto length = static_cast<std::uint16_t>(header.size());
  file_.write("\x93NUMPY\x01\x00", 8);
  file_.write(&length, sizeof length);
  file_.write(header.data(), header.size());
}

}  // namespace program
