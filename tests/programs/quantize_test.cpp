// mla-quantize as a user meets it: layouts there and back, and what becomes of a file that isn't understood.
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <mla/model.hpp>
#include <nlohmann/json.hpp>

#include "demo_variant.hpp"
#include "folder.hpp"
#include "npy.hpp"
#include "process.hpp"

namespace {

// A folder with the demo model as Q8_0, whole and in three parts.
struct Workplace : Folder {
  Workplace() {
    write_demo_variant(*this / "demo.gguf", {.type = mla::quant::Type::q8_0});
    write_demo_variant(*this / "part-00001-of-00003.gguf", {.type = mla::quant::Type::q8_0, .n_parts = 3});
  }
};

std::vector<float> logits_of(const Folder& folder, const std::string& model) {
  const Run run = run_program("mla-perplexity", {"-m", model, "--tokens", "-", "--logits-out", folder / "l.npy"}, {.input = "1 5 9 100 7 7 3 64 127 0"});
  CHECK(run.status == 0);
  CHECK(run.err.empty());
  return Npy::read(folder / "l.npy").values;
}

void convert(const std::string& layout, const std::string& input, const std::string& output) {
  const Run run = run_program("mla-quantize", {"--layout", layout, input, output});
  CHECK(run.err.empty());
  REQUIRE(run.status == 0);
  CHECK(run.out.starts_with(output + ": "));
}

std::string replaced(std::string bytes, const std::string& from, const std::string& to) {
  const std::size_t at = bytes.find(from);
  REQUIRE(at != std::string::npos);
  return bytes.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("mla-quantize: a native file has the same logits, loads without repacking, and gives the original back to the byte") {
  const Workplace place;
  convert("native", place / "demo.gguf", place / "native.gguf");
  convert("native", place / "part-00002-of-00003.gguf", place / "of_parts.gguf");
  CHECK(read_file(place / "native.gguf") == read_file(place / "of_parts.gguf"));
  CHECK(read_file(place / "native.gguf") != read_file(place / "demo.gguf"));
  CHECK(logits_of(place, place / "native.gguf") == logits_of(place, place / "demo.gguf"));

  for (const auto mode : {mla::RepackMode::automatic, mla::RepackMode::always, mla::RepackMode::never}) {
    const auto native = mla::Model::load(place / "native.gguf", {.repack = mode})->info();
    const auto repacked = mla::Model::load(place / "demo.gguf", {.repack = mla::RepackMode::always})->info();
    if (repacked.panel_bytes == 0) continue;  // a processor that reads rows
    CHECK(native.repacked_bytes == 0);
    CHECK(native.panel_bytes == repacked.panel_bytes);
    CHECK(repacked.repacked_bytes >= repacked.panel_bytes);
  }

  convert("native", place / "native.gguf", place / "again.gguf");
  CHECK(read_file(place / "again.gguf") == read_file(place / "native.gguf"));
  convert("rows", place / "native.gguf", place / "back.gguf");
  CHECK(read_file(place / "back.gguf") == read_file(place / "demo.gguf"));
  convert("rows", place / "part-00001-of-00003.gguf", place / "joined.gguf");
  CHECK(read_file(place / "joined.gguf") == read_file(place / "demo.gguf"));

  const auto info = nlohmann::json::parse(run_program("mla-inspect", {"--json", place / "native.gguf"}).out);
  CHECK(info["problem"] == "");
  for (const auto& tensor : info["tensors"]) {
    const std::string name = tensor["name"];
    if (tensor["type"] != "Q8_0" || name.find("token_embd") == 0) CHECK(tensor["layout"] == "rows");
    else if (tensor["shape"][1].get<int>() % 16 == 0) CHECK(tensor["layout"] == "panels16");
  }
  CHECK(run_program("mla-inspect", {place / "native.gguf"}).out.find("Q8_0 panels16") != std::string::npos);
}

TEST_CASE("a native file on a processor that reads rows is put into rows when it is loaded") {
  const Workplace place;
  convert("native", place / "demo.gguf", place / "native.gguf");
  const std::vector<std::string> arguments = {"--tokens", "-", "--logits-out", place / "l.npy", "--repack", "-m"};
  const auto scalar_logits = [&](const std::string& model) {
    std::vector<std::string> all = arguments;
    all.push_back(model);
    CHECK(run_program("mla-perplexity", all, {.input = "1 5 9 100 7", .environment = "MLA_ISA=scalar"}).status == 0);
    return Npy::read(place / "l.npy").values;
  };
  CHECK(scalar_logits(place / "native.gguf") == scalar_logits(place / "demo.gguf"));
}

TEST_CASE("a layout that this version doesn't know is refused by file, key and remedy; mla-inspect still shows the file") {
  const Workplace place;
  convert("native", place / "demo.gguf", place / "native.gguf");
  const std::string native = read_file(place / "native.gguf"), bad = place / "bad.gguf";
  std::string later = native;
  const std::string key = "mla.layout.version";
  later[later.find(key) + key.size() + 4] = 2;  // behind the type, uint32
  const auto refused = [&](const std::string& bytes, const std::vector<std::string>& parts) {
    write_file(bad, bytes);
    std::vector<std::string> all = parts;
    all.push_back(bad);
    check_error("mla-run", {"-m", bad}, 1, all);
    check_error("mla-quantize", {"--layout", "rows", bad, place / "out.gguf"}, 1, all);
    CHECK_FALSE(std::filesystem::exists(place / "out.gguf"));
  };
  refused(replaced(native, "panels16", "panels99"), {"mla.layout", "panels99 and 1", "panels16 1", "mla-quantize --layout native"});
  CHECK(run_program("mla-inspect", {bad}).out.find("doesn't read type") != std::string::npos);
  refused(later, {"mla.layout.version", "panels16 and 2"});
  refused(replaced(native, "mla.layout", "mlx.layout"), {"mla.layout", "belong together"});
  refused(replaced(replaced(native, "mla.layout", "mlx.layout"), "mla.layout", "mlx.layout"), {"is in panels", "mla.layout is missing"});
  refused(native.substr(0, native.size() - 1000), {"cut short"});
}

TEST_CASE("mla-quantize: errors are one line; inputs are never overwritten, and an older output stays until the new one is whole") {
  const Workplace place;
  const std::string input = place / "demo.gguf", out = place / "out.gguf";
  const auto error = [](const std::vector<std::string>& arguments, int status, const std::vector<std::string>& parts) {
    check_error("mla-quantize", arguments, status, parts);
  };
  error({}, 2, {"input"});
  error({input}, 2, {"output"});
  error({input, ""}, 2, {"output", "empty"});
  error({"--layout", "panels", input, out}, 2, {"--layout", "panels", "rows,native"});
  error({"-t", "-1", input, out}, 2, {"--threads", "-1"});
  error({input, out, "q4_k", "more"}, 2, {"more"});
  error({input, out, "q7_k"}, 1, {"q7_k", "Q4_K_M"});
  error({input, out, "--tensor-type", "ffn_down"}, 2, {"--tensor-type", "'ffn_down'", "REGEX=TYPE"});
  error({input, out, "--tensor-type", "ffn_(=q4_k"}, 1, {"ffn_(=q4_k", "regular expression"});
  error({input, out, "--tensor-type", "ffn_down=iq2_xxs"}, 1, {"ffn_down=iq2_xxs", "type"});
  error({input, out, "--tensor-type", "ffn_dawn=q4_k"}, 1, {"ffn_dawn=q4_k", "demo.gguf"});
  for (const char* size : {"0M", "12", "5K", "-1M", "99999999999G"}) error({input, out, "q4_0", "--split-max-size", size}, 2, {"--split-max-size", "500M"});
  error({input, out, "q4_0", "--imatrix", place / "none.dat"}, 1, {"none.dat", "No such file"});
  error({place / "none.gguf", out}, 1, {"none.gguf", "No such file"});
  error({heldout_text, out}, 1, {"heldout.txt", "not a GGUF file"});
  std::filesystem::create_symlink("demo.gguf", place / "link.gguf");
  for (const std::string& same : {input, place / "link.gguf"}) error({input, same}, 1, {"choose another name"});
  error({place / "part-00003-of-00003.gguf", place / "part-00002-of-00003.gguf"}, 1, {"part-00002-of-00003.gguf", "choose another name"});
  error({input, place / "no/out.gguf"}, 1, {"no/out.gguf", "No such file"});
  error({input, "/dev/full"}, 1, {"/dev/full", "No space left"});
  write_file(out, "what was there before");
  check_error("mla-quantize", {"--layout", "native", input, out}, 1, {out, "File too large"}, {.largest_file = 50'000});
  CHECK(read_file(out) == "what was there before");
  CHECK_FALSE(std::filesystem::exists(out + ".part"));
  CHECK(run_program("mla-quantize", {"--layout", "native", input, out}).status == 0);
  CHECK(read_file(out).starts_with("GGUF"));
}

TEST_CASE("mla-quantize: types, mixes and rules") {
  const Workplace place;
  const std::string input = demo_model, out = place / "out.gguf";
  const auto types_of = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> all{input, out};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const Run run = run_program("mla-quantize", all);
    INFO(run.err);
    REQUIRE(run.status == 0);
    std::map<std::string, std::string> types;
    const std::string written = run.out.substr(0, run.out.find(": "));
    const auto info = nlohmann::json::parse(run_program("mla-inspect", {"--json", written}).out);
    for (const auto& tensor : info["tensors"]) types[tensor["name"]] = tensor["type"];
    return types;
  };
  auto types = types_of({"q4_k_m"});
  CHECK(types["token_embd.weight"] == "Q4_K");
  CHECK(types["output.weight"] == "Q6_K");
  CHECK(types["blk.1.attn_k_b.weight"] == "Q8_0");
  CHECK(types["blk.1.attn_output.weight"] == "Q5_K");
  CHECK(types["blk.2.ffn_down_exps.weight"] == "Q6_K");
  CHECK(types["blk.2.ffn_up_exps.weight"] == "Q4_K");
  CHECK(types["blk.2.ffn_gate_inp.weight"] == "F32");
  CHECK(types["blk.0.attn_norm.weight"] == "F32");

  types = types_of({"Q4_K", "--pure", "--tensor-type", "attn_(q|v)_b=q5_0", "--tensor-type", "attn_=q3_k"});
  CHECK(types["output.weight"] == "Q4_K");
  CHECK(types["blk.0.attn_v_b.weight"] == "Q5_0");
  CHECK(types["blk.0.attn_q_a.weight"] == "Q3_K");
  CHECK(types["blk.0.attn_k_b.weight"] == "IQ4_NL");  // rows of 32 values
  CHECK(types["blk.0.ffn_down.weight"] == "Q4_K");
  const Run warned = run_program("mla-quantize", {input, out, "Q4_K", "--pure"});
  CHECK(warned.err.find("mla-quantize: warning: rows that don't fit their type, in 3 tensors, the first of which is blk.0.attn_k_b.weight: "
                        "Q5_0 instead of Q4_K for rows of 32 (3 tensors)\n") != std::string::npos);
  CHECK(warned.err.find("warning", warned.err.find("warning") + 1) == std::string::npos);  // one line, however many tensors
  const Run verbose = run_program("mla-quantize", {input, out, "Q4_K", "--pure", "-v"});
  CHECK(verbose.err.find("tensor blk.2.attn_k_b.weight: Q5_0 instead of Q4_K for rows of 32\n") != std::string::npos);

  const std::string whole = (types_of({"q4_k_m"}), read_file(out));
  for (const char* threads : {"1", "3"}) {
    (void)types_of({"q4_k_m", "-t", threads});
    CHECK(read_file(out) == whole);
  }
  std::filesystem::remove(out);
  CHECK(types_of({"q4_k_m", "--split-max-size", "2M"}) == types_of({"q4_k_m"}));
  convert("rows", place / "out-00001-of-00002.gguf", place / "joined.gguf");
  CHECK(read_file(place / "joined.gguf") == whole);
  convert("native", out, place / "native.gguf");
  (void)types_of({"q4_k_m", "--layout", "native"});
  CHECK(read_file(out) == read_file(place / "native.gguf"));
}
