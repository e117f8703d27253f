// Makes the n-th allocation, mmap or thread start of this program fail, and counts what is still held.
#pragma once

namespace faults {

/// The n-th request from now on fails (counted from 1, all kinds together); 0: none does.
void arm(long n);
/// Requests since arm(), none after disarm(); n or more means that the fault has happened.
long requests();
void disarm();

/// Blocks of malloc and its kin, mappings and threads that are held now.
long held();

enum class Kind { memory, mapping, thread };
/// Faults of a kind that have happened since the program began.
long happened(Kind kind);

}  // namespace faults
