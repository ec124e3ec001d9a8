// What the exports do with right and wrong arguments, one thread, no chance.
#include "driver.h"

namespace driver {

void operators() {
  int32_t status;
  double a = from_floats({1, 2, 3, 4, 5, 6}, {2, 3});
  double b = from_floats({10, 20, 30}, {3});
  double sum = tensor(find("aten::add", "Tensor"), {AAMT_TAG_TENSOR, a, AAMT_TAG_TENSOR, b});
  CHECK((to_floats(sum, 6) == std::vector<float>{11, 22, 33, 14, 25, 36}));
  CHECK(find("aten::add", "Tensor") == find("aten::add", "Tensor"));

  // Lists in and out, also beyond the caller's buffer.
  double joined = tensor(find("aten::cat"), {AAMT_TAG_TENSOR_LIST, 2, a, sum, AAMT_TAG_INT, 0});
  auto parts = call(find("aten::split", "Tensor"), {AAMT_TAG_TENSOR, joined, AAMT_TAG_INT, 1}, status, "", 4);
  CHECK(status == 10 && parts.size() == 10 && parts[0] == AAMT_TAG_TENSOR_LIST && parts[1] == 4);
  free_results(parts);
  // Results that nobody fetches are freed when others take their place.
  std::vector<double> narrow(4);
  std::vector<double> split{AAMT_TAG_TENSOR, joined, AAMT_TAG_INT, 1};
  double before = live();
  for (int i = 0; i < 3; i++)
    CHECK(aamt_op_call(find("aten::split", "Tensor"), split.data(), 4, nullptr, 0, narrow.data(), 4, 0) == 10);
  CHECK(live() == before + 4);
  CHECK(aamt_take_results(narrow.data(), 4) == AAMT_ERR_ARGUMENT);
  std::vector<double> wide(10);
  CHECK(aamt_take_results(wide.data(), 10) == 10);
  CHECK(aamt_take_results(wide.data(), 10) == 0);
  free_results(wide);
  CHECK(live() == before);

  // Text, optional tensors, defaults, enumerations, devices, discarded results.
  double divided = tensor(find("aten::div", "Tensor_mode"), {AAMT_TAG_TENSOR, a, AAMT_TAG_TENSOR, b, AAMT_TAG_STRING, 2, 5}, "??floor");
  double sizes[1] = {2};
  double rows;
  const int64_t picked[2] = {1, 0};
  CHECK(aamt_from_host(reinterpret_cast<const uint8_t*>(picked), 16, 4, sizes, 1, 0, &rows) == 0);
  double indexed = tensor(find("aten::index", "Tensor"), {AAMT_TAG_TENSOR, a, AAMT_TAG_OPTIONAL_TENSOR_LIST, 2, 0, rows});
  double ones = tensor(find("aten::ones"), {AAMT_TAG_INT_LIST, 2, 2, 2, AAMT_TAG_INT, 7, AAMT_TAG_NONE, AAMT_TAG_DEVICE, 0, -1});
  double scaled = tensor(find("aten::add", "Tensor"), {AAMT_TAG_TENSOR, a, AAMT_TAG_TENSOR, a, AAMT_TAG_DEFAULT});
  std::vector<double> in_place{AAMT_TAG_TENSOR, a, AAMT_TAG_TENSOR, b};
  CHECK(aamt_op_call(find("aten::add_", "Tensor"), in_place.data(), 4, nullptr, 0, nullptr, 0, 1) == 0);
  auto tuple = call(find("aten::max", "dim"), {AAMT_TAG_TENSOR, a, AAMT_TAG_INT, 1}, status);
  CHECK(status == 6);
  free_results(tuple);
  auto lists = call(find("aten::_foreach_add", "Scalar"), {AAMT_TAG_TENSOR_LIST, 2, a, b, AAMT_TAG_DOUBLE, 1.5}, status);
  CHECK(status == 6);
  free_results(lists);

  // Metadata, values, views.
  double meta[64];
  CHECK(aamt_meta(a, meta, 64) == 12 && meta[3] == 2 && meta[4] == 6 && meta[5] == 24 && meta[8] == 2 && meta[10] == 3);
  CHECK(aamt_meta(a, meta, 3) == 12);
  double item[2];
  CHECK(aamt_item(a, item) < 0);
  double total = tensor(find("aten::sum"), {AAMT_TAG_TENSOR, b});
  CHECK(aamt_item(total, item) == 0 && item[0] == 60 && item[1] == AAMT_TAG_DOUBLE);
  double view[3];
  CHECK(aamt_view(b, view) == 0 && view[1] == 12);
  CHECK(aamt_free(b) == 0);
  CHECK(*reinterpret_cast<const float*>(static_cast<uintptr_t>(view[0])) == 10);
  for (double handle : {a, sum, joined, divided, rows, indexed, ones, scaled, total, view[2]}) CHECK(aamt_free(handle) == 0);

  // The library's own texts.
  std::string info(4096, '\0');
  CHECK(aamt_abi() == AAMT_ABI);
  int32_t length = aamt_build_info(reinterpret_cast<uint8_t*>(info.data()), 4096);
  CHECK(length > 0 && info[0] == '{' && aamt_build_info(reinterpret_cast<uint8_t*>(info.data()), 5) == length);
  CHECK(aamt_all_schemas(nullptr, 0) > 100000);
  CHECK(aamt_op_schema(find("aten::add", "Tensor"), reinterpret_cast<uint8_t*>(info.data()), 10) > 10);
}

void handles() {
  double a = from_floats({1}, {1});
  double copy;
  CHECK(aamt_clone_handle(a, &copy) == 0 && copy != a);
  CHECK(aamt_free(a) == 0);
  CHECK(aamt_free(a) == AAMT_ERR_HANDLE && last_error() == "the tensor was disposed already");
  double meta[64];
  CHECK(aamt_meta(a, meta, 64) == AAMT_ERR_HANDLE);
  // The slot is used again, but the old handle does not come back to life.
  double next = from_floats({2}, {1});
  CHECK(next != a && aamt_meta(a, meta, 64) == AAMT_ERR_HANDLE);
  double before = live();
  aamt_collect(nullptr, reinterpret_cast<void*>(static_cast<uintptr_t>(a)));
  CHECK(live() == before);
  aamt_collect(nullptr, reinterpret_cast<void*>(static_cast<uintptr_t>(next)));
  CHECK(live() == before - 1 && aamt_free(next) == AAMT_ERR_HANDLE);
  // The collector says nothing, so the text of an error survives until it is read.
  CHECK(aamt_free(a) == AAMT_ERR_HANDLE);
  aamt_collect(nullptr, reinterpret_cast<void*>(static_cast<uintptr_t>(12345)));
  CHECK(last_error() == "the tensor was disposed already");

  double some[3] = {from_floats({1}, {1}), 77, from_floats({1}, {1})};
  CHECK(aamt_free_many(some, 3) == AAMT_ERR_HANDLE && aamt_free(some[0]) == AAMT_ERR_HANDLE && aamt_free(some[2]) == 0);
  CHECK(aamt_free(0) == AAMT_ERR_HANDLE && last_error() == "not a tensor handle");

  // Invented ones: none names the single living tensor unless it equals its handle.
  Random random{1};
  before = live();
  for (int i = 0; i < 200000; i++) {
    double invented = random.below(2) ? random.any_double() : copy + static_cast<double>(random.below(2000000) - 1000000) + random.below(2) * 0.5;
    if (invented == copy) continue;
    CHECK(aamt_free(invented) == AAMT_ERR_HANDLE);
    CHECK(aamt_generator_free(invented) == AAMT_ERR_HANDLE);
    if (i % 10 == 0) {
      CHECK(aamt_meta(invented, meta, 64) == AAMT_ERR_HANDLE);
      CHECK(aamt_clone_handle(invented, meta) == AAMT_ERR_HANDLE);
      aamt_collect(nullptr, reinterpret_cast<void*>(static_cast<uintptr_t>(random.next())));
    }
  }
  CHECK(live() == before && aamt_free(copy) == 0);
}

// Missing buffers, wrong lengths, wrong enumerations: errors, and nothing is kept.
void arguments() {
  double a = from_floats({1, 2}, {2});
  double out[64];
  uint8_t bytes[64] = {};
  double sizes[2] = {2, 2};
  double endless[3] = {4294967296.0, 4294967296.0, 4294967296.0};
  int32_t add = find("aten::add", "Tensor");
  double before = live();
  int32_t results[] = {
      aamt_free(NAN), aamt_free_many(nullptr, 1), aamt_free_many(out, -1), aamt_clone_handle(a, nullptr), aamt_live_handles(nullptr),
      aamt_last_error(nullptr, 10, 0), aamt_build_info(nullptr, 10), aamt_op_find(nullptr, 5, nullptr, 0), aamt_op_find(bytes, -1, bytes, 0),
      aamt_op_find(bytes, 4, bytes, 4), aamt_op_schema(-1, bytes, 64), aamt_op_schema(1 << 30, bytes, 64), aamt_op_schema(add, nullptr, 64),
      aamt_all_schemas(nullptr, 10), aamt_op_call(add, nullptr, 4, nullptr, 0, out, 64, 0), aamt_op_call(add, out, -4, nullptr, 0, out, 64, 0),
      aamt_op_call(add, out, 0, nullptr, 7, out, 64, 0), aamt_op_call(add, out, 0, nullptr, 0, nullptr, 64, 0), aamt_op_call(-1, out, 0, nullptr, 0, out, 64, 0),
      aamt_op_call(1 << 29, out, 0, nullptr, 0, out, 64, 0), aamt_op_call(add, out, 0, nullptr, 0, out, 64, 0),
      aamt_meta(a, nullptr, 64), aamt_from_host(bytes, 16, 6, sizes, 2, 0, nullptr), aamt_from_host(nullptr, 16, 6, sizes, 2, 0, out),
      aamt_from_host(bytes, 16, 6, nullptr, 2, 0, out), aamt_from_host(bytes, 15, 6, sizes, 2, 0, out), aamt_from_host(bytes, 16, -1, sizes, 2, 0, out),
      aamt_from_host(bytes, 16, 1000, sizes, 2, 0, out), aamt_from_host(bytes, 16, 6, sizes, -2, 0, out), aamt_from_host(bytes, 16, 6, sizes, 2000000000, 0, out),
      aamt_from_host(bytes, NAN, 6, sizes, 2, 0, out), aamt_from_host(bytes, -16, 6, sizes, 2, 0, out), aamt_from_host(bytes, INFINITY, 6, sizes, 2, 0, out),
      aamt_from_host(bytes, 16, 6, endless, 3, 0, out), aamt_from_host(bytes, INFINITY, 6, endless, 3, 0, out), aamt_from_host(bytes, 16, 6, sizes, 2, 1, out),
      aamt_to_host(a, nullptr, 8), aamt_to_host(a, bytes, 4), aamt_to_host(a, bytes, NAN), aamt_fill_from_host(a, nullptr, 8),
      aamt_fill_from_host(a, bytes, 64), aamt_item(a, nullptr), aamt_item(a, out), aamt_view(a, nullptr), aamt_set_requires_grad(NAN, 1),
      aamt_grad(a, nullptr), aamt_grad(5, out), aamt_set_grad(a, 5), aamt_backward(nullptr, nullptr, 1, 0, 0, nullptr, 0),
      aamt_backward(&a, out, -1, 0, 0, nullptr, 0), aamt_autograd_grad(&a, out, 1, &a, 1, 0, 0, 0, nullptr), aamt_inference_mode_pop(),
      aamt_autocast(0, 1, 15, 1, 1, nullptr), aamt_autocast(-5, 1, 15, 1, 1, out), aamt_autocast(0, 1, 999, 1, 1, out), aamt_autocast(99, 1, 15, 1, 1, out),
      aamt_manual_seed(NAN), aamt_manual_seed(0.5), aamt_manual_seed(1e300), aamt_generator(0, 0, 1, nullptr), aamt_generator(-1, 0, 0, out),
      aamt_generator(99, 0, 0, out), aamt_generator(0, 200, 0, out), aamt_generator(1, 0, 0, out), aamt_generator_free(a), aamt_generator_seed(3, 1),
      aamt_generator_initial_seed(3, out), aamt_generator_state(3, out), aamt_generator_set_state(3, a), aamt_sdp_kernel(9, 1), aamt_accelerator(nullptr),
      aamt_device_memory(0, nullptr), aamt_cpu_memory(nullptr), aamt_cpu_cache_limit(-1), aamt_cpu_cache_limit(NAN), aamt_cpu_cache_limit(1e300),
      aamt_take_results(nullptr, -1)};
  int number = 0;
  for (int32_t status : results) {
    if (status >= 0) std::fprintf(stderr, "wrong call %d was let pass (%d)\n", number, status);
    CHECK(status < 0);
    number++;
  }
  CHECK(live() == before);

  // Too few and too many values, and values of the wrong kind, for an operator that takes
  // two tensors and a number.
  int32_t status;
  const std::vector<double> wrong[] = {{AAMT_TAG_TENSOR}, {AAMT_TAG_TENSOR, a}, {AAMT_TAG_TENSOR, a, AAMT_TAG_NONE}, {AAMT_TAG_TENSOR, a, AAMT_TAG_TENSOR, 0},
      {AAMT_TAG_TENSOR, a, AAMT_TAG_TENSOR, a, AAMT_TAG_INT, 1, AAMT_TAG_INT, 1}, {AAMT_TAG_TENSOR, a, AAMT_TAG_TENSOR, a, AAMT_TAG_INT, 1, AAMT_TAG_DEFAULT},
      {AAMT_TAG_TENSOR, a, AAMT_TAG_INT_LIST, 2, 1, 1}, {AAMT_TAG_TENSOR, a, AAMT_TAG_TENSOR, a, AAMT_TAG_INT, 0.5}, {AAMT_TAG_TENSOR, a, AAMT_TAG_TENSOR, a, AAMT_TAG_STRING, 0, 1},
      {AAMT_TAG_TENSOR, a, AAMT_TAG_TENSOR_LIST, 9007199254740992.0, a}, {AAMT_TAG_TENSOR, a, AAMT_TAG_TENSOR_LIST, -1}, {99}, {NAN}, {0.5}, {AAMT_TAG_DEFAULT},
      {AAMT_TAG_TENSOR, a, AAMT_TAG_STRING, 9007199254740992.0, 9007199254740992.0}, {AAMT_TAG_TENSOR, a, AAMT_TAG_DEVICE, 99, 0}, {AAMT_TAG_TENSOR, a, AAMT_TAG_GENERATOR, a}};
  for (const auto& packing : wrong) {
    call(add, packing, status);
    CHECK(status < 0 && !last_error().empty());
  }
  // Enumerations that LibTorch would trust.
  const std::vector<double> dtypes[] = {{AAMT_TAG_INT_LIST, 1, 2, AAMT_TAG_INT, 200}, {AAMT_TAG_INT_LIST, 1, 2, AAMT_TAG_INT, -1},
      {AAMT_TAG_INT_LIST, 1, 2, AAMT_TAG_INT, 6, AAMT_TAG_INT, 77}, {AAMT_TAG_INT_LIST, 1, 2, AAMT_TAG_INT, 6, AAMT_TAG_INT, -3}};
  for (const auto& packing : dtypes) {
    call(find("aten::ones"), packing, status);
    CHECK(status < 0);
  }
  call(find("aten::empty", "memory_format"), {AAMT_TAG_INT_LIST, 1, 2, AAMT_TAG_INT, 6, AAMT_TAG_NONE, AAMT_TAG_NONE, AAMT_TAG_NONE, AAMT_TAG_INT, 50}, status);
  CHECK(status < 0);
  call(find("aten::ones"), {AAMT_TAG_INT_LIST, 1, 1099511627776.0 * 64}, status);
  CHECK(status == AAMT_ERR_OUT_OF_MEMORY);
  CHECK(find("aten::no_such_operator") == AAMT_ERR_NOT_IMPLEMENTED);
  CHECK(!last_error(1).empty());
  CHECK(live() == before && aamt_free(a) == 0);
}

void autograd() {
  double weight = from_floats({1, 2, 3}, {3});
  CHECK(aamt_set_requires_grad(weight, 1) == 0);
  int32_t multiply = find("aten::mul", "Tensor");
  int32_t sum = find("aten::sum");
  double square = tensor(multiply, {AAMT_TAG_TENSOR, weight, AAMT_TAG_TENSOR, weight});
  double loss = tensor(sum, {AAMT_TAG_TENSOR, square});
  double none = 0;
  double gradient;
  CHECK(aamt_grad(weight, &gradient) == 0 && gradient == 0);
  CHECK(aamt_backward(&loss, &none, 1, 1, 0, nullptr, 0) == 0);
  CHECK(aamt_backward(&loss, &none, 1, 0, 0, &weight, 1) == 0);
  CHECK(aamt_backward(&loss, &none, 1, 0, 0, nullptr, 0) < 0);  // the graph is gone
  CHECK(aamt_grad(weight, &gradient) == 0);
  CHECK((to_floats(gradient, 3) == std::vector<float>{4, 8, 12}));
  CHECK(aamt_set_grad(weight, loss) == AAMT_ERR_VALUE);
  CHECK(aamt_set_grad(weight, 0) == 0 && aamt_set_grad(weight, gradient) == 0);
  CHECK(aamt_set_requires_grad(square, 0) < 0);  // no leaf

  double again = tensor(multiply, {AAMT_TAG_TENSOR, weight, AAMT_TAG_TENSOR, weight});
  double total = tensor(sum, {AAMT_TAG_TENSOR, again});
  double found[2];
  double inputs[2] = {weight, gradient};
  // `gradient` does not require one
  CHECK(aamt_autograd_grad(&total, &none, 1, inputs, 2, 1, 1, 1, found) < 0);
  CHECK(aamt_autograd_grad(&total, &none, 1, inputs, 1, 1, 1, 0, found) == 1);
  double second = tensor(sum, {AAMT_TAG_TENSOR, found[0]});
  CHECK(aamt_backward(&second, &none, 1, 0, 0, nullptr, 0) == 0);
  CHECK(aamt_backward(&gradient, &none, 1, 0, 0, nullptr, 0) < 0);

  CHECK(aamt_grad_enabled() == 1 && aamt_set_grad_enabled(0) == 0 && aamt_grad_enabled() == 0 && aamt_set_grad_enabled(1) == 0);
  CHECK(aamt_inference_mode_push(1) == 0);
  double inferred = tensor(multiply, {AAMT_TAG_TENSOR, weight, AAMT_TAG_TENSOR, weight});
  CHECK(aamt_inference_mode_pop() == 0 && aamt_inference_mode_pop() == AAMT_ERR_ARGUMENT);
  CHECK(aamt_set_requires_grad(inferred, 1) < 0);
  double outside = 0;
  int32_t status;
  // saved for backward: refused
  auto refused = call(multiply, {AAMT_TAG_TENSOR, inferred, AAMT_TAG_TENSOR, weight}, status);
  if (status > 0) outside = refused[1];

  double previous[3];
  CHECK(aamt_autocast(0, 1, 15, 1, 1, previous) == 0 && previous[0] == 0);
  double matrix = from_floats({1, 2, 3, 4}, {2, 2});
  double product = tensor(find("aten::mm"), {AAMT_TAG_TENSOR, matrix, AAMT_TAG_TENSOR, matrix});
  double meta[64];
  CHECK(aamt_meta(product, meta, 64) > 0 && meta[0] == 15);
  CHECK(aamt_autocast(0, 0, static_cast<int32_t>(previous[1]), 1, 0, previous) == 0);
  CHECK(aamt_anomaly_mode(1, 1) == 0 && aamt_anomaly_mode(0, 1) == 0);
  for (double handle : {weight, square, loss, gradient, again, total, found[0], second, inferred, matrix, product}) CHECK(aamt_free(handle) == 0);
  if (outside != 0) CHECK(aamt_free(outside) == 0);
}

void random_numbers() {
  double generator;
  CHECK(aamt_generator(0, 0, 0, &generator) == 0 && aamt_generator_seed(generator, 42) == 0);
  double seed;
  CHECK(aamt_generator_initial_seed(generator, &seed) == 0 && seed == 42);
  double state;
  CHECK(aamt_generator_state(generator, &state) == 0);
  int32_t rand = find("aten::rand", "generator");
  double first = tensor(rand, {AAMT_TAG_INT_LIST, 1, 5, AAMT_TAG_GENERATOR, generator});
  CHECK(aamt_generator_set_state(generator, state) == 0);
  double second = tensor(rand, {AAMT_TAG_INT_LIST, 1, 5, AAMT_TAG_GENERATOR, generator});
  CHECK(to_floats(first, 5) == to_floats(second, 5));
  CHECK(aamt_generator_set_state(generator, first) < 0);
  CHECK(aamt_manual_seed(7) == 0 && aamt_generator_free(generator) == 0);
  CHECK(aamt_generator_free(generator) == AAMT_ERR_HANDLE && last_error() == "the generator was disposed already");
  int32_t status;
  call(rand, {AAMT_TAG_INT_LIST, 1, 5, AAMT_TAG_GENERATOR, generator}, status);
  CHECK(status == AAMT_ERR_HANDLE);
  double shared;
  CHECK(aamt_generator(0, 0, 1, &shared) == 0 && aamt_generator_free(shared) == 0);
  for (double handle : {state, first, second}) CHECK(aamt_free(handle) == 0);
}

}  // namespace driver
