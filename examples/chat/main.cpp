// mla-chat: a conversation in the terminal.
#include <iostream>

#include <unistd.h>

#include <fmt/format.h>
#include <mla/error.hpp>

#include "chat/conversation.hpp"
#include "common/model_options.hpp"
#include "common/program.hpp"
#include "common/sampler_flags.hpp"

namespace {

using program::whole_number;

constexpr int default_n_ctx = 4096;
constexpr const char* help =
    "/help          this list\n"
    "/history       the conversation so far\n"
    "/save FILE     the conversation and what was computed of it, into FILE and FILE.json\n"
    "/load FILE     goes on with a saved one\n"
    "/clear         begins anew\n"
    "/exit, Ctrl-D  ends\n"
    "A line that ends with \\ goes on in the next one. Ctrl-C stops an answer, or ends the program where none is being written.\n";

struct Flags {
  program::ModelFlags model;
  program::SamplerFlags sampler;
  std::string system, template_file;
  int n_predict = -1;
};

void declare(CLI::App& app, Flags& f) {
  program::add_model_flags(
      app, f.model, "tokens of the conversation that the model sees; older ones leave; default " + std::to_string(default_n_ctx), true);
  app.add_option("--system", f.system, "what the model is told first; stays when older turns leave");
  app.add_option("-n,--n-predict", f.n_predict, "tokens of an answer at most; -1: until the model ends it")
      ->check(whole_number(-1, 1 << 30))
      ->capture_default_str();
  app.add_option("--chat-template-file", f.template_file, "chat template (Jinja) to use instead of the model's")
      ->check(program::file_name());
  program::add_sampler_flags(app, f.sampler);
}

/// What the user types. Prompts are shown only to people.
class Input {
 public:
  /// A message, or a command; false at the end.
  bool read(std::string& text) {
    text.clear();
    for (const char* prompt = "> "; ask(prompt); prompt = "  ") {
      std::string line;
      if (!std::getline(std::cin, line)) break;
      const bool goes_on = line.ends_with('\\');
      if (goes_on) line.back() = '\n';
      text += line;
      if (!goes_on) return true;
    }
    if (is_terminal_) program::print("\n");
    return !text.empty() && !program::interrupted();
  }

 private:
  bool ask(const char* prompt) {
    if (is_terminal_) program::print(prompt);
    return true;
  }
  const bool is_terminal_ = isatty(STDIN_FILENO) != 0;
};

class Chat {
 public:
  Chat(const Flags& flags, mla::Context& context, const std::string& chat_template)
      : flags_(flags), conversation_(context, chat_template, flags.system), sampler_(flags.sampler.options) {}

  void run() {
    Input input;
    for (std::string text; input.read(text) && text != "/exit";) {
      try {
        text.starts_with('/') ? command(text) : answer(text);
      } catch (const program::Failure& failure) {
        program::notice(failure.what());
      } catch (const mla::Error& error) {
        program::notice(error.what());
      }
    }
  }

 private:
  void answer(const std::string& text) {
    if (text.empty()) return;
    const chat::Turn turn = conversation_.say(text, flags_.n_predict, sampler_, program::print);
    program::print("\n");
    if (turn.ending == chat::Ending::interrupted) program::expect_interrupt();
    if (turn.n_shifted > 0) program::notice(fmt::format("the context was full: the oldest {} tokens left it (-c)", turn.n_shifted));
    if (flags_.model.verbose)
      program::notice(fmt::format("{} tokens read, {} were in the cache, {} written", turn.n_read, turn.n_reused, turn.n_written));
  }

  void command(const std::string& text) {
    const std::size_t space = text.find(' ');
    const std::string name = text.substr(0, space), argument = space == text.npos ? "" : text.substr(text.find_first_not_of(' ', space));
    if (name == "/help") return program::print(help);
    if (name == "/clear") return conversation_.clear();
    if (name == "/history") return show_history();
    if (name != "/save" && name != "/load") throw program::Failure("there is no command " + name + ": /help lists those there are");
    if (argument.empty()) throw program::Failure(name + " needs the name of a file");
    name == "/save" ? conversation_.save(argument) : conversation_.load(argument);
  }

  void show_history() const {
    for (const mla::ChatMessage& message : conversation_.messages()) program::print(message.role + ": " + message.content + "\n");
  }

  const Flags& flags_;
  chat::Conversation conversation_;
  mla::Sampler sampler_;
};

void run(const Flags& flags) {
  const auto model = program::load_model(flags.model);
  const std::string chat_template = flags.template_file.empty() ? model->chat_template() : program::read_file(flags.template_file);
  if (chat_template.empty())
    throw program::Failure(program::model_path(flags.model) + " has no chat template: name one with --chat-template-file");
  mla::Context context(model, program::context_options(flags.model, flags.model.n_ctx > 0 ? flags.model.n_ctx : default_n_ctx));
  Chat(flags, context, chat_template).run();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Chats with a DeepSeek-family model in the terminal, by its own template. Without arguments: with the demo model.",
               "mla-chat");
  Flags flags;
  declare(app, flags);
  return program::run(app, argc, argv, [&] {
    flags.sampler.choose_seed();
    run(flags);
  });
}
