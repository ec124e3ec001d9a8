// Random packings, and the handle table and the allocator under several threads.
#include <atomic>
#include <thread>
#include "driver.h"

namespace driver {
namespace {

struct Case {
  int32_t op;
  std::vector<double> packing;
};

// Valid calls of every kind of argument, from which the random ones are made.
std::vector<Case> valid_calls(double a, double b, double images, double index, double generator) {
  auto op = [](const char* name, const char* overload = "") {
    int32_t number = find(name, overload);
    CHECK(number >= 0);
    return number;
  };
  const double T = AAMT_TAG_TENSOR;
  const double I = AAMT_TAG_INT;
  const double L = AAMT_TAG_INT_LIST;
  return {
      {op("aten::add", "Tensor"), {T, a, T, b, I, 1}},
      {op("aten::mul", "Scalar"), {T, a, AAMT_TAG_DOUBLE, 2.5}},
      {op("aten::cat"), {AAMT_TAG_TENSOR_LIST, 2, a, a, I, 0}},
      {op("aten::stack"), {AAMT_TAG_TENSOR_LIST, 3, a, a, a, I, 0}},
      {op("aten::split", "Tensor"), {T, a, I, 1, I, 0}},
      {op("aten::reshape"), {T, a, L, 2, 3, 4}},
      {op("aten::permute"), {T, a, L, 2, 1, 0}},
      {op("aten::index", "Tensor"), {T, a, AAMT_TAG_OPTIONAL_TENSOR_LIST, 2, 0, index}},
      {op("aten::index_select"), {T, a, I, 0, T, index}},
      {op("aten::sum", "dim_IntList"), {T, a, L, 1, 1, AAMT_TAG_BOOL, 1, I, 7}},
      {op("aten::softmax", "int"), {T, a, I, 1, AAMT_TAG_NONE}},
      {op("aten::layer_norm"), {T, a, L, 1, 3, AAMT_TAG_NONE, AAMT_TAG_NONE, AAMT_TAG_DOUBLE, 1e-5, AAMT_TAG_BOOL, 1}},
      {op("aten::div", "Tensor_mode"), {T, a, T, b, AAMT_TAG_STRING, 0, 5}},
      {op("aten::ones"), {L, 2, 2, 2, I, 6, I, 0, AAMT_TAG_DEVICE, 0, -1, AAMT_TAG_BOOL, 0}},
      {op("aten::full"), {L, 1, 3, AAMT_TAG_DOUBLE, 1, I, 6}},
      {op("aten::rand", "generator"), {L, 1, 5, AAMT_TAG_GENERATOR, generator}},
      {op("aten::to", "dtype"), {T, a, I, 7, AAMT_TAG_BOOL, 0, AAMT_TAG_BOOL, 1, I, 0}},
      {op("aten::clamp"), {T, a, AAMT_TAG_DOUBLE, 0, AAMT_TAG_NONE}},
      {op("aten::topk"), {T, a, I, 1, I, 1, AAMT_TAG_BOOL, 1, AAMT_TAG_BOOL, 1}},
      {op("aten::lerp", "Tensor"), {T, a, T, a, T, b}},
      {op("aten::_foreach_add", "ScalarList"), {AAMT_TAG_TENSOR_LIST, 2, a, b, AAMT_TAG_SCALAR_LIST, 2, I, 1, AAMT_TAG_DOUBLE, 2.5}},
      {op("aten::upsample_nearest1d", "vec"), {T, images, AAMT_TAG_NONE, AAMT_TAG_DOUBLE_LIST, 1, 2.0}},
      {op("aten::einsum"), {AAMT_TAG_STRING, 5, 9, AAMT_TAG_TENSOR_LIST, 2, a, a}},
      {op("aten::size", "int"), {T, a, I, 0}},
  };
}

// Numbers that are as wrong as any but do not ask for gigabytes of memory or for minutes of work.
double harmless(Random& random) {
  double value = random.any_double();
  bool large = std::fabs(value) > 64 && std::fabs(value) < 1e15;
  return large ? static_cast<double>(random.below(80) - 8) : value;
}

}  // namespace

void packings(int effort) {
  double a = from_floats({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, {4, 3});
  double b = from_floats({1, 2, 3}, {3});
  double images = from_floats({1, 2, 3, 4}, {1, 2, 2});
  const int64_t rows[2] = {2, 0};
  double sizes[1] = {2};
  double index;
  CHECK(aamt_from_host(reinterpret_cast<const uint8_t*>(rows), 16, 4, sizes, 1, 0, &index) == 0);
  double generator;
  CHECK(aamt_generator(0, 0, 0, &generator) == 0);
  const std::string text = "floorij,kj->ik";
  const auto valid = valid_calls(a, b, images, index, generator);
  Random random{2};
  double before = live();
  long succeeded = 0;
  long refused = 0;
  auto attempt = [&](int32_t op, const std::vector<double>& packing) {
    int32_t status;
    auto results = call(op, packing, status, text, random.below(2) ? 64 : random.below(4));
    free_results(results);
    (status < 0 ? refused : succeeded)++;
  };
  for (const auto& one : valid) attempt(one.op, one.packing);
  if (succeeded != static_cast<long>(valid.size())) std::fprintf(stderr, "%s\n", last_error().c_str());
  CHECK(succeeded == static_cast<long>(valid.size()));
  for (int i = 0; i < 100000 * effort; i++) {
    const Case& base = valid[random.below(static_cast<int>(valid.size()))];
    std::vector<double> packing = base.packing;
    int kind = random.below(10);
    if (kind == 0) {  // nothing but chance
      packing.resize(random.below(12));
      for (auto& value : packing) value = harmless(random);
    } else if (kind == 1) {
      packing.resize(random.below(static_cast<int>(packing.size()) + 1));
    } else if (kind == 2) {  // another operator's arguments
      packing = valid[random.below(static_cast<int>(valid.size()))].packing;
    } else {
      for (int changes = 1 + random.below(3); changes > 0; changes--) {
        size_t at = random.below(static_cast<int>(packing.size()));
        if (random.below(4) == 0) packing.insert(packing.begin() + at, harmless(random));
        else packing[at] = random.below(3) == 0 ? random.below(16) : harmless(random);
      }
    }
    attempt(base.op, packing);
  }
  CHECK(live() == before);
  std::printf("packings: %ld succeeded, %ld refused\n", succeeded, refused);
  for (double handle : {a, b, images, index}) CHECK(aamt_free(handle) == 0);
  CHECK(aamt_generator_free(generator) == 0);
}

void threads(int effort) {
  // Four threads make, look up and free tensors whose handles all of them know: every lookup finds the tensor
  // or says that it is gone, every tensor is freed exactly once, by whoever comes first.
  constexpr int kShared = 64;
  std::atomic<double> shared[kShared] = {};
  std::atomic<long> made{0};
  std::atomic<long> freed{0};
  auto work = [&](uint64_t seed) {
    Random random{seed};
    [[maybe_unused]] int32_t add = find("aten::add", "Tensor");
    for (int i = 0; i < 40000 * effort; i++) {
      auto& place = shared[random.below(kShared)];
      double handle = place.load();
      double meta[64];
      [[maybe_unused]] double copy;
      switch (random.below(6)) {
        case 0: {
          double fresh = from_floats({1, 2, 3}, {3});
          made++;
          double old = place.exchange(fresh);
          if (old != 0 && aamt_free(old) == 0) freed++;
          break;
        }
        case 1:
          if (handle != 0 && aamt_free(handle) == 0) freed++;
          break;
        case 2: {  // what the garbage collector does
          double before = 0;
          if (handle != 0 && aamt_clone_handle(handle, &before) == 0) {
            made++;
            aamt_collect(nullptr, reinterpret_cast<void*>(static_cast<uintptr_t>(before)));
            freed++;
          }
          break;
        }
        case 3:
        default: {
          int32_t status = aamt_meta(handle, meta, 64);
          CHECK(status == AAMT_ERR_HANDLE || (status == 10 && meta[4] == 3));
          break;
        }
#ifndef __SANITIZE_THREAD__
        // Not for the thread sanitizer: LibTorch, which it does not watch, lowers reference counts here.
        case 4:
          if (aamt_clone_handle(handle, &copy) == 0) {
            made++;
            CHECK((to_floats(copy, 3) == std::vector<float>{1, 2, 3}));
            CHECK(aamt_free(copy) == 0);
            freed++;
          }
          break;
        case 5: {
          int32_t status;
          auto results = call(add, {AAMT_TAG_TENSOR, handle, AAMT_TAG_TENSOR, handle}, status);
          CHECK(status == 3 || status == AAMT_ERR_HANDLE);
          free_results(results);
          break;
        }
#endif
      }
    }
  };
  std::vector<std::thread> all;
  for (uint64_t seed = 1; seed <= 4; seed++) all.emplace_back(work, seed);
  for (auto& thread : all) thread.join();
  for (auto& place : shared)
    if (place.load() != 0 && aamt_free(place.load()) == 0) freed++;
  CHECK(made.load() == freed.load());

  // Operators found while others call them; errors belong to their thread.
  static const char* const names[] = {"aten::sin", "aten::cos", "aten::exp", "aten::abs", "aten::neg", "aten::relu", "aten::sqrt", "aten::tanh",
                                      "aten::ceil", "aten::floor", "aten::round", "aten::sign", "aten::erf", "aten::log1p", "aten::expm1", "aten::rsqrt"};
  all.clear();
  for (uint64_t seed = 1; seed <= 4; seed++) {
    all.emplace_back([seed] {
      Random random{seed};
      double a = from_floats({1, 2, 3}, {3});
      for (int i = 0; i < 2000; i++) {
        CHECK(aamt_free(tensor(find(names[random.below(16)]), {AAMT_TAG_TENSOR, a})) == 0);
        std::string missing = "aten::missing_" + std::to_string(seed);
        CHECK(find(missing) == AAMT_ERR_NOT_IMPLEMENTED && last_error().find(missing) != std::string::npos);
      }
      CHECK(aamt_free(a) == 0);
    });
  }
  for (auto& thread : all) thread.join();
}

void allocator(int effort) {
  double memory[4];
  CHECK(aamt_cpu_empty_cache() == 0 && aamt_cpu_memory(memory) == 0);
  double allocated = memory[0];
  double limit = memory[3];
  CHECK(memory[2] == 0 && limit > 0);

  // Every size around the borders of the classes; what is written is what is read.
  int32_t empty = find("aten::empty", "memory_format");
  int32_t fill = find("aten::fill_", "Scalar");
  auto make = [&](double bytes) { return tensor(empty, {AAMT_TAG_INT_LIST, 1, bytes, AAMT_TAG_INT, 0}); };
  for (int power = 0; power < 27; power++) {
    for (int step = 0; step < 8; step++) {
      for (int delta : {-65, -64, -63, -1, 0, 1}) {
        double base = static_cast<double>(int64_t{1} << power);
        double bytes = std::floor(base + base / 8 * step) + delta;
        if (bytes < 0) continue;
        double handle = make(bytes);
        double view[3];
        CHECK(aamt_view(handle, view) == 0 && view[1] == bytes);
        auto* data = reinterpret_cast<uint8_t*>(static_cast<uintptr_t>(view[0]));
        if (bytes > 0) {
          CHECK(reinterpret_cast<uintptr_t>(data) % 64 == 0);
          data[0] = 1;
          data[static_cast<size_t>(bytes) - 1] = 2;
        }
        CHECK(aamt_free(handle) == 0 && aamt_free(view[2]) == 0);
      }
    }
  }
  CHECK(aamt_cpu_memory(memory) == 0 && memory[0] == allocated && memory[2] > 0 && memory[2] <= limit && memory[1] >= memory[0]);

  // Too much is an error that says so, also while the cache holds something, which is then given back first.
  for (double bytes : {1e13, 9e15, 1099511627776.0 * 512}) {
    int32_t status;
    call(empty, {AAMT_TAG_INT_LIST, 1, bytes, AAMT_TAG_INT, 0}, status);
    CHECK(status == AAMT_ERR_OUT_OF_MEMORY);
  }
  CHECK(aamt_cpu_memory(memory) == 0 && memory[0] == allocated);

  // Four threads with tensors of their own that change hands, under a limit that changes too.
  std::atomic<double> shared[16] = {};
  auto work = [&](uint64_t seed) {
    Random random{seed};
    for (int i = 0; i < 3000 * effort; i++) {
      double bytes = static_cast<double>(random.below(random.below(10) == 0 ? 9000000 : 300000));
      double handle = make(bytes);
      int value = random.below(256);
      std::vector<double> packing{AAMT_TAG_TENSOR, handle, AAMT_TAG_INT, static_cast<double>(value)};
      CHECK(aamt_op_call(fill, packing.data(), 4, nullptr, 0, nullptr, 0, 1) == 0);
      std::vector<uint8_t> values(static_cast<size_t>(bytes));
      CHECK(aamt_to_host(handle, values.data(), bytes) == 0);
      CHECK(values == std::vector<uint8_t>(values.size(), static_cast<uint8_t>(value)));
      double old = shared[random.below(16)].exchange(handle);
      if (old != 0) CHECK(aamt_free(old) == 0);
      if (i % 50 == 0) CHECK(aamt_cpu_cache_limit(random.below(2) ? 0 : random.below(100000000)) == 0);
      if (i % 70 == 0) CHECK(aamt_cpu_empty_cache() == 0 && aamt_cpu_memory_reset_peak() == 0);
    }
  };
  std::vector<std::thread> all;
  for (uint64_t seed = 1; seed <= 4; seed++) all.emplace_back(work, seed);
  for (auto& thread : all) thread.join();
  for (auto& place : shared)
    if (place.load() != 0) CHECK(aamt_free(place.load()) == 0);
  CHECK(aamt_cpu_cache_limit(0) == 0 && aamt_cpu_memory(memory) == 0);
  CHECK(memory[0] == allocated && memory[2] == 0);
  CHECK(aamt_cpu_cache_limit(limit) == 0);
}

}  // namespace driver
