// mla-bench and mla-batched-bench as a user meets them. Nothing here depends on how fast the machine is.
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "folder.hpp"
#include "process.hpp"

namespace {

using Strings = std::vector<std::string>;

nlohmann::json run_json(const std::string& program, Strings arguments) {
  arguments.insert(arguments.end(), {"-o", "json"});
  const Run run = run_program(program, arguments);
  INFO(run.err);
  REQUIRE(run.status == 0);
  return nlohmann::json::parse(run.out);
}

Strings keys_of(const nlohmann::json& object) {
  Strings keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

Strings lines_of(const std::string& text) {
  std::istringstream stream(text);
  Strings lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

int count(const std::string& text, const std::string& part) {
  int n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

// Every element is closed, in order. The plots have neither comments nor ">" in attributes.
bool is_well_formed(const std::string& xml) {
  Strings open;
  for (std::size_t at = xml.find('<'); at != xml.npos; at = xml.find('<', at + 1)) {
    const std::size_t end = xml.find('>', at);
    if (end == xml.npos) return false;
    const std::string tag = xml.substr(at + 1, end - at - 1);
    if (count(tag, "\"") % 2 != 0) return false;
    if (tag.ends_with('/')) continue;
    if (!tag.starts_with('/')) {
      open.push_back(tag.substr(0, tag.find(' ')));
    } else {
      if (open.empty() || open.back() != tag.substr(1)) return false;
      open.pop_back();
    }
  }
  return open.empty();
}

}  // namespace

TEST_CASE("mla-bench: json has a cell for every combination, with every field") {
  const auto cells = run_json("mla-bench", {"-p", "8,16", "-n", "2", "-d", "0,70", "--attention", "auto,deepseek2", "--cache-type",
                                            "f16,q8_0", "-t", "1", "-ub", "8", "-r", "3"});
  REQUIRE(cells.size() == 2 * 2 * 2 * 3);
  std::set<std::string> different;
  for (const auto& cell : cells) {
    CHECK(keys_of(cell) == Strings{"attention", "cache_type_k", "cache_type_v", "depth", "model", "n_gen", "n_prompt", "samples", "stddev",
                                   "threads", "tokens_per_second", "ubatch"});
    CHECK(cell["model"] == "demo-f16");
    CHECK(cell["threads"] == 1);
    CHECK(cell["ubatch"] == 8);
    CHECK((cell["n_prompt"] == 0) != (cell["n_gen"] == 0));
    auto samples = cell["samples"].get<std::vector<double>>();
    REQUIRE(samples.size() == 3);
    std::sort(samples.begin(), samples.end());
    CHECK(samples.front() > 0);
    CHECK(cell["tokens_per_second"] == samples[1]);
    CHECK(cell["stddev"].get<double>() >= 0);
    CHECK(cell["stddev"].get<double>() <= samples.back() - samples.front());
    different.insert(cell["attention"].dump() + cell["cache_type_k"].dump() + cell["depth"].dump() + cell["n_prompt"].dump() +
                     cell["n_gen"].dump());
  }
  CHECK(different.size() == cells.size());
}

TEST_CASE("mla-bench: keys and values of different types, depths filled at random") {
  const auto cells = run_json("mla-bench", {"-p", "8", "-n", "0", "-d", "300,100", "--fill", "random", "--attention", "deepseek2",
                                            "--cache-type-k", "q8_0,f16", "--cache-type-v", "bf16", "-r", "1", "-t", "2"});
  REQUIRE(cells.size() == 4);
  CHECK(cells[0]["cache_type_k"] == "q8_0");
  CHECK(cells[2]["cache_type_k"] == "f16");
  for (const auto& cell : cells) CHECK(cell["cache_type_v"] == "bf16");
  CHECK(cells[0]["depth"] == 100);  // from shallow to deep
  CHECK(cells[1]["depth"] == 300);
}

TEST_CASE("mla-bench: a table, and csv") {
  const Run run = run_program("mla-bench", {"-p", "8", "-n", "2", "-r", "1", "-o", "md,csv", "-d", "64", "--fill", "random"});
  CHECK(run.status == 0);
  const Strings lines = lines_of(run.out);
  REQUIRE(lines.size() == 4 + 3);
  CHECK(lines[0].find("tokens/s (median)") != std::string::npos);
  CHECK(lines[2].find("pp8 @ d64") != std::string::npos);
  CHECK(lines[3].find("tg2 @ d64") != std::string::npos);
  for (int i = 0; i < 4; ++i) CHECK(lines[static_cast<std::size_t>(i)].size() == lines[0].size() + (i == 0 ? 0 : -1));  // "±" has two bytes
  CHECK(lines[4] == "model,attention,cache_type_k,cache_type_v,threads,ubatch,n_prompt,n_gen,depth,tokens_per_second,stddev");
  CHECK(lines[5].starts_with("demo-f16,auto,q16_row,q16_row,"));
  CHECK(run.err.find("resident memory") != std::string::npos);
}

TEST_CASE("mla-bench --ops: operations, their shares, and the limits") {
  const Strings arguments{"-p", "40", "-n", "2", "-r", "2", "-t", "1", "--ops"};
  const auto cells = run_json("mla-bench", arguments);
  REQUIRE(cells.size() == 2);
  for (const auto& cell : cells) {
    double seconds = 0, limit = 0, spent = 0;
    std::set<std::string> names;
    for (const auto& op : cell["ops"]) {
      names.insert(op["name"].get<std::string>());
      seconds += op["seconds"].get<double>(), limit += op["limit_seconds"].get<double>();
    }
    const double tokens = cell["n_prompt"].get<double>() + cell["n_gen"].get<double>();
    for (const double rate : cell["samples"]) spent += tokens / rate;
    CHECK(seconds <= spent);
    for (const char* name : {"q", "kv_a", "kq", "kqv", "kqv_out", "router", "experts_gate_up", "experts_down", "shared_gate_up", "output"})
      CHECK(names.contains(name));
    CHECK(cell["limit_tokens_per_second"].get<double>() == Approx(2 * tokens / limit));
    for (const char* rate : {"read_bytes_per_second", "f32_operations_per_second", "int8_operations_per_second"})
      CHECK(cell["machine"][rate].get<double>() > 0);
  }
  const Run run = run_program("mla-bench", arguments);
  CHECK(run.status == 0);
  CHECK(count(run.out, "Limits: memory read ") == 2);
  CHECK(count(run.out, "| operation ") == 2);
  CHECK(count(run.out, "| total ") == 2);
  CHECK(run.out.find("per prompt") != std::string::npos);
  CHECK(run.out.find("per token") != std::string::npos);
}

TEST_CASE("mla-bench --sweep --svg: depths in equal steps, and a plot that has them all") {
  const Folder folder;
  const auto cells = run_json("mla-bench", {"-p", "8", "-n", "2", "-r", "1", "-d", "200", "--sweep", "--sweep-steps", "4", "--fill",
                                            "random", "--attention", "auto,deepseek-mla", "--svg", folder / "plot.svg"});
  REQUIRE(cells.size() == 2 * 5 * 2);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    CHECK(cells[i]["depth"] == 50 * (i / 2 % 5));
    CHECK_FALSE(cells[i].contains("ops"));
  }
  const std::string svg = read_file(folder / "plot.svg");
  CHECK(svg.starts_with("<svg xmlns="));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(is_well_formed(svg));
  CHECK(count(svg, "<circle ") == 20);
  CHECK(count(svg, "<polyline ") == 2 * 4);  // a line and its limit
  for (const char* text : {"Prompt processing", "Generation", "depth: tokens in the cache", "tokens per second", "pp8 auto q16_row",
                           "tg2 deepseek-mla q16_row", "the machine's limit"})
    CHECK(svg.find(text) != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
  CHECK(folder.n_files() == 1);
}

TEST_CASE("mla-bench --synthetic: models of every type and preset for tests, and fewer layers") {
  for (const char* type : {"f32", "f16", "bf16", "q4_0", "q5_0", "q5_1", "q8_0", "iq4_nl", "q4_k", "q5_k", "q6_k", "iq4_xs", "iq1_s", "iq2_xxs", "iq3_xxs"}) {
    const std::string name = std::string("tiny-v3:") + type;
    const auto cells = run_json("mla-bench", {"--synthetic", name, "-p", "8", "-n", "1", "-r", "1"});
    REQUIRE(cells.size() == 2);
    CHECK(cells[0]["model"] == name);
  }
  const auto lite = run_json(
      "mla-bench", {"--synthetic", "tiny-lite:q4_k", "--layers", "2", "--dense-layers", "2", "-p", "8", "-n", "0", "-r", "1", "--ops"});
  CHECK(lite[0]["model"] == "tiny-lite:q4_k, 2 layers");
  for (const auto& op : lite[0]["ops"]) {
    CHECK(op["name"] != "router");  // both layers are dense
    if (op["name"] == "kv_a") CHECK(op["calls"] == 2);
  }
}

TEST_CASE("mla-bench --synthetic: repacked weights take their size once") {
  const Run run = run_program("mla-bench", {"--synthetic", "v2-lite:q4_k", "--layers", "1", "--dense-layers", "1", "-p", "1", "-n", "0", "-ub",
                                            "1", "-r", "1"});
  REQUIRE(run.status == 0);
  const auto mib_after = [&](const char* words) { return std::stod(run.err.substr(run.err.find(words) + std::strlen(words))); };
  const double peak = mib_after("resident memory at most "), weights = mib_after("of which weights ");
  CHECK(weights > 300);
  CHECK(peak < 1.6 * weights);  // a second copy of what is repacked would be 0.65 more
}

TEST_CASE("mla-bench: errors are one line") {
  const Folder folder;
  const auto refused = [](const Strings& arguments, const Strings& parts) { check_error("mla-bench", arguments, 2, parts); };
  refused({"-p", "x"}, {"-p", "'x'", "whole number"});
  refused({"-p", "-1"}, {"'-1'"});
  refused({"-d", "99999999999"}, {"99999999999"});
  for (const char* list : {"1,", ",1", "1,,2", ",", ""}) {
    for (const char* flag : {"-p", "-n", "-d", "-t"}) refused({flag, list}, {flag, std::string("'") + list + "'", "empty"});
  }
  refused({"--attention", "auto,"}, {"--attention", "'auto,'", "empty"});
  refused({"--cache-type-k", "f16,,q8_0"}, {"--cache-type-k", "empty"});
  refused({"--attention-rates", "1,2,3,4,5"}, {"--attention-rates", "5 numbers", "six"});
  refused({"-t", "5000"}, {"5000"});
  refused({"-ub", "0"}, {"'0'", "1 to 65536"});
  refused({"-r", "0"}, {"'0'", "1 to 1000"});
  refused({"--attention", "mla"}, {"--attention", "mla", "deepseek-mla"});
  refused({"--cache-type", "q3"}, {"--cache-type", "q3", "q8_0"});
  refused({"--cache-type-v", "f8"}, {"--cache-type-v", "f8"});
  refused({"-o", "xml"}, {"xml", "json"});
  refused({"--fill", "zero"}, {"--fill", "zero", "random"});
  refused({"-p", "0", "-n", "0"}, {"nothing to measure"});
  refused({"--ops", "-o", "csv"}, {"--ops", "csv"});
  refused({"--sweep"}, {"--sweep", "-d 0"});
  refused({"--sweep-steps", "3", "-d", "30"}, {"--sweep-steps", "--sweep"});
  refused({"--layers", "2"}, {"--layers", "--synthetic"});
  refused({"--synthetic", "tiny-v3:f16", "-m", demo_model}, {"--synthetic", "--model"});
  refused({"--synthetic", ""}, {"--synthetic", "empty"});
  refused({"--svg", ""}, {"--svg", "empty"});
  for (const char* name : {"tiny-v3", "tiny-v3:", ":q4_k", "v9:q4_k", "v2-lite:q4", "tiny-v3:q4_k:x"})
    check_error("mla-bench", {"--synthetic", name}, 1, {name, "PRESET:TYPE", "v2-lite", "q4_k"});
  check_error("mla-bench", {"--synthetic", "tiny-v3:f16", "--layers", "2", "--dense-layers", "3"}, 1, {"--dense-layers 3", "2 layers"});
  check_error("mla-bench", {"--synthetic", "v3:f32"}, 1, {"v3:f32", "are available", "--layers"});
  check_error("mla-bench", {"--svg", folder / "none/plot.svg"}, 1, {"none/plot.svg", "No such file"});
  check_error("mla-bench", {"-m", folder / "none.gguf"}, 1, {"none.gguf", "No such file"});
  CHECK(folder.n_files() == 0);
}

TEST_CASE("mla-batched-bench: a line for every combination, and figures that agree") {
  for (const bool shared : {false, true}) {
    Strings arguments{"-npp", "20,70", "-ntg", "3", "-npl", "1,4", "-t", "2", "-r", "2"};
    if (shared) arguments.push_back("-pps");
    const auto lines = run_json("mla-batched-bench", arguments);
    REQUIRE(lines.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
      const auto& line = lines[i];
      const int pp = i < 2 ? 20 : 70, b = i % 2 == 0 ? 1 : 4, prompt = shared ? pp : pp * b;
      CHECK(line["pp"] == pp);
      CHECK(line["tg"] == 3);
      CHECK(line["b"] == b);
      CHECK(line["shared_prompt"] == shared);
      CHECK(line["n_kv"] == prompt + 3 * b);
      const double t_pp = line["t_pp"], t_tg = line["t_tg"];
      CHECK(line["s_pp"].get<double>() == Approx(prompt / t_pp));
      CHECK(line["s_tg"].get<double>() == Approx(3 * b / t_tg));
      CHECK(line["t"].get<double>() == Approx(t_pp + t_tg));
      CHECK(line["s"].get<double>() == Approx((prompt + 3 * b) / (t_pp + t_tg)));
    }
  }
}

TEST_CASE("mla-batched-bench: the table's columns, in every attention mode") {
  for (const char* mode : {"auto", "deepseek2", "deepseek-mla"}) {
    const Run run = run_program("mla-batched-bench",
                                {"-npp", "10", "-ntg", "2", "-npl", "2,3", "--attention", mode, "--cache-type", "q8_0", "-c", "256"});
    CHECK(run.status == 0);
    CHECK(run.err.empty());
    const Strings lines = lines_of(run.out);
    REQUIRE(lines.size() == 4);
    std::size_t at = 0;
    for (const char* column : {"PP", "TG", "B", "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s", "T s", "S t/s"}) {
      INFO(column);
      at = lines[0].find(std::string(" ") + column + " |", at);
      REQUIRE(at != std::string::npos);
    }
    CHECK(lines[3].find(" 36 |") != std::string::npos);
  }
}

TEST_CASE("mla-batched-bench: errors are one line") {
  const auto refused = [](const Strings& arguments, const Strings& parts) { check_error("mla-batched-bench", arguments, 2, parts); };
  refused({"-npp", "0"}, {"'0'"});
  refused({"-ntg", "x"}, {"'x'"});
  refused({"-npl", "0"}, {"'0'", "1 to 4096"});
  refused({"-npl", "1,"}, {"--n-parallel", "'1,'", "empty"});
  refused({"-r", "0"}, {"'0'"});
  refused({"-o", "csv"}, {"csv"});
  refused({"-nonsense"}, {"-nonsense"});
  check_error("mla-batched-bench", {"-npp", "100", "-ntg", "30", "-npl", "4", "-c", "300"}, 1, {"-c 300", "-npl 4", "768"});
  check_error("mla-batched-bench", {"-npp", "16777216", "-npl", "4096"}, 1, {"too many"});
  check_error("mla-batched-bench", {"-m", "/none.gguf"}, 1, {"/none.gguf", "No such file"});
  const std::string help = run_program("mla-batched-bench", {"--help"}).out;
  for (const char* flag : {"-npp,--n-prompt", "-ntg,--n-gen", "-npl,--n-parallel", "-pps,--shared-prompt", "-ub,--ubatch-size",
                           "-m,--model", "-t,--threads"}) {
    INFO(flag);
    CHECK(help.find(flag) != std::string::npos);
  }
}
