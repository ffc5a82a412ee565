/* Makes a program one that could switch stacks: nobody calls it. */
#include <ucontext.h>

int switch_stacks(ucontext_t* from, const ucontext_t* to);
int switch_stacks(ucontext_t* from, const ucontext_t* to) {
  return swapcontext(from, to);
}
