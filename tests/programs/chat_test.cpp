// mla-chat as a user meets it.
#include <signal.h>

#include <filesystem>

#include "demo_variant.hpp"
#include "folder.hpp"
#include "process.hpp"

namespace {

Run chat(const std::string& input, std::vector<std::string> arguments = {}) {
  arguments.insert(arguments.end(), {"--temp", "0", "-n", "20", "-v", "--cache-type", "f32"});
  const Run run = run_program("mla-chat", arguments, {.input = input});
  INFO(run.err);
  CHECK(run.status == 0);
  return run;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("mla-chat keeps the conversation, and computes only what is new") {
  const Run run = chat("Who went up?\nAnd then?\n/history\n");
  CHECK(has(run.out, "user: Who went up?\nassistant: "));
  CHECK(has(run.out, "user: And then?\nassistant: "));
  CHECK(has(run.err, "8 tokens read, 0 were in the cache, 20 written"));
  CHECK(has(run.err, "tokens read, 28 were in the cache, 20 written"));  // the last token written was computed too
  const Run fresh = chat("Who went up?\n/clear\nAnd then?\n/history\n");
  CHECK_FALSE(has(fresh.out, "user: Who went up?"));
  CHECK(has(chat("Who\\\nwent up?\n/history\n", {"--system", "Be kind."}).out, "system: Be kind.\nuser: Who\nwent up?\n"));
}

TEST_CASE("mla-chat: a saved conversation goes on in another process as if it had never stopped") {
  const Folder folder;
  const std::string file = folder / "talk";
  const Run whole = chat("Who went up?\nAnd then?\n");
  const Run first = chat("Who went up?\n/save " + file + "\n"), second = chat("/load " + file + "\nAnd then?\n");
  CHECK(first.out + second.out == whole.out);
  CHECK(has(second.err, "28 were in the cache"));

  CHECK(has(chat("/load " + (folder / "none") + "\n").err, "none.json"));
  const Run other = chat("/load " + file + "\n", {"--cache-type-k", "q8_0"});
  CHECK(has(other.err, file));
  std::filesystem::copy_file(file, folder / "other");
  write_file(folder / "other.json", "{\"messages\": [], \"n_system\": 0, \"first\": 0, \"tokens\": [1, 2]}");
  CHECK(has(chat("/load " + (folder / "other") + "\n").err, "not of the same conversation"));
  write_file(folder / "other.json", "{\"messages\": 5}");
  CHECK(has(chat("/load " + (folder / "other") + "\n").err, "no saved conversation"));
}

TEST_CASE("mla-chat: a full context loses its oldest tokens, within an answer and between turns") {
  const Folder folder;
  write_demo_variant(folder / "endless.gguf", {.keys = {{"tokenizer.ggml.eos_token_id", 2}}});
  const Run within = run_program("mla-chat", {"-m", folder / "endless.gguf", "-c", "64", "-n", "200", "-s", "1", "-v"},
                                 {.input = "Who went up?\nAnd then?\n"});
  INFO(within.err);
  CHECK(within.status == 0);
  CHECK(has(within.err, "the context was full: the oldest"));
  CHECK(has(within.err, "200 written"));
  std::string turns;
  for (int i = 0; i < 12; ++i) turns += "Who went up to the city, and what did he say to the people?\n";
  const Run between = chat(turns, {"-m", folder / "endless.gguf", "-c", "128", "--system", "Be kind."});
  CHECK(std::count(between.out.begin(), between.out.end(), '\n') >= 12);
  CHECK_FALSE(has(between.err, "doesn't fit"));
  CHECK_FALSE(has(between.err, ", 0 were in the cache, 20 written\nmla-chat: 1"));  // the rest moved up
  const Run long_message = chat(turns.substr(0, turns.find('\n')) + std::string(2000, 'x') + "\nWho?\n/history\n", {"-c", "128"});
  CHECK(has(long_message.err, "raise it with -c"));
  CHECK(has(long_message.out, "user: Who?"));
}

TEST_CASE("mla-chat: Ctrl-C stops the answer only") {
  const Folder folder;
  write_demo_variant(folder / "endless.gguf", {.keys = {{"tokenizer.ggml.eos_token_id", 2}}});
  const Run run = run_program("mla-chat", {"-m", folder / "endless.gguf", "-c", "1024", "--temp", "0"},
                              {.input = "Who went up?\n/history\n", .signal_after = "and all", .signal = SIGINT});
  INFO(run.err);
  CHECK(run.status == 0);
  CHECK(has(run.out, "user: Who went up?\nassistant: "));
}
