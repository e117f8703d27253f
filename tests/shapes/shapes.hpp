// The shapes of matrix products that tests and micro-benchmarks share: files in this folder.
#pragma once
#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

/// y [m, n] = x [m, k] · wᵀ, w [n, k].
struct Shape {
  std::int64_t m, n, k;
};

/// tests/shapes/NAME.txt: a shape on each line, "#" for comments. Throws std::runtime_error on any other line.
inline std::vector<Shape> read_shapes(const std::string& name) {
  const std::string path = MLA_SOURCE_DIR "/tests/shapes/" + name + ".txt";
  std::ifstream file(path);
  std::vector<Shape> shapes;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    Shape shape;
    std::string rest;
    std::istringstream words(line);
    if (!(words >> shape.m >> shape.n >> shape.k) || words >> rest) throw std::runtime_error(path + ": not a shape: " + line);
    shapes.push_back(shape);
  }
  if (shapes.empty()) throw std::runtime_error(path + ": no shapes");
  return shapes;
}
