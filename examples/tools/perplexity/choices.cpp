#include "perplexity/choices.hpp"

#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/program.hpp"

namespace program::perplexity {
namespace {

constexpr std::size_t lines_per_task = 6, endings_per_task = 4, most_endings = 64;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(line);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

[[noreturn]] void refuse(const std::string& name, std::size_t line, const std::string& why) {
  throw Failure(fmt::format("{}, line {}: {}", name, line + 1, why));
}

std::vector<Choice> parse_text(const std::vector<std::string>& lines, const std::string& name) {
  if (lines.size() % lines_per_task != 0)
    throw Failure(fmt::format("{} has {} lines: a task is {}, the context, the number of the right ending and {} endings", name,
                              lines.size(), lines_per_task, endings_per_task));
  std::vector<Choice> tasks;
  for (std::size_t at = 0; at < lines.size(); at += lines_per_task) {
    Choice& task = tasks.emplace_back();
    task.context = lines[at];
    const std::string& label = lines[at + 1];
    if (label.size() != 1 || label[0] < '0' || label[0] > '3')
      refuse(name, at + 1, "'" + label.substr(0, 40) + "' is not the number of an ending, 0 to 3");
    task.right = static_cast<std::size_t>(label[0] - '0');
    for (std::size_t i = 0; i < endings_per_task; ++i) task.endings.push_back(lines[at + 2 + i]);
  }
  return tasks;
}

std::vector<Choice> parse_json(const std::vector<std::string>& lines, const std::string& name) {
  std::vector<Choice> tasks;
  for (std::size_t at = 0; at < lines.size(); ++at) {
    if (lines[at].empty()) continue;
    const nlohmann::json line = nlohmann::json::parse(lines[at], nullptr, false);
    const auto has = [&](const char* key, auto is) { return line.is_object() && line.contains(key) && (line[key].*is)(); };
    using Json = nlohmann::json;
    if (!has("context", &Json::is_string) || !has("endings", &Json::is_array) || !has("label", &Json::is_number_unsigned))
      refuse(name, at, "this is not a JSON object with a string \"context\", a list \"endings\" and a number \"label\"");
    Choice& task = tasks.emplace_back();
    task.context = line["context"].get<std::string>();
    for (const auto& ending : line["endings"]) {
      if (!ending.is_string()) refuse(name, at, "an entry of \"endings\" is no string");
      task.endings.push_back(ending.get<std::string>());
    }
    if (task.endings.size() < 2 || task.endings.size() > most_endings)
      refuse(name, at, fmt::format("{} endings: there must be from 2 to {}", task.endings.size(), most_endings));
    const auto label = line["label"].get<std::uint64_t>();
    if (label >= task.endings.size())
      refuse(name, at, fmt::format("label {} is not the number of one of {} endings, from 0 on", label, task.endings.size()));
    task.right = label;
  }
  return tasks;
}

}  // namespace

std::vector<Choice> parse_choices(const std::string& text, const std::string& name) {
  const std::vector<std::string> lines = lines_of(text);
  if (lines.empty()) throw Failure(name + " holds no tasks");
  return lines[0].starts_with('{') ? parse_json(lines, name) : parse_text(lines, name);
}

}  // namespace program::perplexity
