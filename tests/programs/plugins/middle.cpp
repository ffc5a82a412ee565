// libmiddle.so, linked by the program, and libplugin.so, which it opens later: callers of `provided` through their PLT.
extern "C" {

long provided(long i);

long ENTRY(long i) {
  return provided(i) * 2;
}
}
