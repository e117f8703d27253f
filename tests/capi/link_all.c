/* Takes the address of every function that the C headers declare: the linker refuses one that libmla.so lacks. */
#include <mla/mla_experimental.h>
#include <stdio.h>

#include "declared_functions.h"

typedef void (*any_function)(void);
#define ADDRESS(name) (any_function)name,
static const any_function functions[] = {MLA_DECLARED_FUNCTIONS(ADDRESS)};

int main(void) {
  size_t i, n = sizeof functions / sizeof functions[0];
  for (i = 0; i < n; ++i)
    if (functions[i] == NULL) return 1;
  printf("%zu functions\n", n);
  return n < 50; /* a list that the build failed to make would be short */
}
