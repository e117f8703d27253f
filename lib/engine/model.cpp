// The public Model: loads a file and answers questions about it.
#include <mla/error.hpp>

#include "engine/model_impl.hpp"
#include "layers/rope.hpp"
#include "model/repack.hpp"
#include "model/vocabulary.hpp"
#include "platform/cpu.hpp"
#include "platform/fail.hpp"

namespace mla {
namespace {

ModelInfo describe(const model::LoadedModel& m) {
  const model::Config& c = m.config;
  ModelInfo info;
  info.name = m.file.get_string("general.name").value_or("");
  info.architecture = "deepseek2";
  info.n_vocab = c.n_vocab;
  info.n_embd = c.n_embd;
  info.n_layers = c.shape.n_layers;
  info.n_ctx_train = c.n_ctx_train;
  info.n_experts = c.router.n_experts;
  info.n_experts_used = c.router.n_used;
  info.n_parameters = m.n_parameters;
  for (const format::TensorInfo& tensor : m.file.tensors()) info.weight_bytes += tensor.bytes;
  info.panel_bytes = model::panel_bytes(m);
  info.repacked_bytes = m.repacked.size();
  for (const platform::Buffer& buffer : m.derived) info.derived_bytes += buffer.size();
  return info;
}

}  // namespace

Model::Impl::Impl(model::LoadedModel model, const ModelOptions& options, std::shared_ptr<const void> memory)
    : owner(std::move(memory)), loaded(std::move(model)), info(describe(loaded)) {
  try {
    TokenizerData data = model::read_vocabulary(loaded.file, loaded.config.n_vocab);
    chat_template = data.chat_template;
    tokenizer.emplace(std::move(data), loaded.file.path());
  } catch (const Error& error) {  // a model of token ids still runs; who wants text gets the error from Model::tokenizer()
    if (error.status() != Status::unsupported) throw;
    no_tokenizer = error.what();
    if (options.log) options.log->write(LogLevel::info, no_tokenizer);
  }
}

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;

std::shared_ptr<const Model> Model::load(const std::string& path, const ModelOptions& options) {
  (void)platform::active_isa();  // a misspelt MLA_ISA is an error here, not in the middle of a computation
  auto impl = std::make_unique<Impl>(model::load_path(path, options), options);
  return std::shared_ptr<const Model>(new Model(std::move(impl)));
}

std::shared_ptr<const Model> Model::load_descriptor(int descriptor, const ModelOptions& options) {
  (void)platform::active_isa();
  auto impl = std::make_unique<Impl>(model::load_descriptor(descriptor, options), options);
  return std::shared_ptr<const Model>(new Model(std::move(impl)));
}

std::shared_ptr<const Model> Model::load_memory(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const ModelOptions& options) {
  (void)platform::active_isa();
  auto impl = std::make_unique<Impl>(model::load_memory(bytes, options), options, std::move(owner));
  return std::shared_ptr<const Model>(new Model(std::move(impl)));
}

const ModelInfo& Model::info() const noexcept { return impl_->info; }
CacheShape Model::cache_shape() const noexcept { return impl_->loaded.config.shape; }
CacheModel Model::cache_model() const { return {layers::Rope(impl_->loaded.config.rope).frequencies(), impl_->loaded.fingerprint}; }
const std::string& Model::chat_template() const noexcept { return impl_->chat_template; }

const Tokenizer& Model::tokenizer() const {
  if (!impl_->tokenizer) throw Error(Status::unsupported, impl_->no_tokenizer);
  return *impl_->tokenizer;
}

}  // namespace mla
