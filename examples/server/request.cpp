#include "server/request.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <mla/error.hpp>

namespace server {
namespace {

std::vector<std::string> stop_strings(const Fields& fields) {
  constexpr std::size_t most = 16, longest = 1024;
  const Json* const stop = fields.find("stop");
  if (stop == nullptr) return {};
  const Json list = stop->is_array() ? *stop : Json::array({*stop});
  const auto fits = [](const Json& s) {
    return s.is_string() && !s.get_ref<const std::string&>().empty() && s.get_ref<const std::string&>().size() <= longest;
  };
  if (list.size() > most || !std::ranges::all_of(list, fits))
    throw ApiError(400, fmt::format("'stop' must be a string, or up to {} of them, of 1 to {} bytes", most, longest), "stop",
                   "invalid_value");
  return list.get<std::vector<std::string>>();
}

// What would change the answer if it were ignored.
void refuse_unsupported(const Fields& fields) {
  const auto refuse = [](const std::string& name, const std::string& why) {
    throw ApiError(400, fmt::format("'{}': {}", name, why), name, "unsupported_parameter");
  };
  if (const Json* const format = fields.find("response_format");
      format != nullptr && !(format->is_object() && format->value("type", "") == "text"))
    refuse("response_format", "only {\"type\": \"text\"} is supported");
  if (!fields.text("suffix", "").empty()) refuse("suffix", "filling in the middle is not supported");
  if (fields.whole("best_of", 1, 1, 1 << 20) > 1) refuse("best_of", "is not supported");
  if (const Json* const choice = fields.find("tool_choice"); choice != nullptr && *choice != "auto" && *choice != "none")
    refuse("tool_choice", "only \"auto\" and \"none\" are supported: nothing forces the model to call a tool");
}

bool ends_in_thought(const std::vector<mla::ChatSegment>& segments) {
  if (segments.empty() || !segments.back().trusted) return false;
  std::string_view text = segments.back().text;
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  return text.ends_with(think_begin);
}

}  // namespace

RequestReader::RequestReader(std::shared_ptr<const mla::Model> model, std::string model_name, const std::string& chat_template,
                             RequestLimits limits)
    : model_(std::move(model)),
      model_name_(std::move(model_name)),
      arguments_as_objects_(chat_template.find(".items()") != std::string::npos || chat_template.find("|items") != std::string::npos),
      limits_(limits) {
  if (!chat_template.empty()) template_.emplace(chat_template);
}

void RequestReader::check_model(const Fields& fields) const {
  const std::string name = fields.text("model", model_name_);
  if (name != model_name_)
    throw ApiError(404, fmt::format("there is no model '{}' here, only '{}'", name, model_name_), "model", "model_not_found");
}

// What the endpoints have in common.
Job RequestReader::common_job(const Fields& fields, int default_max_tokens) const {
  check_model(fields);
  refuse_unsupported(fields);
  Job job;
  const char* const name = fields.find("max_completion_tokens") != nullptr ? "max_completion_tokens" : "max_tokens";
  job.max_tokens = static_cast<int>(fields.whole(name, default_max_tokens, 0, 1 << 30));
  if (limits_.max_tokens > 0) job.max_tokens = std::min(job.max_tokens, limits_.max_tokens);
  job.sampling = sampler_options(fields, model_->info().n_vocab);
  job.stop = stop_strings(fields);
  job.ignore_end = fields.flag("ignore_eos", false);
  job.cache_prompt = fields.flag("cache_prompt", true);
  return job;
}

Request RequestReader::finished(Request request, const Fields& fields, const Job& pattern,
                                const std::vector<std::vector<mla::Token>>& prompts) const {
  request.n_per_prompt = static_cast<int>(fields.whole("n", 1, 1, limits_.max_choices));
  request.stream = fields.flag("stream", false);
  if (const Json* const options = fields.find("stream_options"); options != nullptr && options->is_object())
    request.include_usage = Fields(*options).flag("include_usage", false);
  if (prompts.size() * static_cast<std::size_t>(request.n_per_prompt) > static_cast<std::size_t>(limits_.max_choices))
    throw ApiError(400,
                   fmt::format("{} prompts with {} choices each: a request may have {} answers", prompts.size(), request.n_per_prompt,
                               limits_.max_choices),
                   "n");
  for (const std::vector<mla::Token>& prompt : prompts) {
    const int n = static_cast<int>(prompt.size()), room = limits_.n_ctx - n;
    if (n == 0) throw ApiError(400, "the prompt is empty, and this model has no token to begin with", "prompt");
    if (room < (pattern.max_tokens > 0 ? 1 : 0))
      throw ApiError(
          400,
          fmt::format(
              "the prompt has {} tokens; with at least one of the answer that is more than the {} of the context (mla-server --ctx-size)",
              n, limits_.n_ctx),
          "prompt", "context_length_exceeded");
    for (int i = 0; i < request.n_per_prompt; ++i) {
      Job job = pattern;
      job.prompt = prompt;
      job.max_tokens = std::min(job.max_tokens, room);
      job.choice = static_cast<int>(request.jobs.size());
      job.sampling.seed += static_cast<std::uint64_t>(i);
      request.jobs.push_back(std::move(job));
    }
  }
  return request;
}

Request RequestReader::chat(const Json& body) const {
  const Fields fields(body);
  Job job = common_job(fields, limits_.n_ctx);
  Request request;
  request.wants_logprobs = fields.flag("logprobs", false);
  const auto top = static_cast<int>(fields.whole("top_logprobs", 0, 0, 20));
  if (top > 0 && !request.wants_logprobs) throw ApiError(400, "'top_logprobs' needs 'logprobs': true", "top_logprobs");
  if (request.wants_logprobs) job.n_logprobs = top;

  Json tools;
  if (const Json* const given = fields.find("tools"); given != nullptr && fields.text("tool_choice", "auto") != "none") {
    if (!given->is_array()) throw ApiError(400, "'tools' must be an array", "tools");
    if (!given->empty()) tools = *given;
  }
  request.format.has_tools = !tools.is_null();
  const std::vector<mla::Token> prompt = render(fields, tools, request);
  return finished(std::move(request), fields, job, {prompt});
}

std::vector<mla::Token> RequestReader::render(const Fields& fields, const Json& tools, Request& request) const {
  if (!template_)
    throw ApiError(400, "this model has no chat template: use /v1/completions, or start mla-server with --chat-template-file", "messages");
  const mla::Tokenizer& tokenizer = model_->tokenizer();
  Json extra = Json::object();
  if (const Json* const given = fields.find("chat_template_kwargs")) {
    if (!given->is_object()) throw ApiError(400, "'chat_template_kwargs' must be an object", "chat_template_kwargs");
    extra = *given;
  }
  if (!tools.is_null()) extra["tools"] = tools;
  const auto piece = [&](mla::Token token) { return token < 0 ? std::string() : std::string(tokenizer.piece(token)); };
  const mla::ChatRenderOptions options{.add_generation_prompt = true,
                                       .bos_token = piece(tokenizer.bos()),
                                       .eos_token = piece(tokenizer.eos()),
                                       .extra_json = extra.empty() ? std::string() : dump(extra)};
  try {
    const auto segments =
        template_->render_segments_json(dump(template_messages(fields.required("messages"), arguments_as_objects_)), options);
    request.format.begins_in_thought = ends_in_thought(segments);
    return mla::encode_chat(tokenizer, segments);
  } catch (const mla::Error& error) {
    throw ApiError(400, error.what(), "messages");
  }
}

Request RequestReader::completion(const Json& body) const {
  const Fields fields(body);
  Job job = common_job(fields, 16);  // OpenAI's default
  Request request;
  request.wants_logprobs = fields.find("logprobs") != nullptr;
  if (request.wants_logprobs) job.n_logprobs = static_cast<int>(fields.whole("logprobs", 0, 0, 20));
  const auto prompts = prompts_of(fields.required("prompt"), "prompt", fields);
  if (fields.flag("echo", false)) {
    if (request.wants_logprobs) throw ApiError(400, "'echo' together with 'logprobs' is not supported", "echo");
    for (const auto& prompt : prompts) request.echo.push_back(model_->tokenizer().decode(prompt));
  }
  return finished(std::move(request), fields, job, prompts);
}

Request RequestReader::embeddings(const Json& body) const {
  const Fields fields(body);
  Job job = common_job(fields, 0);
  job.max_tokens = 0;
  job.embedding = true;
  Request request;
  const std::string format = fields.text("encoding_format", "float");
  if (format != "float" && format != "base64") throw ApiError(400, "'encoding_format' must be \"float\" or \"base64\"", "encoding_format");
  request.base64 = format == "base64";
  const int n_embd = model_->info().n_embd;
  if (fields.whole("dimensions", n_embd, 1, 1 << 30) != n_embd)
    throw ApiError(400, fmt::format("this model's embeddings have {} dimensions", n_embd), "dimensions");
  return finished(std::move(request), fields, job, prompts_of(fields.required("input"), "input", fields));
}

// A text, token ids, or an array of either.
std::vector<std::vector<mla::Token>> RequestReader::prompts_of(const Json& input, std::string_view name, const Fields& fields) const {
  if (input.is_string()) return {tokens_of(input.get_ref<const std::string&>(), fields)};
  if (!input.is_array() || input.empty())
    throw ApiError(400, fmt::format("'{}' must be a string, an array of token ids, or an array of either", name), std::string(name),
                   "invalid_value");
  if (input.front().is_number()) return {checked_tokens(input, name)};
  if (input.size() > static_cast<std::size_t>(limits_.max_choices))
    throw ApiError(400, fmt::format("'{}' has {} entries; a request may have {}", name, input.size(), limits_.max_choices),
                   std::string(name));
  std::vector<std::vector<mla::Token>> prompts;
  for (const Json& entry : input)
    prompts.push_back(entry.is_string() ? tokens_of(entry.get_ref<const std::string&>(), fields) : checked_tokens(entry, name));
  return prompts;
}

std::vector<mla::Token> RequestReader::tokens_of(const std::string& text, const Fields& fields) const {
  return model_->tokenizer().encode(
      text, {.add_special = fields.flag("add_special", true), .parse_special = fields.flag("parse_special", false)});
}

std::vector<mla::Token> RequestReader::checked_tokens(const Json& ids, std::string_view name) const {
  const int n_vocab = model_->info().n_vocab;
  const auto is_token = [&](const Json& id) { return id.is_number_integer() && id.get<double>() >= 0 && id.get<double>() < n_vocab; };
  if (!ids.is_array() || !std::ranges::all_of(ids, is_token))
    throw ApiError(400, fmt::format("'{}' must hold token ids from 0 to {}", name, n_vocab - 1), std::string(name), "invalid_value");
  return ids.get<std::vector<mla::Token>>();
}

}  // namespace server
