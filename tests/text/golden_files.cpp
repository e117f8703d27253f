#include "golden_files.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "text/utf8.hpp"

namespace mla::test {
namespace {

std::uint32_t varint(const std::string& bytes, std::size_t& at) {
  std::uint32_t value = 0;
  for (int shift = 0;; shift += 7) {
    const unsigned char byte = static_cast<unsigned char>(bytes.at(at++));
    value |= static_cast<std::uint32_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
}

}  // namespace

std::string golden_path(const std::string& name) { return MLA_SOURCE_DIR "/tests/golden/tokenizer/" + name; }

std::string golden_file(const std::string& name) {
  std::ifstream file(golden_path(name), std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + golden_path(name));
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> golden_strings() {
  const std::string bytes = golden_file("strings");
  std::vector<std::string> strings;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::uint32_t length = varint(bytes, at);
    strings.push_back(bytes.substr(at, length));
    at += length;
  }
  return strings;
}

std::vector<std::uint32_t> golden_hashes(const std::string& name) {
  const std::string bytes = golden_file(name);
  std::vector<std::uint32_t> hashes(bytes.size() / 4);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    hashes[i / 4] |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << 8 * (i % 4);
  return hashes;
}

TokenizerData deepseek_v3_data() {
  TokenizerData data;
  data.pre = "deepseek-v3";
  data.tokens = {"", "", ""};
  for (char32_t c = '!'; c < 0x144; ++c) {  // the byte alphabet
    if ((c > '~' && c < 0xA1) || c == 0xAD) continue;
    data.tokens.emplace_back();
    text::append_utf8(data.tokens.back(), c);
  }
  const std::string merges = golden_file("v3.merges");
  for (std::size_t at = 0; at < merges.size();) {
    const std::string left = data.tokens.at(varint(merges, at)), right = data.tokens.at(varint(merges, at));
    data.tokens.push_back(left + right);
    data.merges.push_back(left);
    data.merges.back().append(" ").append(right);
  }
  data.kinds.assign(data.tokens.size(), TokenKind::normal);

  std::ifstream added(golden_path("v3.added"), std::ios::binary);
  std::string kind, text;
  for (std::size_t id; added >> id >> kind && added.get() == '\t' && std::getline(added, text);) {
    if (id >= data.tokens.size()) data.tokens.resize(id + 1), data.kinds.resize(id + 1, TokenKind::unused);
    data.tokens[id] = text;
    data.kinds[id] = kind == "control" ? TokenKind::control : TokenKind::user_defined;
  }
  data.bos = 0, data.eos = 1, data.pad = 1;
  data.add_bos = true;
  return data;
}

std::uint32_t hash_of(const std::vector<Token>& tokens) {
  std::uint32_t hash = 0x811C9DC5;
  for (const Token token : tokens)
    for (int shift = 0; shift < 32; shift += 8) hash = (hash ^ (static_cast<std::uint32_t>(token) >> shift & 255)) * 0x01000193;
  return hash;
}

}  // namespace mla::test
