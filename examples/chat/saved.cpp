// Conversations in files.
#include <mla/error.hpp>
#include <nlohmann/json.hpp>

#include "chat/conversation.hpp"
#include "common/output_file.hpp"
#include "common/program.hpp"

namespace chat {

using Json = nlohmann::ordered_json;

void Conversation::save(const std::string& path) const {
  if (tokens_.empty()) throw program::Failure("there is nothing to save yet");
  Json json{{"messages", Json::array()}, {"n_system", n_system_}, {"first", first_}, {"tokens", tokens_}};
  for (const mla::ChatMessage& message : messages_) json["messages"].push_back({{"role", message.role}, {"content", message.content}});
  const std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  context_.cache().save(path, 0);
  program::OutputFile file(path + ".json");
  file.write(text.data(), text.size());
  file.finish();
}

void Conversation::load(const std::string& path) {
  const std::string name = path + ".json";
  std::vector<mla::ChatMessage> messages;
  std::vector<mla::Token> tokens;
  std::size_t n_system = 0, first = 0;
  try {
    const Json json = Json::parse(program::read_file(name));
    for (const Json& message : json.at("messages")) messages.push_back({message.at("role"), message.at("content")});
    json.at("tokens").get_to(tokens);
    json.at("n_system").get_to(n_system);
    json.at("first").get_to(first);
  } catch (const Json::exception& error) {
    throw program::Failure(name + " is no saved conversation: " + error.what());
  }
  constexpr mla::SequenceId trial = 1, matched = 2;
  mla::KvCache& cache = context_.cache();
  const std::size_t n_turns = messages.size() - std::min(n_system, messages.size());
  if (n_system > 1 || n_system > messages.size() || first > n_turns || tokens.size() > n_ctx_)
    throw program::Failure(name + " doesn't fit this chat: its " + std::to_string(tokens.size()) + " tokens need -c " +
                           std::to_string(tokens.size()) + " or more");
  for (const mla::Token token : tokens)
    if (token < 0) throw program::Failure(name + " is no saved conversation: token " + std::to_string(token));
  try {
    cache.load(path, trial);
  } catch (const mla::Error& error) {
    if (error.status() != mla::Status::cache_full) throw;
    throw program::Failure("there is no room for " + path + " beside the present conversation: /clear first");
  }
  // The rows name their tokens, so the two files are checked against each other.
  const bool belongs =
      cache.seq_len(trial) == static_cast<int>(tokens.size()) && cache.reuse_prefix(matched, tokens) == static_cast<int>(tokens.size());
  cache.seq_rm(matched);
  if (!belongs) {
    cache.seq_rm(trial);
    throw program::Failure(path + " and " + name + " are not of the same conversation");
  }
  cache.seq_cp(trial, 0);
  cache.seq_rm(trial);
  messages_ = std::move(messages);
  tokens_ = std::move(tokens);
  n_system_ = n_system;
  first_ = first;
}

}  // namespace chat
