// Makes the n-th operator new, host allocation, mmap or thread start of this program fail, and counts what is still held.
#pragma once
#include <cstddef>
#include <memory>
#include <mla/host.hpp>

namespace faults {

/// The n-th request from now on fails (counted from 1, all kinds together); 0: none does.
void arm(long n);
/// Requests since arm(); more than n means that the fault has happened.
long requests();
void disarm();

/// Blocks of operator new, blocks of allocator(), mappings and threads that are held now.
long held();

/// An allocator of the host that takes part in the counting.
std::shared_ptr<mla::Allocator> allocator();

}  // namespace faults
