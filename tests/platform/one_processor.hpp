#pragma once
#include <sched.h>

#include "catch.hpp"

/// While it lives, this thread stays on one of the processors that it may use, and those that it starts begin there.
class OnOneProcessor {
 public:
  OnOneProcessor() {
    REQUIRE(sched_getaffinity(0, sizeof before_, &before_) == 0);
    int first = 0;
    while (!CPU_ISSET(first, &before_)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  }
  ~OnOneProcessor() { sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_;
};
