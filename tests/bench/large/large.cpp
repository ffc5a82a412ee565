#include "bench/large/large.h"

#include "protocol.h"

extern "C" long handle_107(const large::Request<107>* request);

int main() {
  protocol::ready();
  large::Request<107> request;
  request.name = "one";
  protocol::print("sum", handle_107(&request));
}
