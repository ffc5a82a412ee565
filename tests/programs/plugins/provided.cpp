// libprovided.so: the function that everybody calls.
#include "tally.h"

namespace {

protocol::Tally provided_tally;

}  // namespace

extern "C" {

PROBED long provided(long i) {
  SAVES_A_REGISTER();
  provided_tally.enter();
  return provided_tally.leave(i + 1);
}

void print_provided() {
  protocol::print("provided", provided_tally);
}
}
