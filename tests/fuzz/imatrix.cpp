// An importance matrix of either format.
#include "format/imatrix_file.hpp"
#include "fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::Folder folder;
  folder.write("imatrix", fuzz::text(data, size));
  return fuzz::accept_errors([] {
    using namespace mla::format;
    const Imatrix imatrix = read_imatrix(folder / "imatrix");
    for (const ImatrixEntry& entry : imatrix.entries) {
      const auto n_matrices = static_cast<std::int64_t>(entry.counts.size());
      if (imatrix.find(entry.name) == nullptr) std::abort();
      if (imatrix_weights(entry, n_matrices, entry.n_columns(), "imatrix").size() != entry.sums.size()) std::abort();
    }
  });
}
