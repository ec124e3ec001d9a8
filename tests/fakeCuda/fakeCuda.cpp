// A CUDA device for machines without one: memory of the host under the device's name, and every operator
// computed by the CPU's kernels on copies. Numbers and random numbers are the CPU's; what is told apart is
// where tensors are. An operator refuses tensors of both places, as CUDA's kernels do, so that a tensor made
// on the wrong device is an error here too. For the CPU build of LibTorch alone.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/native/Copy.h>
#include <ATen/native/TensorIterator.h>
#include <ATen/native/transformers/attention.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>
#if __has_include(<ATen/core/GraphImplInterface.h>)
#include <ATen/core/GraphImplInterface.h>
#define FAKE_CUDA_GRAPHS 1
#endif
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>

namespace {

constexpr size_t kTotalBytes = size_t{4} << 30;

// ---- memory ----

struct Statistics {
  std::mutex mutex;
  size_t allocated = 0, peak = 0;
};
Statistics& statistics() {
  static auto* all = new Statistics();
  return *all;
}

// A size stands before each block.
constexpr size_t kHeader = 64;

void release_device(void* data) {
  if (data == nullptr) return;
  char* start = static_cast<char*>(data) - kHeader;
  {
    std::lock_guard<std::mutex> guard(statistics().mutex);
    statistics().allocated -= *reinterpret_cast<size_t*>(start);
  }
  std::free(start);
}

struct FakeDeviceAllocator final : c10::DeviceAllocator {
  c10::DataPtr allocate(size_t bytes) override {
    const c10::Device device(c10::kCUDA, 0);
    if (bytes == 0) return {nullptr, nullptr, &release_device, device};
    {
      std::lock_guard<std::mutex> guard(statistics().mutex);
      TORCH_CHECK_WITH(OutOfMemoryError, statistics().allocated + bytes <= kTotalBytes, "CUDA out of memory. Tried to allocate ", bytes, " bytes.");
      statistics().allocated += bytes;
      statistics().peak = std::max(statistics().peak, statistics().allocated);
    }
    void* start = nullptr;
    TORCH_CHECK(posix_memalign(&start, kHeader, bytes + kHeader) == 0, "the host has no memory left");
    *static_cast<size_t*>(start) = bytes;
    void* data = static_cast<char*>(start) + kHeader;
    return {data, data, &release_device, device};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release_device; }
  void copy_data(void* destination, const void* source, std::size_t count) const override {
    default_copy_data(destination, source, count);
  }
  bool initialized() override { return true; }
  void emptyCache(c10::MempoolId_t) override {}
  void recordStream(const c10::DataPtr&, c10::Stream) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex) override {
    c10::CachingDeviceAllocator::DeviceStats result;
    std::lock_guard<std::mutex> guard(statistics().mutex);
    for (auto* stat : {&result.allocated_bytes[0], &result.reserved_bytes[0]}) {
      stat->current = static_cast<int64_t>(statistics().allocated);
      stat->peak = static_cast<int64_t>(statistics().peak);
    }
    return result;
  }
  void resetAccumulatedStats(c10::DeviceIndex) override {}
  void resetPeakStats(c10::DeviceIndex) override {
    std::lock_guard<std::mutex> guard(statistics().mutex);
    statistics().peak = statistics().allocated;
  }
  std::pair<size_t, size_t> getMemoryInfo(c10::DeviceIndex) override {
    std::lock_guard<std::mutex> guard(statistics().mutex);
    return {kTotalBytes - statistics().allocated, kTotalBytes};
  }
};

// Page-locked memory: plain memory that is remembered.
std::mutex pinned_mutex;
std::set<const void*>& pinned() {
  static auto* all = new std::set<const void*>();
  return *all;
}
void release_pinned(void* data) {
  if (data == nullptr) return;
  {
    std::lock_guard<std::mutex> guard(pinned_mutex);
    pinned().erase(data);
  }
  std::free(data);
}
struct PinnedAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* data = nullptr;
    TORCH_CHECK(posix_memalign(&data, kHeader, std::max<size_t>(bytes, 1)) == 0, "the host has no memory left");
    std::lock_guard<std::mutex> guard(pinned_mutex);
    pinned().insert(data);
    return {data, data, &release_pinned, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release_pinned; }
  void copy_data(void* destination, const void* source, std::size_t count) const override {
    default_copy_data(destination, source, count);
  }
};

c10::Allocator* device_allocator() {
  static auto* allocator = new FakeDeviceAllocator();
  return allocator;
}
const bool installed = [] {
  c10::SetAllocator(c10::kCUDA, device_allocator());
  return true;
}();

// ---- the device ----

// Streams are numbers: work is done at once, in the order in which it comes. Each thread has its current
// one, as CUDA's threads have.
thread_local c10::StreamId current_stream = 0;

struct FakeGuard final : c10::impl::NoOpDeviceGuardImpl<c10::kCUDA> {
  using Time = std::chrono::steady_clock::time_point;
  static c10::Device only() { return {c10::kCUDA, 0}; }
  static c10::Stream stream(c10::StreamId id) { return c10::Stream(c10::Stream::UNSAFE, only(), id); }
  c10::Device exchangeDevice(c10::Device) const override { return only(); }
  c10::Device getDevice() const override { return only(); }
  c10::Stream getStream(c10::Device) const noexcept override { return stream(current_stream); }
  c10::Stream getDefaultStream(c10::Device) const override { return stream(0); }
  c10::Stream getNewStream(c10::Device, int) const override {
    static std::atomic<c10::StreamId> last{0};
    return stream(++last);
  }
  c10::Stream exchangeStream(c10::Stream next) const noexcept override {
    auto before = stream(current_stream);
    current_stream = next.id();
    return before;
  }
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override {}
  void record(void** event, const c10::Stream&, const c10::DeviceIndex, const c10::EventFlag) const override {
    if (*event == nullptr) *event = new Time();
    *static_cast<Time*>(*event) = std::chrono::steady_clock::now();
  }
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void synchronizeEvent(void*) const override {}
  void destroyEvent(void* event, const c10::DeviceIndex) const noexcept override { delete static_cast<Time*>(event); }
  double elapsedTime(void* start, void* end, const c10::DeviceIndex) const override {
    return std::chrono::duration<double, std::milli>(*static_cast<Time*>(end) - *static_cast<Time*>(start)).count();
  }
  void synchronizeDevice(const c10::DeviceIndex) const override {}
};
C10_REGISTER_GUARD_IMPL(CUDA, FakeGuard)

#ifdef FAKE_CUDA_GRAPHS
// Nothing is recorded: it tells whether the steps come in an order that CUDA takes.
struct FakeGraph final : at::GraphImplInterface {
  explicit FakeGraph(const at::GraphImplArgs&) {}
  enum { kEmpty, kCapturing, kReady } state = kEmpty;
  void expect(bool right, const char* what) const { TORCH_CHECK(right, "CUDA graph: ", what); }
  void capture_begin(c10::MempoolId_t, at::GraphCaptureMode) override {
    expect(current_stream != 0, "the default stream cannot be captured");
    expect(state == kEmpty, "it has been captured already");
    state = kCapturing;
  }
  void capture_end() override {
    expect(state == kCapturing, "nothing is being captured");
    state = kReady;
  }
  void instantiate() override {}
  void replay() override { expect(state == kReady, "nothing has been captured"); }
  void reset() override { state = kEmpty; }
  c10::MempoolId_t pool() const override { return {0, 0}; }
  void enable_debug_mode() override {}
  void debug_dump(const std::string&) override {}
};
}  // namespace
namespace at {
REGISTER_GRAPH_IMPL(CUDA, FakeGraph)
}
namespace {
#endif

}  // namespace

namespace at {

// LibTorch looks the class up by this name.
struct CUDAHooks final : at::CUDAHooksInterface {
  explicit CUDAHooks(at::CUDAHooksArgs) {}
  void init() const override {}
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  bool hasCUDA() const override { return true; }
  bool hasCUDART() const override { return true; }
  c10::DeviceIndex deviceCount() const override { return 1; }
  int getNumGPUs() const override { return 1; }
  c10::DeviceIndex current_device() const override { return 0; }
  void setCurrentDevice(c10::DeviceIndex) const override {}
  c10::DeviceIndex getCurrentDevice() const override { return 0; }
  c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
  c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
  void deviceSynchronize(c10::DeviceIndex) const override {}
  c10::Allocator* getCUDADeviceAllocator() const override { return device_allocator(); }
  bool isPinnedPtr(const void* data) const override {
    std::lock_guard<std::mutex> guard(pinned_mutex);
    return pinned().count(data) > 0;
  }
  c10::Allocator* getPinnedMemoryAllocator() const override {
    static auto* allocator = new PinnedAllocator();
    return allocator;
  }
  c10::Device getDeviceFromPtr(void*) const override { return {c10::kCUDA, 0}; }
  const at::Generator& getDefaultGenerator(c10::DeviceIndex) const override {
    static auto* generator = new at::Generator(at::detail::createCPUGenerator());
    return *generator;
  }
  at::Generator getNewGenerator(c10::DeviceIndex) const override { return at::detail::createCPUGenerator(); }
};
REGISTER_CUDA_HOOKS(CUDAHooks)

}  // namespace at

namespace {

// Attention by plain products.
int64_t attention_choice(const at::Tensor&, const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, double, bool,
                         std::optional<double>, bool) {
  return 0;
}

}  // namespace

namespace at::native {
namespace {

// The same memory under the host's name.
Tensor on_host(const TensorBase& tensor) {
  return at::from_blob(const_cast<void*>(tensor.const_data_ptr()), tensor.sizes(), tensor.strides(), tensor.options().device(kCPU));
}

void fake_copy(TensorIterator& iter, bool) {
  if (iter.numel() == 0) return;
  on_host(iter.tensor_base(0)).copy_(on_host(iter.tensor_base(1)));
}


REGISTER_CUDA_DISPATCH(copy_stub, &fake_copy)
REGISTER_CUDA_DISPATCH(_fused_sdp_choice_stub, &attention_choice)

}  // namespace
}  // namespace at::native

namespace {

// Operators that take indices from the host.
bool takes_host_tensors(const std::string& name) {
  static const std::set<std::string> all{"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"};
  return all.count(name) > 0;
}

bool on_wrong_device(const at::Tensor& tensor) { return tensor.defined() && tensor.is_cpu() && tensor.dim() > 0; }

void check_devices(const c10::OperatorHandle& op, const torch::jit::Stack& stack) {
  const size_t count = op.schema().arguments().size();
  const std::string& name = op.schema().name();
  if (takes_host_tensors(name)) return;
  for (size_t i = stack.size() - count; i < stack.size(); i++) {
    const c10::IValue& value = stack[i];
    bool wrong = value.isTensor() && on_wrong_device(value.toTensor());
    if (value.isTensorList())
      for (const at::Tensor& tensor : value.toTensorVector()) wrong = wrong || on_wrong_device(tensor);
    TORCH_CHECK(!wrong, "Expected all tensors to be on the same device, but argument ", op.schema().arguments()[i - (stack.size() - count)].name(),
                " of ", name, " is on cpu, others are on cuda:0");
  }
}

void compute_on_host(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  check_devices(op, *stack);
  at::native::cpu_fallback(op, stack);
}

at::Tensor empty(at::IntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>, std::optional<at::Device>,
                 std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(size, device_allocator(), c10::DispatchKeySet(c10::DispatchKey::CUDA), c10::dtype_or_default(dtype), format);
}
at::Tensor empty_strided(at::IntArrayRef size, at::IntArrayRef stride, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
                         std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(size, stride, device_allocator(), c10::DispatchKeySet(c10::DispatchKey::CUDA),
                                           c10::dtype_or_default(dtype));
}
at::Tensor& set_storage(at::Tensor& self, at::Storage source, int64_t offset, at::IntArrayRef size, at::IntArrayRef stride) {
  auto* impl = self.unsafeGetTensorImpl();
  impl->set_storage_keep_dtype(std::move(source));
  impl->set_storage_offset(offset);
  if (stride.empty()) impl->set_sizes_contiguous(size);
  else impl->set_sizes_and_strides(size, stride);
  return self;
}
at::Tensor& set_tensor(at::Tensor& self, const at::Tensor& source) {
  return set_storage(self, source.storage(), source.storage_offset(), source.sizes(), source.strides());
}

// What an operator has written to a copy of `destination`, with the size that it got there.
at::Tensor copy_from_and_resize(const at::Tensor& self, const at::Tensor& destination) {
  at::Tensor target = destination;
  if (target.sizes() == self.sizes()) target.copy_(self);
  else set_tensor(target, self.to(target.device()));
  return target;
}

TORCH_LIBRARY_IMPL(_, CUDA, m) { m.fallback(torch::CppFunction::makeFromBoxedFunction<&compute_on_host>()); }

TORCH_LIBRARY_IMPL(aten, CUDA, m) {
  m.impl("empty.memory_format", &empty);
  m.impl("empty_strided", &empty_strided);
  m.impl("_copy_from_and_resize", &copy_from_and_resize);
  m.impl("set_.source_Storage_storage_offset", &set_storage);
  m.impl("set_.source_Tensor", &set_tensor);
  m.impl("_fused_sdp_choice", &attention_choice);
  m.impl("view", &at::native::view);
  m.impl("as_strided", &at::native::as_strided_tensorimpl);
  m.impl("_reshape_alias", &at::native::_reshape_alias);
  m.impl("unfold", &at::native::unfold);
  // LibTorch would choose among CUDA's kernels.
  m.impl("convolution_backward", torch::CppFunction::makeFromBoxedFunction<&compute_on_host>());
}

}  // namespace

// How many devices there are; that it can be called shows that the library is loaded.
extern "C" int fake_cuda_devices() { return installed ? 1 : 0; }
