// What every program does around its job: read the command line, report an error in one line, notice Ctrl-C, show progress.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <mla/host.hpp>

namespace program {

/// A failure of the program's own, such as a file it can't write: the line to print.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Parses the command line, also the spellings with one dash and several letters (-ub) of options declared with two (--ub),
/// and runs `body`. Returns the exit status: 0 only on success, 2 for a wrong command line (CLI::ParseError, which `body` may
/// throw too), 128 + n after signal n (Ctrl-C: 130), 141 in silence where a reader of the output went away, else 1.
/// Errors go to standard error, one line each.
int run(CLI::App& app, int argc, char** argv, const std::function<void()>& body);

// What an option takes: the check, and the word for it in --help.
CLI::Validator whole_number(std::int64_t least, std::int64_t most);
CLI::Validator number(double least, double most);  ///< never NaN
CLI::Validator file_name();                        ///< not empty: a shell variable that isn't set must not go unnoticed
CLI::Validator part_size();                        ///< as of part_bytes()

/// "2G" or "500M" of --split-max-size, in powers of 1,000 as the programs that people know count them; 0 if it is no such size.
std::uint64_t part_bytes(const std::string& text);
CLI::Validator each(const CLI::Validator& item);   ///< of a list with commas; an item that is empty is none

/// The items of lists with commas.
std::vector<std::string> split_lists(const std::vector<std::string>& lists);

/// An option that takes a list with commas, or several. CLI11's own (delimiter()) passes over empty items.
template <typename T>
CLI::Option* add_list(CLI::App& app, const char* name, std::vector<T>& values, const char* help, const CLI::Validator& item) {
  const auto read = [&values](const CLI::results_t& lists) {
    return CLI::detail::lexical_conversion<std::vector<T>, std::vector<T>>(split_lists(lists), values);
  };
  const auto shown = [&values] { return values.empty() ? "" : CLI::detail::checked_to_string<std::vector<T>, std::vector<T>>(values); };
  return app.add_option(name, read, help, true, shown)->expected(-1)->allow_extra_args(false)->check(each(item));
}

/// True once Ctrl-C was pressed (or SIGTERM came); run() installs the handler, a second Ctrl-C ends the process at once.
bool interrupted() noexcept;
/// For programs that go on after it, or for which it is the usual end: interrupted() is false again.
void forget_interrupt() noexcept;
/// The same, and the next Ctrl-C is noticed like the first one.
void expect_interrupt() noexcept;

/// A callback that shows progress on standard error if that is a terminal, and stops the work after Ctrl-C.
mla::ProgressCallback progress();
bool stderr_is_terminal() noexcept;

/// A line on standard error that begins with the program's name and doesn't run into a progress display.
void notice(const std::string& text);
/// The library's messages as such lines.
std::shared_ptr<mla::LogSink> log(mla::LogLevel least);

/// Writes to standard output. Throws if that is not possible (a full disk, a closed pipe).
void print(const std::string& text);

/// A whole file; "-" is standard input. Throws Failure that names it.
std::string read_file(const std::string& path);

}  // namespace program
