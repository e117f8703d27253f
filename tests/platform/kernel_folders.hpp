// A /sys and a /proc of a machine that isn't here.
#pragma once
#include <filesystem>
#include <fstream>
#include <string>

#include "platform/topology.hpp"
#include "scratch_folder.hpp"

class FakeKernel {
 public:
  /// A file below the root: "sys/devices/cpu_core/cpus".
  FakeKernel& file(const std::string& path, const std::string& text) {
    const std::filesystem::path whole = root_ / path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole) << text << '\n';
    return *this;
  }
  FakeKernel& cpu(int id, const std::string& path, const std::string& text) {
    return file("sys/devices/system/cpu/cpu" + std::to_string(id) + "/" + path, text);
  }
  mla::platform::KernelFolders folders() const { return {root_ / "sys", root_ / "proc"}; }

 private:
  ScratchFolder root_;
};
