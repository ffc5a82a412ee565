// libshelf.so: a library with globals.
#pragma once

namespace shelf {

struct State {
  long books;
  const char* name;
  int marks[3];
};
extern State state;

extern "C" long shelf_put(long amount);

}  // namespace shelf
