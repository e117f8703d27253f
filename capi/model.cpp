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

}  // namespace

mla_status mla_model_load(mla_model** out, const char* path, const mla_model_options* options) {
  return guarded(__func__, [&] {
    clear_out(out);
    const mla::ModelOptions translated = translate(read_struct(options, "mla_model_options"));
    auto handle = std::make_unique<mla_model>();
    handle->model = mla::Model::load(&not_null(path, "path"), translated);
    try {
      handle->tokenizer.emplace(mla_tokenizer{handle->model->tokenizer()});
    } catch (const mla::Error&) {  // a model of token ids; mla_model_tokenizer() will say why
    }
    *out = handle.release();
  });
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
    write_struct(info, filled, "info");
  });
}

mla_status mla_model_cache_shape(mla_cache_shape* shape, const mla_model* model) {
  return guarded(__func__, [&] {
    const mla::CacheShape sizes = not_null(model, "model").model->cache_shape();
    const mla_cache_shape filled = {sizeof(mla_cache_shape), sizes.n_layers, sizes.n_heads, sizes.n_nope,
                                    sizes.n_rope,            sizes.n_value,  sizes.n_latent};
    write_struct(shape, filled, "shape");
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
