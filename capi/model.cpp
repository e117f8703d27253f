#include <cstdlib>
#include <cstring>
#include <new>

#include <mla/error.hpp>
#include <mla/model.hpp>

#include "guard.hpp"
#include "handles.hpp"
#include "host.hpp"

using namespace mla::capi;

namespace {

mla::ModelOptions translate(const mla_model_options& given) {
  mla::ModelOptions options;
  options.use_mmap = given.no_mmap == 0;
  options.progress = adapt(given.progress, given.progress_user_data);
  options.log = adapt(given.log, given.log_user_data);
  options.allocator = adapt(given.allocator);
  for (const mla_override& entry : array(given.overrides, given.n_overrides, "overrides"))
    options.overrides[&not_null(entry.key, "the key of an override")] = &not_null(entry.value, "the value of an override");
  options.repack = static_cast<mla::RepackMode>(enum_value(given.repack, MLA_REPACK_NEVER, "mla_model_options.repack"));
  options.huge_pages = given.no_huge_pages == 0;
  options.n_threads = given.n_threads;
  if (given.load_type != nullptr) options.load_type = given.load_type;
  options.numa = static_cast<mla::Numa>(enum_value(given.numa, MLA_NUMA_REPLICATE, "mla_model_options.numa"));
  return options;
}

/// load(options) gives the model.
template <typename Load>
mla_status load_model(const char* function, mla_model** out, const mla_model_options* options, Load&& load) {
  return guarded(function, [&] {
    clear_out(out);
    auto handle = std::make_unique<mla_model>();
    handle->model = load(translate(read_struct(options, "mla_model_options")));
    try {
      handle->tokenizer.emplace(mla_tokenizer{handle->model->tokenizer()});
    } catch (const mla::Error&) {  // a model of token ids; mla_model_tokenizer() will say why
    }
    *out = handle.release();
  });
}

// Memory that the host lent, given back with its last user; not if the call that lent it fails.
struct Lent {
  mla_release_fn release = nullptr;
  void* user_data = nullptr;
  bool accepted = false;

  ~Lent() {
    if (accepted && release != nullptr) release(user_data);
  }
};

// What an address must be a multiple of for a model to be used where it is.
constexpr std::size_t in_place_alignment = 32;

std::shared_ptr<std::byte> aligned_copy(std::span<const std::byte> bytes) {
  const std::size_t size = (bytes.size() + in_place_alignment - 1) / in_place_alignment * in_place_alignment;
  const std::shared_ptr<std::byte> copy(static_cast<std::byte*>(std::aligned_alloc(in_place_alignment, size)), std::free);
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  return copy;
}

}  // namespace

mla_status mla_model_load(mla_model** out, const char* path, const mla_model_options* options) {
  return load_model(__func__, out, options, [&](const mla::ModelOptions& translated) { return mla::Model::load(&not_null(path, "path"), translated); });
}

mla_status mla_model_load_fd(mla_model** out, int fd, const mla_model_options* options) {
  return load_model(__func__, out, options, [&](const mla::ModelOptions& translated) { return mla::Model::load_descriptor(fd, translated); });
}

mla_status mla_model_load_memory(mla_model** out, const void* data, size_t n_bytes, mla_release_fn release, void* release_user_data,
                                 const mla_model_options* options) {
  std::shared_ptr<Lent> lent;
  const mla_status status = load_model(__func__, out, options, [&](const mla::ModelOptions& translated) {
    lent = std::make_shared<Lent>();
    lent->release = release, lent->user_data = release_user_data;
    const std::span bytes = array(&not_null(static_cast<const std::byte*>(data), "data"), n_bytes, "data");
    if (reinterpret_cast<std::uintptr_t>(data) % in_place_alignment == 0) return mla::Model::load_memory(bytes, lent, translated);
    auto copy = aligned_copy(bytes);
    const std::span<const std::byte> copied(copy.get(), n_bytes);
    return mla::Model::load_memory(copied, std::move(copy), translated);
  });
  if (status == MLA_OK) lent->accepted = true;
  return status;
}

void mla_model_free(mla_model* model) { delete model; }

mla_status mla_model_get_info(mla_model_info* info, const mla_model* model) {
  return guarded(__func__, [&] {
    const mla::ModelInfo& facts = not_null(model, "model").model->info();
    mla_model_info filled = MLA_MODEL_INFO_INIT;
    filled.name = facts.name.c_str();
    filled.architecture = facts.architecture.c_str();
    filled.n_vocab = facts.n_vocab;
    filled.n_embd = facts.n_embd;
    filled.n_layers = facts.n_layers;
    filled.n_ctx_train = facts.n_ctx_train;
    filled.n_experts = facts.n_experts;
    filled.n_experts_used = facts.n_experts_used;
    filled.n_parameters = facts.n_parameters;
    filled.weight_bytes = facts.weight_bytes;
    filled.derived_bytes = facts.derived_bytes;
    filled.panel_bytes = facts.panel_bytes;
    filled.repacked_bytes = facts.repacked_bytes;
    filled.fingerprint = not_null(model, "model").model->cache_model().fingerprint;
    write_struct(info, filled, "info");
  });
}

mla_status mla_model_cache_shape(mla_cache_shape* shape, const mla_model* model) {
  return guarded(__func__, [&] {
    write_shape(shape, not_null(model, "model").model->cache_shape());
  });
}

mla_status mla_model_tokenizer(const mla_tokenizer** out, const mla_model* model) {
  return guarded(__func__, [&] {
    clear_out(out);
    if (!not_null(model, "model").tokenizer) (void)model->model->tokenizer();  // throws what is the matter
    *out = &*model->tokenizer;
  });
}

const char* mla_model_chat_template(const mla_model* model) {
  return property<const char*>(__func__, nullptr, [&] { return not_null(model, "model").model->chat_template().c_str(); });
}
