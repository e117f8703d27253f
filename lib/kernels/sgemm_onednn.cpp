#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

#include "kernels/integer_gemm.hpp"
#include "kernels/sgemm.hpp"
#include "platform/fail.hpp"

namespace mla::kernels {
namespace {

// Our threads share out the work themselves: oneDNN must not start a team in each. The setting is the calling thread's
// own, and a host's thread gets its value back.
class OneOmpThread {
 public:
  OneOmpThread() : before_(omp_get_max_threads()) {
    if (before_ != 1) omp_set_num_threads(1);
  }
  ~OneOmpThread() {
    if (before_ != 1) omp_set_num_threads(before_);
  }
  OneOmpThread(const OneOmpThread&) = delete;
  OneOmpThread& operator=(const OneOmpThread&) = delete;

 private:
  int before_;
};

template <typename Params>
void check(dnnl_status_t status, const Params& p) {
  if (status == dnnl_out_of_memory) fail(Status::out_of_memory, "no memory for a {}x{}x{} matrix product", p.m, p.n, p.k);
  if (status != dnnl_success)
    fail(Status::internal, "oneDNN status {} from a {}x{}x{} matrix product", static_cast<int>(status), p.m, p.n, p.k);
}

}  // namespace

void sgemm(const SgemmParams& p) {
  if (p.m == 0 || p.n == 0) return;
  if (p.fixed_order) return sgemm_by_rows(p);
  const OneOmpThread guard;
  check(dnnl_sgemm('N', static_cast<char>(p.transpose_b), p.m, p.n, p.k, 1.0f, p.a, p.lda, p.b, p.ldb, p.beta, p.c, p.ldc), p);
}

void integer_gemm(const IntegerGemmParams& p) {
  if (p.m == 0 || p.n == 0) return;
  const OneOmpThread guard;
  const std::int32_t no_offset = 0;
  check(dnnl_gemm_u8s8s32('N', 'T', 'F', p.m, p.n, p.k, 1.0f, p.a, p.k, 0, p.b, p.k, 0, 0.0f, p.c, p.n, &no_offset), p);
}

}  // namespace mla::kernels
