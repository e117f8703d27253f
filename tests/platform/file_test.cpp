#include "catch.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mla/error.hpp>
#include <string>

#include "platform/file.hpp"

using namespace mla;
using platform::FileView;
using platform::FileWriter;

namespace {

// A folder of the test's own, gone when it ends.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("mla_file_test_" + std::to_string(::getpid()))) {
    std::filesystem::create_directory(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return (path_ / name).string(); }
  bool empty() const { return std::filesystem::is_empty(path_); }

 private:
  std::filesystem::path path_;
};

std::string text_of(const FileView& view) { return {reinterpret_cast<const char*>(view.bytes().data()), view.bytes().size()}; }

Status status_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.status();
  }
  return Status::ok;
}

}  // namespace

TEST_CASE("a file is the same mapped and read, and a writer's file is whole or absent") {
  const Folder folder;
  std::string content(3'000'001, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 % 251);
  const std::string path = folder / "file";
  {
    FileWriter abandoned(path);
    abandoned.write(content.data(), content.size());
  }
  CHECK(folder.empty());
  FileWriter writer(path);
  for (std::size_t done = 0; done < content.size(); done += 70'000)
    writer.write(content.data() + done, std::min<std::size_t>(70'000, content.size() - done));
  CHECK(writer.position() == content.size());
  CHECK_FALSE(platform::file_exists(path));
  writer.commit();
  CHECK(text_of(FileView::map(path)) == content);
  CHECK(text_of(FileView::read(path, nullptr)) == content);
  CHECK(platform::read_text_file(path, 4'000'000) == content);
  CHECK(status_of([&] { platform::read_text_file(path, 1000); }) == Status::bad_file);
  CHECK(status_of([&] { FileView::read(path, nullptr, [](auto, auto, auto) { return false; }); }) == Status::aborted);
}

TEST_CASE("a writer follows links, and writes a device in place") {
  const Folder folder;
  std::ofstream(folder / "target") << "before";
  std::filesystem::create_symlink("target", folder / "link");
  std::filesystem::create_hard_link(folder / "target", folder / "same");
  CHECK(platform::is_same_file(folder / "link", folder / "same"));
  FileWriter writer(folder / "link");
  writer.write("after", 5);
  writer.commit();
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(text_of(FileView::map(folder / "target")) == "after");
  CHECK(text_of(FileView::map(folder / "same")) == "before");  // a new file took the name
  CHECK_FALSE(platform::is_same_file(folder / "link", folder / "same"));
  CHECK_FALSE(platform::is_same_file(folder / "none", folder / "none"));

  FileWriter full("/dev/full");
  full.write("more", 4);
  CHECK(status_of([&] { full.commit(); }) == Status::io_error);
  CHECK(std::filesystem::is_character_file("/dev/full"));
}

TEST_CASE("files that can't be read or written") {
  const Folder folder;
  CHECK(status_of([&] { FileView::map(folder / "none"); }) == Status::not_found);
  CHECK_THROWS_WITH(FileView::map(folder / "none"), Catch::Contains("none"));
  CHECK(status_of([&] { FileView::map(folder / "."); }) == Status::io_error);
  CHECK(status_of([&] { FileWriter writer(folder / "no/such/folder"); }) == Status::not_found);
  CHECK(status_of([&] { FileWriter writer(folder / "."); }) == Status::io_error);
  std::ofstream(folder / "empty");
  CHECK(FileView::map(folder / "empty").bytes().empty());
}
