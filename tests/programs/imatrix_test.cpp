// mla-imatrix as a user meets it.
#include <mla/imatrix.hpp>

#include <algorithm>

#include "folder.hpp"
#include "process.hpp"

namespace {

using Arguments = std::vector<std::string>;

std::string run_imatrix(const Arguments& arguments, const std::string& expected_errors = "") {
  const Run run = run_program("mla-imatrix", arguments);
  INFO(run.err);
  CHECK(run.status == 0);
  CHECK((expected_errors.empty() ? run.err.empty() : run.err.find(expected_errors) != std::string::npos));
  return run.out;
}

bool equal(const mla::Imatrix& a, const mla::Imatrix& b) {
  return std::ranges::equal(a.entries, b.entries, [](const auto& x, const auto& y) { return x.name == y.name && x.sums == y.sums && x.counts == y.counts; });
}

}  // namespace

TEST_CASE("mla-imatrix measures a text, and files add up to what one run measures") {
  const Folder folder;
  const Arguments base{"-m", demo_model, "-f", heldout_text, "-c", "64"};
  const auto measure = [&](const std::string& file, Arguments more) {
    more.insert(more.end(), base.begin(), base.end());
    more.insert(more.end(), {"-o", folder / file});
    const std::string out = run_imatrix(more);
    CHECK(out.find("34 entries, 73 matrices") == 0);
    return mla::load_imatrix(folder / file);
  };
  const mla::Imatrix all = measure("all", {"--chunks", "12"});
  CHECK(all.n_chunks == 12);
  CHECK(all.chunk_tokens == 64);
  CHECK(all.datasets == Arguments{heldout_text});
  CHECK(all.find("output.weight") == nullptr);
  REQUIRE(all.find("blk.0.attn_kv_b.weight") != nullptr);
  CHECK(all.find("blk.0.attn_kv_b.weight")->counts == std::vector<std::int64_t>{12 * 64});
  CHECK(all.find("blk.2.ffn_down_exps.weight")->counts.size() == 8);
  CHECK(equal(measure("batched", {"--chunks", "12", "-b", "64", "-t", "1"}), all) == false);  // sums in another order; but close:
  for (const mla::ImatrixEntry& entry : measure("batched", {"--chunks", "12", "-b", "64"}).entries) {
    CHECK(entry.counts == all.find(entry.name)->counts);
    for (std::size_t i = 0; i < entry.sums.size(); ++i) REQUIRE(entry.sums[i] == Approx(all.find(entry.name)->sums[i]).epsilon(1e-3).margin(1e-3));
  }
  measure("first", {"--chunks", "5", "-b", "64"});
  measure("second", {"--chunks", "7", "--from-chunk", "5", "-b", "64", "--save-frequency", "2"});
  run_imatrix({"--in-file", folder / "first", "--in-file", folder / "second", "-o", folder / "sum"});
  const mla::Imatrix sum = mla::load_imatrix(folder / "sum"), added = measure("added", {"--chunks", "7", "--from-chunk", "5", "-b", "64", "--in-file", folder / "first"});
  CHECK(sum.n_chunks == 12);
  CHECK(equal(sum, added));
  for (const mla::ImatrixEntry& entry : sum.entries) CHECK(entry.counts == all.find(entry.name)->counts);
  CHECK(folder.n_files() == 6);

  Arguments with_flag = base;
  with_flag.insert(with_flag.end(), {"--chunks", "12", "--process-output", "-o", folder / "output"});
  CHECK(run_imatrix(with_flag).starts_with("35 entries, 74 matrices"));
  const mla::Imatrix with_output = mla::load_imatrix(folder / "output");
  CHECK(with_output.find("output.weight")->counts == all.find("blk.2.attn_output.weight")->counts);  // all tokens
  for (const mla::ImatrixEntry& entry : all.entries) CHECK(entry.counts == with_output.find(entry.name)->counts);
}

TEST_CASE("mla-imatrix: both formats, and entries of k_b and v_b for files that have none") {
  const Folder folder;
  CHECK(run_imatrix({"-m", demo_model, "-f", heldout_text, "-c", "64", "--chunks", "4", "--attention", "deepseek2", "-o", folder / "m.dat"}).starts_with("31 entries"));
  CHECK(read_file(folder / "m.dat").substr(0, 4) == std::string("\x1f\0\0\0", 4));
  run_imatrix({"--in-file", folder / "m.dat", "-o", folder / "m", "--output-format", "gguf"});
  CHECK(read_file(folder / "m").starts_with("GGUF"));
  CHECK(equal(mla::load_imatrix(folder / "m"), mla::load_imatrix(folder / "m.dat")));
  CHECK(run_imatrix({"--in-file", folder / "m.dat", "--derive-mla", "-m", demo_model, "-o", folder / "d"}).starts_with("derived: 0 entries of k_b, 3 of v_b\n34 entries"));
  CHECK(mla::load_imatrix(folder / "d").find("blk.1.attn_v_b.weight")->counts.size() == 4);
}

TEST_CASE("mla-imatrix tells of experts that were never used") {
  const Folder folder;
  write_file(folder / "text", "And the LORD said");
  run_imatrix({"-m", demo_model, "-f", folder / "text", "-c", "4", "-o", folder / "m"}, "blk.2.ffn_gate_exps.weight");
  const Run run = run_program("mla-imatrix", {"--in-file", folder / "m", "-o", folder / "n"});  // filled: down alone is left
  CHECK(run.err.find("ffn_down_exps.weight") != std::string::npos);
  CHECK(run.err.find("they stay without data") != std::string::npos);
  CHECK(run.err.find("ffn_gate_exps") == std::string::npos);
}

TEST_CASE("mla-imatrix: errors are one line, and no file is left") {
  const Folder folder;
  const std::string out = folder / "out";
  const auto error = [&](Arguments arguments, int status, const Arguments& parts) {
    arguments.insert(arguments.end(), {"-o", out});
    check_error("mla-imatrix", arguments, status, parts);
  };
  error({}, 2, {"-f", "--in-file"});
  error({"-f", heldout_text}, 2, {"--model"});
  error({"-m", demo_model}, 2, {"-f"});
  error({"--in-file", out, "--derive-mla"}, 2, {"--model"});
  error({"--in-file", folder / "none"}, 1, {"none", "No such file"});
  error({"-m", demo_model, "-f", folder / "none"}, 1, {"none", "No such file"});
  error({"-m", demo_model, "-f", heldout_text, "--from-chunk", "1000"}, 1, {"--from-chunk 1000"});
  error({"-m", demo_model, "-f", heldout_text, "--output-format", "npy"}, 2, {"--output-format"});
  write_file(folder / "bad", "GGUF");
  error({"--in-file", folder / "bad"}, 1, {"bad"});
  mla::Imatrix other{{{"blk.0.attn_q_a.weight", {1, 2}, {1}}}, {}, 1, 64};
  mla::save_imatrix(folder / "other", other, mla::ImatrixFormat::gguf);
  error({"-m", demo_model, "-f", heldout_text, "--chunks", "1", "--in-file", folder / "other"}, 1, {"blk.0.attn_q_a.weight", "not of one model"});
  other.entries[0].sums.push_back(1);
  mla::save_imatrix(folder / "third", other, mla::ImatrixFormat::gguf);
  error({"--in-file", folder / "other", "--in-file", folder / "third"}, 1, {"third", "blk.0.attn_q_a.weight"});
  CHECK(folder.n_files() == 3);
  check_error("mla-imatrix", {"--in-file", folder / "other", "-o", folder / "no/out"}, 1, {"no/out"});
}
