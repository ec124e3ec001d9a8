// The handle table. A handle is (generation << 24 | slot): a slot's generation is odd while it holds a value
// and rises when it takes or gives one back, so a stale or invented handle is recognised. Slots live in
// chunks that never move. A lookup locks its slot for as long as copying a reference takes, so that freeing a
// tensor on one thread while another looks it up is an error in the worst case, never a crash.
#include <sched.h>
#include <atomic>
#include <mutex>
#include "internal.h"

namespace aamt {
namespace {

constexpr uint64_t kSlotBits = 24;
constexpr uint64_t kChunkBits = 12;
constexpr uint64_t kChunkSize = 1 << kChunkBits;
constexpr uint64_t kChunks = 1 << (kSlotBits - kChunkBits);
constexpr uint32_t kLocked = 1u << 31;
constexpr uint32_t kLastGeneration = (1u << 28) - 1;  // slot and generation together are exact in a double

// Waits for a lock that is held for a few instructions: first busily, then (its holder may
// have lost its core) not.
struct Patience {
  int tries = 0;
  void wait() {
    if (++tries > 64) sched_yield();
  }
};

struct SpinLock {
  std::atomic_flag flag = ATOMIC_FLAG_INIT;
  void lock() {
    Patience patience;
    while (flag.test_and_set(std::memory_order_acquire)) patience.wait();
  }
  void unlock() { flag.clear(std::memory_order_release); }
};

template <typename T>
class Table {
 public:
  explicit Table(const char* what) : what_(what) {}

  double put(T value) {
    std::lock_guard<SpinLock> guard(lock_);
    uint32_t index = first_free_;
    Slot* slot;
    if (index != 0) {
      slot = slot_at(index);
      first_free_ = slot->next_free;
    } else {
      if (used_ >= (1u << kSlotBits))
        throw ShimError(AAMT_ERR_OUT_OF_MEMORY, "more than 16,777,215 live tensors: something never frees them");
      auto& chunk = chunks_[used_ >> kChunkBits];
      if (chunk.load(std::memory_order_relaxed) == nullptr) chunk.store(new Slot[kChunkSize], std::memory_order_release);
      index = used_++;
      slot = slot_at(index);
    }
    slot->value = std::move(value);
    uint32_t generation = slot->state.load(std::memory_order_relaxed) + 1;
    slot->state.store(generation, std::memory_order_release);
    count(1);
    return static_cast<double>((static_cast<uint64_t>(generation) << kSlotBits) | index);
  }

  T get(double handle) {
    Place place = locked(handle);
    if (place.slot == nullptr) refuse(place);
    T value = place.slot->value;
    place.slot->state.store(place.generation, std::memory_order_release);
    return value;
  }

  // False for a handle that names nothing.
  bool take_out(double handle) noexcept {
    Place place = locked(handle);
    if (place.slot == nullptr) return false;
    T doomed;  // destroyed at the end, outside all locks: freeing memory can take long
    std::swap(doomed, place.slot->value);
    place.slot->state.store(place.generation + 1, std::memory_order_release);
    std::lock_guard<SpinLock> guard(lock_);
    count(-1);
    // A slot that has used up its generations is left alone: a handle never names another tensor than it did.
    if (place.generation < kLastGeneration) {
      place.slot->next_free = first_free_;
      first_free_ = place.index;
    }
    return true;
  }

  [[noreturn]] void refuse(double handle) { refuse(locked(handle)); }
  int64_t live() const { return live_.load(); }

 private:
  struct Slot {
    std::atomic<uint32_t> state{0};  // the generation, with kLocked while a thread looks at the value
    uint32_t next_free = 0;
    T value;
  };
  struct Place {
    Slot* slot;  // locked; null for a handle that names nothing
    uint32_t index;
    uint32_t generation;
    bool known;  // whether there ever was such a slot
  };

  // Only while holding the lock: an atomic addition would cost as much as the lock does.
  void count(int64_t change) { live_.store(live_.load(std::memory_order_relaxed) + change, std::memory_order_relaxed); }

  Slot* slot_at(uint32_t index) {
    return &chunks_[index >> kChunkBits].load(std::memory_order_acquire)[index & (kChunkSize - 1)];
  }

  Place locked(double handle) noexcept {
    if (!(handle >= 1 && handle < 4503599627370496.0)) return {nullptr, 0, 0, false};
    uint64_t bits = static_cast<uint64_t>(handle);
    uint32_t index = static_cast<uint32_t>(bits & ((1u << kSlotBits) - 1));
    uint32_t generation = static_cast<uint32_t>(bits >> kSlotBits);
    Slot* chunk = chunks_[index >> kChunkBits].load(std::memory_order_acquire);
    if (chunk == nullptr || (generation & 1) == 0 || static_cast<double>(bits) != handle) return {nullptr, 0, 0, false};
    Slot* slot = &chunk[index & (kChunkSize - 1)];
    Patience patience;
    for (;;) {
      uint32_t expected = generation;
      if (slot->state.compare_exchange_weak(expected, generation | kLocked, std::memory_order_acquire, std::memory_order_relaxed))
        return {slot, index, generation, true};
      if ((expected & ~kLocked) != generation) return {nullptr, index, generation, (expected & ~kLocked) > generation};
      patience.wait();
    }
  }

  [[noreturn]] void refuse(const Place& place) {
    if (place.slot != nullptr) place.slot->state.store(place.generation, std::memory_order_release);
    throw ShimError(AAMT_ERR_HANDLE, std::string(place.known ? "the " : "not a ") + what_ +
                                         (place.known ? " was disposed already" : " handle"));
  }

  const char* what_;
  std::atomic<Slot*> chunks_[kChunks] = {};
  SpinLock lock_;            // of the free list and `used_`
  uint32_t first_free_ = 0;  // slot 0 is never used, so 0 ends the list
  uint32_t used_ = 1;
  std::atomic<int64_t> live_{0};
};

// Never destroyed: tensors may outlive static destruction order at exit.
Table<at::Tensor>& tensors() {
  static auto* table = new Table<at::Tensor>("tensor");
  return *table;
}
Table<at::Generator>& generators() {
  static auto* table = new Table<at::Generator>("generator");
  return *table;
}

}  // namespace

double keep(at::Tensor tensor) {
  if (!tensor.defined()) return 0;
  // Autograd may give zeros that occupy no memory at all (the gradient of `sgn`): whoever reads
  // their memory reads address 0.
  if (tensor._is_zerotensor()) tensor = tensor.clone();
  return tensors().put(std::move(tensor));
}
at::Tensor tensor_of(double handle) { return tensors().get(handle); }
at::Tensor optional_tensor_of(double handle) { return handle == 0 ? at::Tensor() : tensor_of(handle); }
bool release(double handle) noexcept { return tensors().take_out(handle); }

std::vector<at::Tensor> tensors_of(const double* handles, int32_t count) {
  need(handles, count);
  std::vector<at::Tensor> list;
  list.reserve(count);
  for (int32_t i = 0; i < count; i++) list.push_back(tensor_of(handles[i]));
  return list;
}

std::vector<at::Tensor> optional_tensors_of(const double* handles, int32_t count) {
  need(handles, count);
  std::vector<at::Tensor> list;
  list.reserve(count);
  for (int32_t i = 0; i < count; i++) list.push_back(optional_tensor_of(handles[i]));
  return list;
}

double keep_generator(at::Generator generator) { return generators().put(std::move(generator)); }
at::Generator generator_of(double handle) { return generators().get(handle); }

double owned_bytes(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.has_storage()) return 0;
  const auto& storage = tensor.storage();
  return storage.use_count() == 1 ? static_cast<double>(storage.nbytes()) : 0;
}

KeptHandles::~KeptHandles() {
  for (double handle : handles_) release(handle);  // 0 names nothing
}

double KeptHandles::keep(at::Tensor tensor) {
  handles_.push_back(0);
  return handles_.back() = aamt::keep(std::move(tensor));
}

}  // namespace aamt

using namespace aamt;

int32_t aamt_free(double handle) {
  AAMT_GUARD(if (!release(handle)) tensors().refuse(handle); return 0;)
}

int32_t aamt_free_many(const double* handles, int32_t count) {
  AAMT_GUARD(need(handles, count); for (int32_t i = 0; i < count; i++)
             if (!release(handles[i])) tensors().refuse(handles[i]); return count;)
}

int32_t aamt_clone_handle(double handle, double* result) {
  AAMT_GUARD(need(result, 1); result[0] = keep(tensor_of(handle)); return 0;)
}

int32_t aamt_live_handles(double* result) {
  AAMT_GUARD(need(result, 1); result[0] = static_cast<double>(tensors().live()); return 0;)
}

double aamt_owned_bytes(double handle) {
  AAMT_GUARD(return owned_bytes(tensor_of(handle));)
}

int32_t aamt_generator_free(double generator) {
  AAMT_GUARD(if (!generators().take_out(generator)) generators().refuse(generator); return 0;)
}

void aamt_collect(void* /*memory*/, void* context) {
  release(static_cast<double>(reinterpret_cast<uintptr_t>(context)));
}

void* aamt_collect_address(void) { return reinterpret_cast<void*>(&aamt_collect); }
