// What the fragments of C++ in the documents take for granted.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <memory>
#include <mla/mla.hpp>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#define BEGIN int main() try {
#define END                                   \
  }                                           \
  catch (const std::exception& error) {       \
    std::cerr << error.what() << '\n';        \
    return 1;                                 \
  }
