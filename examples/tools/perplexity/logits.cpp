// The logits of given token ids.
#include <algorithm>
#include <charconv>

#include "common/npy.hpp"
#include "common/program.hpp"
#include "common/rows.hpp"
#include "perplexity/tasks.hpp"

namespace program::perplexity {
namespace {

std::vector<mla::Token> parse_tokens(const std::string& text, const std::string& path, int n_vocab) {
  constexpr const char* space = " \t\r\n\v\f";
  std::vector<mla::Token> tokens;
  for (std::size_t begin = text.find_first_not_of(space); begin != text.npos;) {
    const std::size_t end = std::min(text.find_first_of(space, begin), text.size());
    mla::Token token = 0;
    const auto [stop, error] = std::from_chars(text.data() + begin, text.data() + end, token);
    if (error != std::errc() || stop != text.data() + end || token < 0 || token >= n_vocab)
      throw Failure(path + ": entry " + std::to_string(tokens.size() + 1) + ", \"" +
                             text.substr(begin, std::min<std::size_t>(end - begin, 40)) + "\", is not a token id from 0 to " +
                             std::to_string(n_vocab - 1));
    tokens.push_back(token);
    begin = text.find_first_not_of(space, end);
  }
  if (tokens.empty()) throw Failure(path + " holds no token ids");
  return tokens;
}

}  // namespace

void write_logits(const Flags& flags, const std::string& ids, const ModelPointer& model) {
  const int n_vocab = model->info().n_vocab;
  const std::vector<mla::Token> tokens = parse_tokens(ids, flags.tokens_file, n_vocab);
  const int n = static_cast<int>(tokens.size());
  if (flags.model.n_ctx > 0 && n > flags.model.n_ctx)
    throw Failure(flags.tokens_file + " has " + std::to_string(n) + " ids, more than -c " + std::to_string(flags.model.n_ctx));
  mla::Batch rows;
  for (int i = 0; i < n; ++i) rows.add(tokens[static_cast<std::size_t>(i)], i, 0, true);
  NpyWriter file(flags.logits_file, tokens.size(), static_cast<std::uint64_t>(n_vocab));
  const mla::ProgressCallback progress = program::progress();
  Scorer scorer(model, flags.model, flags.batch_size(), flags.model.n_ctx > 0 ? flags.model.n_ctx : n);
  scorer.decode(rows, [&](const Piece& piece) {
    for (std::size_t i = 0; i < piece.rows().size(); ++i) file.write(piece.logits(i));
    progress("logits", piece.end(), tokens.size());
  });
  file.finish();
}

}  // namespace program::perplexity
