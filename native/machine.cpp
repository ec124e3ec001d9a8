// Threads, random numbers, determinism and accelerators. Only device-agnostic interfaces are used, so that no
// CUDA header is needed to build.
#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <torch/version.h>
#include "internal.h"

using namespace aamt;

#ifndef AAM_TORCH_SOURCE_HASH
#define AAM_TORCH_SOURCE_HASH "unknown"
#endif
#ifndef AAM_TORCH_BUILD_VERSION
#define AAM_TORCH_BUILD_VERSION TORCH_VERSION
#endif

int32_t aamt_abi(void) { return AAMT_ABI; }

int32_t aamt_build_info(uint8_t* text, int32_t capacity) {
  AAMT_GUARD({
    std::string json = std::string("{\"compiled\":\"") + TORCH_VERSION + "\",\"libtorch\":\"" + AAM_TORCH_BUILD_VERSION +
                       "\",\"sourceHash\":\"" + AAM_TORCH_SOURCE_HASH + "\",\"cuda\":" + (at::hasCUDA() ? "true" : "false") +
                       ",\"mkldnn\":" + (at::hasMKLDNN() ? "true" : "false") + ",\"mkl\":" + (at::hasMKL() ? "true" : "false") +
                       ",\"parallel\":\"" + (at::get_parallel_info().find("OpenMP") != std::string::npos ? "OpenMP" : "native") +
                       "\",\"cpu\":\"" + at::get_cpu_capability() + "\"}";
    return copy_text(json, text, capacity);
  })
}

// ---- threads and switches ----

int32_t aamt_threads(int32_t count, int32_t interop) {
  AAMT_GUARD({
    if (interop) return static_cast<int32_t>(at::get_num_interop_threads());
    if (count > 0) at::set_num_threads(count);
    return static_cast<int32_t>(at::get_num_threads());
  })
}

int32_t aamt_set_interop_threads(int32_t count) {
  AAMT_GUARD(at::set_num_interop_threads(count); return count;)
}

int32_t aamt_deterministic(int32_t on, int32_t warn_only) {
  AAMT_GUARD(if (on >= 0) {
    at::globalContext().setDeterministicAlgorithms(on != 0, warn_only != 0);
    at::globalContext().setDeterministicCuDNN(on != 0);
  } return at::globalContext().deterministicAlgorithms() ? 1 : 0;)
}

int32_t aamt_flush_denormal(int32_t on) {
  AAMT_GUARD(return at::globalContext().setFlushDenormal(on != 0) ? 1 : 0;)
}

int32_t aamt_float32_matmul_precision(int32_t precision) {
  AAMT_GUARD({
    static const char* names[] = {"highest", "high", "medium"};
    if (precision >= 0 && precision <= 2) at::globalContext().setFloat32MatmulPrecision(names[precision]);
    return static_cast<int32_t>(at::globalContext().float32MatmulPrecision());
  })
}

int32_t aamt_cudnn_tf32(int32_t on) {
  AAMT_GUARD(if (on >= 0) at::globalContext().setAllowTF32CuDNN(on != 0); return at::globalContext().allowTF32CuDNN() ? 1 : 0;)
}

int32_t aamt_sdp_kernel(int32_t kernel, int32_t on) {
  AAMT_GUARD({
    auto& context = at::globalContext();
    if (on >= 0) {
      if (kernel == 0) context.setSDPUseFlash(on != 0);
      else if (kernel == 1) context.setSDPUseMemEfficient(on != 0);
      else if (kernel == 2) context.setSDPUseMath(on != 0);
      else if (kernel == 3) context.setSDPUseCuDNN(on != 0);
    }
    if (kernel == 0) return context.userEnabledFlashSDP();
    if (kernel == 1) return context.userEnabledMemEfficientSDP();
    if (kernel == 2) return context.userEnabledMathSDP();
    if (kernel == 3) return context.userEnabledCuDNNSDP();
    throw ShimError(AAMT_ERR_ARGUMENT, "no such attention kernel");
  })
}

// ---- random numbers ----

int32_t aamt_manual_seed(double seed) {
  AAMT_GUARD(forbid_while_recording("manualSeed"); at::manual_seed(static_cast<uint64_t>(integer(seed))); return 0;)
}

int32_t aamt_generator(int32_t device_type, int32_t device_index, int32_t is_default, double* result) {
  AAMT_GUARD({
    need(result, 1);
    c10::Device device = device_of(device_type, device_index);
    auto& context = at::globalContext();
    if (is_default) {
      result[0] = keep_generator(context.defaultGenerator(device));
    } else if (device.is_cpu()) {
      result[0] = keep_generator(at::detail::createCPUGenerator());
    } else {
      result[0] = keep_generator(context.defaultGenerator(device).clone());
    }
    return 0;
  })
}

int32_t aamt_generator_seed(double generator, double seed) {
  AAMT_GUARD({
    forbid_while_recording("Generator.manualSeed");
    at::Generator g = generator_of(generator);
    std::lock_guard<std::mutex> guard(g.mutex());
    g.set_current_seed(static_cast<uint64_t>(integer(seed)));
    return 0;
  })
}

int32_t aamt_generator_initial_seed(double generator, double* result) {
  AAMT_GUARD(need(result, 1); result[0] = static_cast<double>(generator_of(generator).current_seed()); return 0;)
}

int32_t aamt_generator_state(double generator, double* result) {
  AAMT_GUARD({
    need(result, 1);
    at::Generator g = generator_of(generator);
    std::lock_guard<std::mutex> guard(g.mutex());
    result[0] = keep(g.get_state());
    return 0;
  })
}

int32_t aamt_generator_set_state(double generator, double state) {
  AAMT_GUARD({
    forbid_while_recording("Generator.setState");
    at::Generator g = generator_of(generator);
    at::Tensor saved = tensor_of(state);
    std::lock_guard<std::mutex> guard(g.mutex());
    g.set_state(saved);
    return 0;
  })
}

// ---- accelerators ----

int32_t aamt_accelerator(double* result) {
  AAMT_GUARD({
    need(result, 1);
    auto type = at::accelerator::getAccelerator(false);
    result[0] = type ? static_cast<double>(at::accelerator::deviceCount()) : 0;
    return type && result[0] > 0 ? static_cast<int32_t>(*type) : 0;
  })
}

namespace {
c10::DeviceIndex index_or_current(int32_t index) {
  if (index < 0) return at::accelerator::getDeviceIndex();
  if (index >= at::accelerator::deviceCount()) throw ShimError(AAMT_ERR_ARGUMENT, "no device of index " + std::to_string(index));
  return static_cast<c10::DeviceIndex>(index);
}
}  // namespace

int32_t aamt_synchronize(int32_t device_index) {
  AAMT_GUARD({
    if (!at::accelerator::getAccelerator(false) || at::accelerator::deviceCount() == 0) return 0;
    at::accelerator::synchronizeDevice(index_or_current(device_index));
    return 0;
  })
}

int32_t aamt_device_index(int32_t set) {
  AAMT_GUARD({
    if (!at::accelerator::getAccelerator(false) || at::accelerator::deviceCount() == 0) return 0;
    if (set >= 0) at::accelerator::setDeviceIndex(index_or_current(set));
    return at::accelerator::getDeviceIndex();
  })
}

namespace {
// The accelerator's caching allocator once the accelerator is in use; asking earlier would initialise it.
c10::DeviceAllocator* device_allocator() {
  auto type = at::accelerator::getAccelerator(false);
  if (!type || at::accelerator::deviceCount() == 0) return nullptr;
  auto* allocator = at::getDeviceAllocator(*type);
  return allocator != nullptr && allocator->initialized() ? allocator : nullptr;
}
}  // namespace

int32_t aamt_empty_cache(void) {
  AAMT_GUARD(if (auto* allocator = device_allocator()) allocator->emptyCache(); return 0;)
}

int32_t aamt_device_memory(int32_t device_index, double* out) {
  AAMT_GUARD({
    need(out, 6);
    for (int i = 0; i < 6; i++) out[i] = 0;
    auto* allocator = device_allocator();
    if (allocator == nullptr) return 0;
    auto index = index_or_current(device_index);
    auto stats = allocator->getDeviceStats(index);
    const auto& allocated = stats.allocated_bytes[0];
    const auto& reserved = stats.reserved_bytes[0];
    auto memory = allocator->getMemoryInfo(index);
    out[0] = static_cast<double>(allocated.current);
    out[1] = static_cast<double>(allocated.peak);
    out[2] = static_cast<double>(reserved.current);
    out[3] = static_cast<double>(reserved.peak);
    out[4] = static_cast<double>(memory.first);
    out[5] = static_cast<double>(memory.second);
    return 0;
  })
}

int32_t aamt_reset_peak_memory(int32_t device_index) {
  AAMT_GUARD(if (auto* allocator = device_allocator()) allocator->resetPeakStats(index_or_current(device_index)); return 0;)
}
