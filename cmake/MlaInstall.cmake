# cmake --install: headers, libmla.so.0, libmla.a (C++ and C), a CMake package, a pkg-config file, the programs and their demo model.
# Components: runtime, development, tools.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# All layers and the C skin in one archive. Where the layers' own archives serve the tree, a program from outside wants a single name.
set(objects)
foreach(target platform quant quant_avx2 quant_avx512 quant_encode_avx2 format kernels cache layers moe attention model text sampling engine capi)
  if(TARGET mla_${target})
    list(APPEND objects $<TARGET_OBJECTS:mla_${target}>)
  endif()
endforeach()
add_library(mla_archive STATIC ${objects})
set_target_properties(mla_archive PROPERTIES
  OUTPUT_NAME mla EXPORT_NAME mla LINKER_LANGUAGE CXX ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/archive)
target_compile_features(mla_archive INTERFACE cxx_std_20)
target_include_directories(mla_archive INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(mla_archive PRIVATE
  DNNL::dnnl OpenMP::OpenMP_CXX fmt::fmt spdlog::spdlog PkgConfig::PCRE2 Threads::Threads ${CMAKE_DL_LIBS})

install(TARGETS mla_capi EXPORT mla-capi
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development)
install(TARGETS mla_archive EXPORT mla-cpp ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/mla DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/mla)
foreach(part capi cpp)
  install(EXPORT mla-${part} NAMESPACE mla:: DESTINATION ${package_dir} COMPONENT development)
endforeach()
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/mla-config.cmake.in ${PROJECT_BINARY_DIR}/mla-config.cmake INSTALL_DESTINATION ${package_dir})
# A 0.y step may break: a program finds the y that it asks for.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mla-config-version.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH MLA_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" MLA_PC_PREFIX "${MLA_PC_PREFIX}")
configure_file(${CMAKE_CURRENT_LIST_DIR}/mla.pc.in ${PROJECT_BINARY_DIR}/mla.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mla-config.cmake ${PROJECT_BINARY_DIR}/mla-config-version.cmake DESTINATION ${package_dir} COMPONENT development)
install(FILES ${PROJECT_BINARY_DIR}/mla.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

if(MLA_BUILD_PROGRAMS)
  set(programs)
  foreach(program run chat bench batched-bench perplexity convert quantize imatrix inspect server)
    if(TARGET mla-${program})
      list(APPEND programs mla-${program})
    endif()
  endforeach()
  install(TARGETS ${programs} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
  install(FILES ${PROJECT_SOURCE_DIR}/examples/models/demo-f16.gguf DESTINATION ${CMAKE_INSTALL_DATADIR}/mla COMPONENT tools)
endif()
if(PROJECT_IS_TOP_LEVEL)
  include(MlaPackages)
endif()
