// Runs one of the programs as a user would, and says what came of it.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "catch.hpp"

/// How a program is started. Without more: no input, output and errors into pipes.
struct Setup {
  std::string input = {};              ///< what it reads from standard input
  const char* output = nullptr;        ///< a file to write standard output to instead, such as /dev/full
  std::size_t close_output_after = 0;  ///< close the pipe after so many bytes of output, as head does; 0: never
  bool terminal = false;               ///< all three streams are a terminal; `out` is then everything it shows
  std::string signal_after = {};       ///< once standard output (or the terminal) holds this, `signal` is sent
  int signal = 0;
  std::string environment = {};        ///< a variable to set, "NAME=value"
  std::size_t largest_file = 0;        ///< bytes of a file that it may write; 0: any number
  std::string processor = {};          ///< one of `qemu-x86_64 -cpu help`, to run on that instead of this machine's
};

struct Run {
  int status = -1;  ///< exit status; 1000 + n if signal n killed it
  std::string out, err;
};

/// Runs build/bin/NAME to its end; one that takes longer than a minute fails the test.
Run run_program(const std::string& name, const std::vector<std::string>& arguments, const Setup& setup = {});

/// Ends the test program with ctest's status for "skipped", and says why, where there are no pseudo-terminals: a chroot or container
/// without /dev/pts. For cases tagged [terminal], which ctest runs by themselves.
void need_terminal();

/// The same where qemu-x86_64 isn't installed, which runs programs on the processors of other years.
void need_qemu();

/// REQUIREs an error as all programs report it: this status, nothing on standard output, and one line on standard error that
/// begins with the program's name and holds all of `parts`.
void check_error(const std::string& name, const std::vector<std::string>& arguments, int status, const std::vector<std::string>& parts,
                 const Setup& setup = {});

inline const std::string demo_model = MLA_SOURCE_DIR "/examples/models/demo-f16.gguf";
inline const std::string heldout_text = MLA_SOURCE_DIR "/examples/models/heldout.txt";
