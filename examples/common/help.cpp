#include "common/help.hpp"

namespace program {
namespace {

constexpr std::size_t width = 100, first_column = 42;

/// Where a line that begins at `begin` and takes at most `room` characters ends: behind a word, or in a list without blanks behind a comma.
std::size_t end_of_line(const std::string& text, std::size_t begin, std::size_t room) {
  const std::size_t newline = text.find('\n', begin);
  if (newline != std::string::npos && newline - begin <= room) return newline;
  if (text.size() - begin <= room) return text.size();
  const std::size_t blank = text.rfind(' ', begin + room);
  if (blank != std::string::npos && blank > begin) return blank;
  const std::size_t comma = text.rfind(',', begin + room - 1);
  return comma != std::string::npos && comma > begin ? comma + 1 : begin + room;
}

/// Lines of at most `width` columns; all but the first begin with `indent` blanks, and that begins in column `column`.
std::string wrapped(const std::string& text, std::size_t indent, std::size_t column) {
  std::string lines;
  for (std::size_t begin = 0; begin < text.size(); column = indent) {
    if (begin > 0) lines += '\n' + std::string(indent, ' ');
    const std::size_t end = end_of_line(text, begin, width - column);
    lines.append(text, begin, end - begin);
    begin = end + (end < text.size() && (text[end] == ' ' || text[end] == '\n') ? 1 : 0);
  }
  return lines;
}

class Help : public CLI::Formatter {
 public:
  Help() { column_width(first_column); }

  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    const std::string text = CLI::Formatter::make_option_name(option, is_positional);
    for (const std::string_view letters : long_letters) {
      const std::string declared = ",--" + std::string(letters);
      if (text.ends_with(declared)) return "-" + std::string(letters) + "," + text.substr(0, text.size() - declared.size());
    }
    return text;
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_type_size() == 0) return "";
    const std::string type = option->get_type_name();  // "INT:CHECK"; the check says more
    std::string text = " " + type.substr(type.find(':') + 1);
    const std::string value = option->get_default_str();  // a list has its brackets
    if (!value.empty()) text += value.starts_with('[') ? " " + value : " [" + value + "]";
    return text + (option->get_required() ? " (required)" : "");
  }

  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    const std::string name = "  " + make_option_name(option, is_positional) + make_option_opts(option);
    const std::string description = wrapped(make_option_desc(option), first_column, first_column);
    if (description.empty()) return wrapped(name, 6, 0) + '\n';
    if (name.size() < first_column) return name + std::string(first_column - name.size(), ' ') + description + '\n';
    return wrapped(name, 6, 0) + '\n' + std::string(first_column, ' ') + description + '\n';
  }

  std::string make_description(const CLI::App* app) const override { return wrapped(CLI::Formatter::make_description(app), 0, 0) + '\n'; }
  std::string make_footer(const CLI::App* app) const override { return wrapped(CLI::Formatter::make_footer(app), 0, 0); }
};

}  // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() { return std::make_shared<Help>(); }

}  // namespace program
