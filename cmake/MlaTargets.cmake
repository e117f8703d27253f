# What every target of the project is built with, and the three kinds of target there are.

function(mla_settings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow
                         $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual>)
  if(MLA_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${MLA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${target} PRIVATE -fsanitize=${MLA_SANITIZE})
  endif()
endfunction()

# mla_layer(NAME SOURCES a.cpp … LAYERS lower … LINK external …): a folder of lib/ as a static library.
# A layer links only the layers it names, so that an upward include does not link.
function(mla_layer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LAYERS;LINK" ${ARGN})
  add_library(mla_${name} STATIC ${ARG_SOURCES})
  mla_settings(mla_${name})
  target_include_directories(mla_${name} PUBLIC
    ${PROJECT_SOURCE_DIR}/include PRIVATE ${PROJECT_SOURCE_DIR}/lib)
  list(TRANSFORM ARG_LAYERS PREPEND mla_)
  target_link_libraries(mla_${name} PUBLIC ${ARG_LAYERS} PRIVATE ${ARG_LINK})
endfunction()

# mla_program(NAME SOURCES …): a command-line program; it sees only include/mla.
function(mla_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  mla_settings(${name})
  target_link_libraries(${name} PRIVATE mla::mla ${ARG_LINK})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endfunction()

# mla_test(NAME SOURCES … LINK … LABEL quick|full): a Catch2 executable that ctest runs as one test.
# Tests may look inside the library: lib/ is on their include path.
function(mla_test name)
  cmake_parse_arguments(ARG "" "LABEL" "SOURCES;LINK" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL quick)
  endif()
  add_executable(test_${name} ${ARG_SOURCES})
  mla_settings(test_${name})
  target_include_directories(test_${name} PRIVATE
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(test_${name} PRIVATE MLA_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(test_${name} PRIVATE mla_catch_main ${ARG_LINK})
  add_test(NAME ${name} COMMAND test_${name} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} SKIP_RETURN_CODE 4)
endfunction()
