// Entries of importance matrices for k_b and v_b, from those of kv_b and q.
#pragma once
#include <mla/imatrix.hpp>

#include "model/weights.hpp"

namespace mla::model {

/// mla::derive_mla() with the weights at hand.
DerivedEntries derive_mla(Imatrix& imatrix, const LoadedModel& loaded);

}  // namespace mla::model
