# cmake -DHEADER_DIR=include/mla -DOUTPUT=stubs.c -P stubs.cmake: the C headers with an empty body for every function, so that a compiler writes down
# their ABI in a second. That libmla.so has these functions and no others, the tests capi_link and capi_exports see to.
set(text "#include <mla/mla_experimental.h>\n")
foreach(header mla.h mla_experimental.h)
  file(READ ${HEADER_DIR}/${header} source)
  string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/" "" source "${source}")  # comments may have a ; in them
  string(REPLACE ";" "@" source "${source}")
  string(REGEX MATCHALL "MLA_API [^@{}]*@" functions "${source}")
  foreach(function IN LISTS functions)
    string(REPLACE "@" " {}" function "${function}")
    string(APPEND text "${function}\n")
  endforeach()
endforeach()
file(WRITE ${OUTPUT} "${text}")
