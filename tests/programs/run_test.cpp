// mla-run and mla-hello as a user meets them.
#include <signal.h>

#include <algorithm>
#include <limits>

#include "demo_variant.hpp"
#include "folder.hpp"
#include "process.hpp"

namespace {

// The demo model with another token for its end: padding, which no training text had.
std::string endless_model(const Folder& folder) {
  write_demo_variant(folder / "endless.gguf", {.keys = {{"tokenizer.ggml.eos_token_id", 2}}});
  return folder / "endless.gguf";
}

}  // namespace

TEST_CASE("mla-run continues a prompt with the demo model, without arguments") {
  const Run run = run_program("mla-run", {});
  CHECK(run.status == 0);
  CHECK(run.out.starts_with("In the beginning"));
  CHECK(run.out.size() > 20);
  CHECK(run.out.ends_with("\n"));
  CHECK(run.err.empty());
}

TEST_CASE("mla-run: the same seed gives the same text, greedy needs none, other seeds differ") {
  const auto text = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"-p", "And he said", "-n", "40", "-t", "2"});
    const Run run = run_program("mla-run", arguments);
    CHECK(run.status == 0);
    CHECK(run.err.empty());
    return run.out;
  };
  CHECK(text({"--seed", "7"}) == text({"-s", "7"}));
  CHECK(text({"--seed", "7"}) != text({"--seed", "8"}));
  CHECK(text({"-s", "-1"}) != text({"-s", "-1"}));
  const std::string greedy = text({"--temp", "0", "--cache-type", "f32"});
  for (const char* mode : {"auto", "deepseek2", "deepseek-mla"})
    CHECK(text({"--temp", "0", "--cache-type", "f32", "--attention", mode, "-ub", "2", "--no-mmap"}) == greedy);
  CHECK(text({"--top-k", "1", "--cache-type", "f32"}) == greedy);
  CHECK(text({"-s", "1", "--mirostat", "2", "--mirostat-ent", "3", "--mirostat-lr", "0.2"}).size() > 15);
  CHECK(text({"-s", "1", "--top-p", "0.5", "--min-p", "0.1", "--typical", "0.9", "--repeat-penalty", "1.1", "--repeat-last-n", "32",
              "--presence-penalty", "0.5", "--frequency-penalty", "0.5"}).size() > 15);
  CHECK(text({"-s", "1", "--attention", "deepseek2", "--cache-type-k", "q8_0", "--cache-type-v", "bf16", "--ubatch-size", "64"}).size() >
        15);
}

TEST_CASE("mla-run: prompts from flag, file and standard input; what is shown") {
  const Folder folder;
  write_file(folder / "prompt.txt", "And he said\n");
  const std::vector<std::string> rest{"--temp", "0", "-n", "12"};
  const auto with = [&](std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    const Run run = run_program("mla-run", arguments, {.input = input});
    CHECK(run.status == 0);
    CHECK(run.err.empty());
    return run.out;
  };
  const std::string text = with({"-p", "And he said"});
  CHECK(with({"--prompt", "And he said"}) == text);
  CHECK(with({"-f", folder / "prompt.txt"}) == text);
  CHECK(with({"--file", "-"}, "And he said") == text);
  CHECK("And he said" + with({"-p", "And he said", "--no-display-prompt"}) == text);
  CHECK(with({"-p", ""}).size() > 2);                                   // begins with bos alone
  CHECK(with({"-p", "\xff\xfe\x80 and \xe2\x82"}).size() > 2);          // not UTF-8: read as U+FFFD
  CHECK(with({"-p", "-n is no flag here"}).starts_with("-n is no flag here"));
  CHECK(run_program("mla-run", {"-n", "0"}).out == "In the beginning\n");
}

TEST_CASE("mla-run stops where the context is full") {
  const Folder folder;
  const std::string model = endless_model(folder);
  const Run told = run_program("mla-run", {"-m", model, "-c", "20", "-n", "100", "-s", "1"});
  CHECK(told.status == 0);
  CHECK(told.err.find("the context of 20 tokens is full") != std::string::npos);
  CHECK(told.err.find('\n') == told.err.size() - 1);
  const Run asked = run_program("mla-run", {"-m", model, "-c", "20", "-n", "-1", "-s", "1"});
  CHECK(asked.status == 0);
  CHECK(asked.err.empty());
  CHECK(asked.out == told.out);
}

TEST_CASE("mla-run: errors are one line with the name of what is wrong, and a status") {
  const Folder folder;
  const std::string text = folder / "notes.txt", empty = folder / "empty.gguf", torn = folder / "torn.gguf";
  write_file(text, "These are notes.\n");
  write_file(empty, "");
  write_file(torn, read_file(demo_model).substr(0, 1'000'000));
  const auto error = [](const std::vector<std::string>& arguments, int status, const std::vector<std::string>& parts) {
    check_error("mla-run", arguments, status, parts);
  };
  error({"-m", folder / "none.gguf"}, 1, {"none.gguf", "No such file"});
  error({"-m", folder.path()}, 1, {folder.path(), "it is a folder"});
  error({"-m", text}, 1, {text, "not a GGUF file"});
  error({"-m", empty}, 1, {empty, "cut short"});
  error({"-m", torn}, 1, {torn, "cut short"});
  error({"-m", torn, "--no-mmap"}, 1, {torn, "cut short"});
  error({"-m", ""}, 2, {"--model", "empty"});
  error({"-m"}, 2, {"--model"});
  error({"-f", folder / "none.txt"}, 1, {"none.txt", "No such file"});
  error({"-f", folder.path()}, 1, {folder.path(), "directory"});
  error({"-f", text, "-p", "x"}, 2, {"--prompt", "--file"});
  error({"-p", "In the beginning was the word", "-c", "3"}, 1, {"the context 3", "-c"});
  error({"stray"}, 2, {"stray", "--help"});
  error({"--no-such-flag"}, 2, {"--no-such-flag"});
  error({"-p", "a", "-p", "b"}, 2, {"--prompt"});
  for (const char* value : {"-1", "5000", "two", "1.5", "", "nan"}) error({"-t", value}, 2, {"--threads", "from 0 to 4096"});
  error({"-tb", "5000"}, 2, {"--threads-batch", "from 0 to 4096"});
  error({"--numa", "mirror"}, 2, {"--numa", "mirror", "replicate"});
  error({"--numa", "split", "--no-mmap"}, 1, {"split", "--no-mmap"});
  error({"-c", "99999999999"}, 2, {"--ctx-size"});
  error({"-ub", "0"}, 2, {"--ubatch-size", "from 1 to 65536"});
  error({"-n", "-2"}, 2, {"--n-predict"});
  error({"--attention", "mla"}, 2, {"--attention", "auto,deepseek2,deepseek-mla"});
  for (const char* flag : {"--cache-type", "--cache-type-k", "--cache-type-v"}) error({flag, "q5"}, 2, {flag, "f32,f16,bf16,q8_0"});
  for (const char* flag : {"--temp", "--top-p", "--min-p", "--typical", "--repeat-penalty", "--presence-penalty", "--frequency-penalty",
                           "--mirostat-ent", "--mirostat-lr"})
    for (const char* value : {"nan", "-inf", "1e9", "much"}) error({flag, value}, 2, {flag, value});
  for (const char* flag : {"--top-k", "--repeat-last-n", "--seed"}) error({flag, "-3"}, 2, {flag, "-3"});
  error({"--mirostat", "1"}, 2, {"--mirostat", "{0,2}"});
  check_error("mla-run", {}, 1, {"MLA_ISA", "avx2"}, {.environment = "MLA_ISA=avx3"});
}

TEST_CASE("mla-run says so when a model's logits are not numbers") {
  const Folder folder;
  write_demo_variant(folder / "nan.gguf", {.change = [](const mla::format::TensorInfo& tensor, std::vector<float>& values) {
    if (tensor.name == "output_norm.weight") values.assign(values.size(), std::numeric_limits<float>::quiet_NaN());
  }});
  const Run run = run_program("mla-run", {"-m", folder / "nan.gguf"});
  CHECK(run.status == 1);
  INFO(run.err);
  CHECK(run.err.find("nan.gguf: ") != std::string::npos);
  CHECK(run.err.find("logit of token") != std::string::npos);
  CHECK(run.err.find('\n') == run.err.size() - 1);
}

TEST_CASE("mla-run: output that can't be written is an error") {
  check_error("mla-run", {}, 1, {"standard output", "No space left"}, {.output = "/dev/full"});
  check_error("mla-run", {"--help"}, 1, {"standard output", "No space left"}, {.output = "/dev/full"});
}

TEST_CASE("mla-run: a closed pipe ends it in silence, Ctrl-C ends the text cleanly") {
  const Folder folder;
  const std::vector<std::string> arguments{"-m", endless_model(folder), "-n", "-1", "-c", "1000000"};
  const Run head = run_program("mla-run", arguments, {.close_output_after = 10});
  CHECK(head.status == 128 + SIGPIPE);
  CHECK(head.err.empty());
  for (const int signal : {SIGINT, SIGTERM}) {
    const Run run = run_program("mla-run", arguments, {.signal_after = "In the beginning", .signal = signal});
    CHECK(run.status == 128 + signal);
    CHECK(run.err.empty());
    CHECK(run.out.ends_with("\n"));
  }
}

TEST_CASE("mla-run on a terminal shows progress, then the whole prompt and the speed", "[.terminal]") {
  need_terminal();
  const Run run = run_program("mla-run", {"-n", "5", "-s", "1"}, {.terminal = true});
  CHECK(run.status == 0);
  const auto text = run.out.find("In the beginning");
  REQUIRE(text != std::string::npos);
  CHECK(run.out.find(" %") < text);
  CHECK(run.out.find('\033', text) == std::string::npos);  // nothing is erased after the text began
  CHECK(run.out.find("tokens/s", text) != std::string::npos);
  const Run failed = run_program("mla-run", {"-m", "none.gguf"}, {.terminal = true});
  CHECK(failed.status == 1);
  CHECK(failed.out.find("\033[Kmla-run: cannot open none.gguf") != std::string::npos);  // not behind the progress display
}

TEST_CASE("mla-hello continues a text in C") {
  const Run run = run_program("mla-hello", {demo_model, "In the beginning"});
  CHECK(run.status == 0);
  CHECK(run.out.starts_with("In the beginning"));
  CHECK(run.out.size() > 20);
  CHECK(run.err.empty());
  const Run usage = run_program("mla-hello", {});
  CHECK(usage.status == 2);
  CHECK(usage.err.starts_with("usage: "));
  const Run missing = run_program("mla-hello", {"none.gguf", "x"});
  CHECK(missing.status == 1);
  CHECK(missing.err.find("none.gguf") != std::string::npos);
  CHECK(run_program("mla-hello", {demo_model, "x"}, {.output = "/dev/full"}).status == 1);
  const std::string source = read_file(MLA_SOURCE_DIR "/examples/hello.c");
  CHECK(std::count(source.begin(), source.end(), '\n') < 60);
}
