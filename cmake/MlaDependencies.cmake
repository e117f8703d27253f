# Finds what libmla needs; an absent package ends the configuration with the name to install.

macro(mla_require package debian)
  find_package(${package} QUIET ${ARGN})
  if(NOT ${package}_FOUND)
    message(FATAL_ERROR "libmla needs ${package}: install it with  apt-get install ${debian}")
  endif()
endmacro()

find_package(Threads REQUIRED)
mla_require(dnnl libdnnl-dev CONFIG)
mla_require(OpenMP "g++ (or libomp-dev with clang)" COMPONENTS CXX)
mla_require(Eigen3 libeigen3-dev CONFIG)
mla_require(fmt libfmt-dev CONFIG)
mla_require(spdlog libspdlog-dev CONFIG)
mla_require(nlohmann_json nlohmann-json3-dev CONFIG)
# Only the header: the library is loaded where a machine has several memory nodes (lib/platform/libnuma.cpp).
find_path(MLA_NUMAIF_DIR numaif.h)
if(NOT MLA_NUMAIF_DIR)
  message(FATAL_ERROR "libmla needs libnuma's header numaif.h: install it with  apt-get install libnuma-dev")
endif()
mla_require(PkgConfig pkg-config)
pkg_check_modules(PCRE2 QUIET IMPORTED_TARGET libpcre2-8)
if(NOT PCRE2_FOUND)
  message(FATAL_ERROR "libmla needs PCRE2: install it with  apt-get install libpcre2-dev")
endif()
if(MLA_BUILD_PROGRAMS)
  mla_require(CLI11 libcli11-dev CONFIG)
  pkg_check_modules(MLA_HTTPLIB QUIET IMPORTED_TARGET cpp-httplib)  # only mla-server's
  pkg_check_modules(MLA_CRYPTO QUIET IMPORTED_TARGET libcrypto)         # which the header calls, since 0.12, if it is built for TLS
endif()
if(MLA_BUILD_TESTS)
  mla_require(Catch2 catch2 CONFIG)  # version 2 or 3: tests/catch.hpp hides the difference
endif()
