// Upper and lower case of text, for the alphabets whose letters map one to one.
#pragma once
#include "text/jinja/marked_text.hpp"

namespace mla::text::jinja {

/// Upper or lower case of each character. Latin, Greek and Cyrillic; throws Error(unsupported) for a letter whose case
/// mapping is not in the table (ß, İ, Σ in lower case, Armenian, Georgian …), rather than writing it wrongly.
char32_t to_upper(char32_t code);
char32_t to_lower(char32_t code);

MarkedText upper(const MarkedText& text);
MarkedText lower(const MarkedText& text);
MarkedText capitalize(const MarkedText& text);
/// str.title(): upper case after anything that is no letter.
MarkedText title(const MarkedText& text);
/// Jinja's `title` filter: upper case after white space and - ( { [ <.
MarkedText title_words(const MarkedText& text);
MarkedText swap_case(const MarkedText& text);

/// str.isupper() and str.islower().
bool is_upper(const std::string& text);
bool is_lower(const std::string& text);

}  // namespace mla::text::jinja
