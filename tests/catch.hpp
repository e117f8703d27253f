// Catch2 version 3 and version 2 (Debian 12) behind one include.
#pragma once
#if MLA_CATCH_VERSION >= 3
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#else
#include <catch2/catch.hpp>
#endif
