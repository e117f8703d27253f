// What every program does around its job: read the command line, report an error in one line, notice Ctrl-C, show progress.
#pragma once
#include <functional>
#include <stdexcept>
#include <string>

#include <CLI/CLI.hpp>
#include <mla/host.hpp>

namespace program {

/// A failure of the program's own, such as a file it can't write: the line to print.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Parses the command line, also the spellings with one dash and several letters (-ub) of options declared with two (--ub),
/// and runs `body`. Returns the exit status: 0 only on success, 2 for a wrong command line, 130 after Ctrl-C, else 1.
/// Errors go to standard error, one line each.
int run(CLI::App& app, int argc, char** argv, const std::function<void()>& body);

/// True once Ctrl-C was pressed (or SIGTERM came); run() installs the handler, a second Ctrl-C ends the process at once.
bool interrupted() noexcept;

/// A callback that shows progress on standard error if that is a terminal, and stops the work after Ctrl-C.
mla::ProgressCallback progress();
bool stderr_is_terminal() noexcept;

/// Writes to standard output. Throws Failure if that is not possible (a full disk, a closed pipe).
void print(const std::string& text);

/// A whole file; "-" is standard input. Throws Failure that names it.
std::string read_file(const std::string& path);

}  // namespace program
