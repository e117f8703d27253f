// mla-run on processors that this machine isn't: it takes the kernels that they have, and never an instruction that they lack. What they
// compute is what this machine computes with the same kernels.
#include <cstdio>
#include <cstdlib>

#include "demo_variant.hpp"
#include "folder.hpp"
#include "process.hpp"

namespace {

// The demo model as it is, with products in floats, and with weights that AVX2 multiplies in integers.
struct Models : Folder {
  std::vector<std::string> paths{demo_model, *this / "q8_0.gguf"};
  Models() {
    need_qemu();
    write_demo_variant(paths[1], {.type = mla::quant::Type::q8_0});
  }
};

std::string text_of(const std::string& model, const Setup& setup) {
  const Run run = run_program("mla-run", {"-m", model, "-p", "And he said", "-n", "16", "--temp", "0", "-t", "2"}, setup);
  INFO(run.err);
  CHECK(run.status == 0);
  CHECK(run.err.empty());
  CHECK(run.out.starts_with("And he said"));
  return run.out;
}

void check_same_text(const Models& models, const std::string& processor, const std::string& isa) {
  for (const std::string& model : models.paths) {
    INFO(processor << ", " << model);
    CHECK(text_of(model, {.processor = processor}) == text_of(model, {.environment = "MLA_ISA=" + isa}));
  }
}

}  // namespace

// check=off: without a warning for what qemu can't play.
TEST_CASE("a processor below AVX2 computes with the scalar kernels") {
  const Models models;
  for (const std::string processor : {"Nehalem", "SandyBridge,check=off"}) {
    check_error("mla-run", {}, 1, {"MLA_ISA=avx2", "has only scalar"}, {.environment = "MLA_ISA=avx2", .processor = processor});
    check_same_text(models, processor, "scalar");
  }
}

TEST_CASE("a processor with AVX2 and without AVX-512 computes with the AVX2 kernels") {
  const Models models;
  const std::string haswell = "Haswell,check=off";
  if (run_program("mla-run", {"-n", "1"}, {.environment = "MLA_ISA=avx2", .processor = haswell}).err.find("has only scalar") !=
      std::string::npos) {
    std::fprintf(stderr, "SKIPPED: AVX2 was NOT tested, because this qemu-x86_64 has none: install version 7.2 or later of qemu-user\n");
    std::exit(4);
  }
  if (run_program("mla-run", {"-n", "1"}, {.environment = "MLA_ISA=avx2"}).status != 0) {
    std::fprintf(stderr, "SKIPPED: AVX2 was NOT compared, because this machine has none\n");
    std::exit(4);
  }
  check_error("mla-run", {}, 1, {"MLA_ISA=avx512", "has only avx2"}, {.environment = "MLA_ISA=avx512", .processor = haswell});
  check_same_text(models, haswell, "avx2");
}
