// A model from a descriptor and from memory is the one from the file, and what was lent comes back once.
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "capi/demo.hpp"

namespace {

std::vector<float> answer(const demo::Model& model) {
  mla_context_options options = MLA_CONTEXT_OPTIONS_INIT;
  options.attention = MLA_ATTENTION_DEEPSEEK_MLA;  // `auto` takes the form that each model has measured to be faster
  const demo::Context context = demo::make_context(model, &options);
  const auto tokens = demo::some_tokens(model, 20);
  const mla_batch batch = demo::batch_of(tokens);
  demo::ok(mla_context_decode(context.get(), &batch));
  return demo::logits(model, context);
}

uint64_t fingerprint(const demo::Model& model) {
  mla_model_info info = MLA_MODEL_INFO_INIT;
  demo::ok(mla_model_get_info(&info, model.get()));
  return info.fingerprint;
}

std::string file_bytes() {
  std::ifstream file(demo::path(), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Bytes at an address that is `odd` above a multiple of 64, which notice their release.
class LentBytes {
 public:
  LentBytes(const std::string& bytes, std::size_t odd) : memory_(bytes.size() + 128), size_(bytes.size()) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
    data_ = memory_.data() + (64 - address % 64) + odd;
    std::memcpy(data_, bytes.data(), bytes.size());
  }
  mla_status load(mla_model** out) { return mla_model_load_memory(out, data_, size_, release, &n_released, nullptr); }
  int n_released = 0;

 private:
  static void release(void* count) { ++*static_cast<int*>(count); }
  std::vector<char> memory_;
  char* data_;
  std::size_t size_;
};

}  // namespace

TEST_CASE("a model from a descriptor is the one from the file") {
  const demo::Model expected = demo::load();
  for (const int no_mmap : {0, 1}) {
    const int fd = ::open(demo::path().c_str(), O_RDONLY);
    REQUIRE(::lseek(fd, 1000, SEEK_SET) == 1000);  // wherever it stands
    mla_model_options options = MLA_MODEL_OPTIONS_INIT;
    options.no_mmap = no_mmap;
    mla_model* model = nullptr;
    demo::ok(mla_model_load_fd(&model, fd, &options));
    const demo::Model owner(model);
    CHECK(::lseek(fd, 0, SEEK_CUR) == 1000);
    ::close(fd);
    CHECK(fingerprint(owner) == fingerprint(expected));
    CHECK(answer(owner) == answer(expected));
  }
}

TEST_CASE("a descriptor that is no GGUF file is refused by its number") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  mla_model* model = nullptr;
  CHECK(mla_model_load_fd(&model, ends[0], nullptr) == MLA_IO_ERROR);
  CHECK_THAT(mla_last_error(),
             Catch::Matchers::Contains("file descriptor " + std::to_string(ends[0])) && Catch::Matchers::Contains("not a regular file"));
  ::close(ends[0]), ::close(ends[1]);
  CHECK(mla_model_load_fd(&model, ends[0], nullptr) == MLA_IO_ERROR);  // closed
  const int source = ::open(MLA_SOURCE_DIR "/CMakeLists.txt", O_RDONLY);
  CHECK(mla_model_load_fd(&model, source, nullptr) == MLA_BAD_FILE);
  ::close(source);
  CHECK(model == nullptr);
}

TEST_CASE("memory of the host's is used where it is, and released with the last object that needs it") {
  LentBytes lent(file_bytes(), 32);
  mla_model* model = nullptr;
  demo::ok(lent.load(&model));
  demo::Model owner(model);
  const demo::Model expected = demo::load();
  CHECK(answer(owner) == answer(expected));
  demo::Context context = demo::make_context(owner);
  owner.reset();
  CHECK(lent.n_released == 0);  // the context has the model still
  context.reset();
  CHECK(lent.n_released == 1);
}

TEST_CASE("memory at another address is copied, and released at once") {
  LentBytes lent(file_bytes(), 16);
  mla_model* model = nullptr;
  demo::ok(lent.load(&model));
  const demo::Model owner(model);
  CHECK(lent.n_released == 1);
  CHECK(answer(owner) == answer(demo::load()));
}

TEST_CASE("memory that holds no model is not released") {
  for (const std::size_t odd : {std::size_t{0}, std::size_t{1}}) {
    LentBytes lent(file_bytes().substr(0, 5000), odd);
    mla_model* model = nullptr;
    CHECK(lent.load(&model) == MLA_BAD_FILE);
    CHECK(model == nullptr);
    CHECK(lent.n_released == 0);
  }
}
