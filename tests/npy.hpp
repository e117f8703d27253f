// Reads .npy files (version 1.0, little-endian float32, C order): what golden files are kept in.
#pragma once
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

struct Npy {
  std::vector<std::size_t> shape;
  std::vector<float> values;

  static Npy read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const auto fail = [&](const char* why) -> void { throw std::runtime_error(path + ": " + why); };
    if (bytes.size() < 10 || bytes.compare(0, 8, std::string("\x93NUMPY\x01\x00", 8)) != 0) fail("not a .npy file of version 1.0");
    const std::size_t header_bytes = static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
    const std::string header = bytes.substr(10, header_bytes);
    if (header.find("'<f4'") == std::string::npos || header.find("False") == std::string::npos) fail("not float32 in C order");
    Npy array;
    std::size_t count = 1, at = header.find('(') + 1;
    while (header[at] != ')') {
      std::size_t used = 0;
      array.shape.push_back(std::stoull(header.substr(at), &used));
      count *= array.shape.back();
      at = header.find_first_not_of(", ", at + used);
    }
    if (bytes.size() != 10 + header_bytes + count * sizeof(float)) fail("wrong size");
    array.values.resize(count);
    std::memcpy(array.values.data(), bytes.data() + 10 + header_bytes, count * sizeof(float));
    return array;
  }
};
