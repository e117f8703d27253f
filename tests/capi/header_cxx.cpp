// The same as C++11.
#include "header_c99.c"
