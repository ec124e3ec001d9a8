// Process groups, as far as one process goes: refusals, the store, a group of one that does everything
// from opening to closing.
#include "driver.h"

namespace driver {

void group() {
  uint8_t out[64];
  const std::string host = "127.0.0.1", prefix = "driver/0", key = "key", value = "value";
  auto size = [](const std::string& text) { return static_cast<int32_t>(text.size()); };
  auto open = [&](int32_t port, int32_t rank, int32_t ranks, int32_t serve, double timeout) {
    return aamt_group_open(bytes_of(host), size(host), port, rank, ranks, serve, bytes_of(prefix), size(prefix), 0, timeout);
  };
  auto read = [&] { return aamt_group_read(bytes_of(key), size(key), out, sizeof out); };
  CHECK(aamt_group_close() == 0);
  if (aamt_group_available() == 0) {
    CHECK(open(0, 0, 1, 1, 1000) == AAMT_ERR_NOT_IMPLEMENTED && aamt_store_serve(0) == AAMT_ERR_NOT_IMPLEMENTED);
    return;
  }
  CHECK(read() == AAMT_ERR_ARGUMENT && aamt_group_silent(nullptr, 0) == AAMT_ERR_ARGUMENT);
  CHECK(open(0, 1, 1, 0, 1000) == AAMT_ERR_ARGUMENT && open(0, -1, 1, 0, 1000) == AAMT_ERR_ARGUMENT);
  CHECK(open(0, 0, 0, 0, 1000) == AAMT_ERR_ARGUMENT && open(-1, 0, 1, 1, 1000) < 0 && open(70000, 0, 1, 1, 1000) < 0);
  CHECK(open(0, 0, 1, 1, 0) == AAMT_ERR_ARGUMENT && open(0, 0, 1, 1, NAN) == AAMT_ERR_ARGUMENT);
  // Nobody serves port 1, and rank 1 never comes.
  CHECK(open(1, 1, 2, 0, 300) == AAMT_ERR_OTHER && last_error().find("rank 0 did not start") == 0);
  CHECK(open(0, 0, 2, 1, 300) == AAMT_ERR_OTHER && last_error().find("rank 1 of 2 did not start") == 0);

  int32_t port = aamt_store_serve(0);
  CHECK(port > 0 && aamt_store_serve(0) == AAMT_ERR_ARGUMENT);
  CHECK(open(port, 0, 1, 0, 5000) == 0 && open(port, 0, 1, 0, 5000) == AAMT_ERR_ARGUMENT);
  CHECK(read() == 0);
  auto post = [&](const std::string& text) {
    return aamt_group_post(bytes_of(key), size(key), bytes_of(text), size(text), out, sizeof out);
  };
  CHECK(post(value) == 5 && std::memcmp(out, "value", 5) == 0);
  CHECK(post("other") == 5 && std::memcmp(out, "value", 5) == 0 && read() == 5);
  CHECK(aamt_group_post(nullptr, 3, bytes_of(value), 5, out, 5) == AAMT_ERR_ARGUMENT);
  double ranks[1];
  CHECK(aamt_group_silent(ranks, 1) == 0);

  double tensor_handle = from_floats({1, 2, 3}, {3});
  int32_t status;
  free_results(call(find("_c10d_functional::all_reduce_"),
                    {AAMT_TAG_TENSOR, tensor_handle, AAMT_TAG_STRING, 0, 3, AAMT_TAG_STRING, 3, 4}, status, "sumaamt"));
  CHECK(status > 0);
  free_results(call(find("_c10d_functional::wait_tensor"), {AAMT_TAG_TENSOR, tensor_handle}, status));
  CHECK(status > 0 && to_floats(tensor_handle, 3)[2] == 3);
  CHECK(aamt_free(tensor_handle) == 0);
  CHECK(aamt_group_close() == 0 && aamt_group_close() == 0 && read() == AAMT_ERR_ARGUMENT);
}

}  // namespace driver
