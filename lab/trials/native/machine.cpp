// Threads, switches and accelerators, with arguments that make sense and with those that do not.
#include "driver.h"

namespace driver {

void machine() {
  CHECK(aamt_threads(1, 0) == 1 && aamt_threads(0, 0) == 1 && aamt_threads(-5, 0) == 1 && aamt_threads(0, 1) >= 1);
  // LibTorch lets this be said once, before the first parallel work.
  int32_t first = aamt_set_interop_threads(1);
  CHECK(first == 1 || first < 0);
  CHECK(aamt_set_interop_threads(2) < 0 && !last_error().empty() && aamt_set_interop_threads(-3) < 0);

  for (int32_t on : {1, 0}) {
    CHECK(aamt_deterministic(on, 0) == on && aamt_deterministic(-1, 0) == on);
    CHECK(aamt_cudnn_tf32(on) == on && aamt_cudnn_tf32(-1) == on);
    CHECK(aamt_flush_denormal(on) >= 0);
  }
  for (int32_t precision : {2, 1, 0}) CHECK(aamt_float32_matmul_precision(precision) == precision);
  CHECK(aamt_float32_matmul_precision(99) == 0 && aamt_float32_matmul_precision(-1) == 0);
  for (int32_t kernel = 0; kernel < 4; kernel++) {
    int32_t before = aamt_sdp_kernel(kernel, -1);
    CHECK(aamt_sdp_kernel(kernel, 0) == 0 && aamt_sdp_kernel(kernel, 1) == 1 && aamt_sdp_kernel(kernel, before) == before);
  }
  CHECK(aamt_sdp_kernel(4, -1) < 0 && aamt_sdp_kernel(-1, 1) < 0);

  // Without an accelerator every question about one is an error or does nothing; with one it is answered.
  double count = -1;
  int32_t type = aamt_accelerator(&count);
  CHECK(type >= 0 && count >= 0 && (type == 0) == (count == 0) && aamt_accelerator(nullptr) < 0);
  double memory[6];
  for (int32_t device : {0, -1, 77, INT32_MAX, INT32_MIN}) {
    bool exists = device >= 0 && device < count;
    int32_t waited = aamt_synchronize(device);
    int32_t reset = aamt_reset_peak_memory(device);
    int32_t told = aamt_device_memory(device, memory);
    if (exists) CHECK(waited == 0 && reset == 0 && told >= 0);
    CHECK(aamt_device_memory(device, nullptr) < 0 || count == 0);
  }
  int32_t current = aamt_device_index(-1);
  CHECK(count == 0 || (current >= 0 && current < count));
  CHECK(count > 0 || aamt_device_index(3) < 0 || aamt_device_index(-1) <= 0);
  CHECK(aamt_empty_cache() >= 0 || count == 0);

  // The node of the graph behind a tensor, cut to the room there is.
  double x = from_floats({1, 2}, {2});
  CHECK(aamt_grad_fn(x, nullptr, 0) == 0 && aamt_set_requires_grad(x, 1) == 0);
  double twice = tensor(find("aten::mul", "Scalar"), {AAMT_TAG_TENSOR, x, AAMT_TAG_INT, 2});
  char name[4] = {'?', '?', '?', '?'};
  int32_t length = aamt_grad_fn(twice, reinterpret_cast<uint8_t*>(name), 3);
  CHECK(length == 12 && std::memcmp(name, "Mul?", 4) == 0);
  CHECK(aamt_free(twice) == 0 && aamt_grad_fn(twice, reinterpret_cast<uint8_t*>(name), 3) == AAMT_ERR_HANDLE);

  // The collector frees by number: once, and never what is not there.
  auto collect = reinterpret_cast<void (*)(void*, void*)>(aamt_collect_address());
  CHECK(collect == &aamt_collect);
  double before = live();
  void* handle = reinterpret_cast<void*>(static_cast<uintptr_t>(x));
  collect(nullptr, handle);
  collect(nullptr, handle);
  collect(nullptr, nullptr);
  CHECK(live() == before - 1);
}

}  // namespace driver
