// The handle table. A handle is (generation << 24 | slot): freeing a slot raises its generation, so a stale handle is
// recognised. Slots live in chunks that never move, so a lookup takes no lock; taking and giving back a slot does.
#include <atomic>
#include <mutex>
#include "internal.h"

namespace aamt {
namespace {

constexpr uint64_t kSlotBits = 24;
constexpr uint64_t kChunkBits = 12;
constexpr uint64_t kChunkSize = 1 << kChunkBits;
constexpr uint64_t kChunks = 1 << (kSlotBits - kChunkBits);

// A spin lock: it is held for a few instructions only, and sixteen million tensors are freed under it per second.
struct SpinLock {
  std::atomic_flag flag = ATOMIC_FLAG_INIT;
  void lock() {
    while (flag.test_and_set(std::memory_order_acquire)) {
    }
  }
  void unlock() { flag.clear(std::memory_order_release); }
};

template <typename T>
struct Table {
  struct Slot {
    std::atomic<uint32_t> generation{0};  // odd while it holds a value
    uint32_t next_free = 0;
    T value;
  };

  std::atomic<Slot*> chunks[kChunks] = {};
  SpinLock lock;
  uint32_t first_free = 0;  // slot 0 is never used, so 0 ends the list
  uint32_t used = 1;
  std::atomic<int64_t> live{0};

  Slot& slot(uint64_t index) { return chunks[index >> kChunkBits].load(std::memory_order_acquire)[index & (kChunkSize - 1)]; }

  double put(T value) {
    std::lock_guard<SpinLock> guard(lock);
    uint32_t index = first_free;
    if (index != 0) {
      first_free = slot(index).next_free;
    } else {
      if (used >= (1u << kSlotBits)) throw ShimError(AAMT_ERR_OUT_OF_MEMORY, "more than 16,777,215 live tensors: something never frees them");
      index = used++;
      auto& chunk = chunks[index >> kChunkBits];
      if (chunk.load(std::memory_order_relaxed) == nullptr) chunk.store(new Slot[kChunkSize], std::memory_order_release);
    }
    Slot& s = slot(index);
    s.value = std::move(value);
    uint32_t generation = s.generation.load(std::memory_order_relaxed) + 1;
    s.generation.store(generation, std::memory_order_release);
    live.fetch_add(1, std::memory_order_relaxed);
    return static_cast<double>((static_cast<uint64_t>(generation & 0x0fffffff) << kSlotBits) | index);
  }

  Slot& find(double handle) {
    if (!(handle >= 1 && handle < 4503599627370496.0)) throw ShimError(AAMT_ERR_HANDLE, "not a tensor handle");
    uint64_t bits = static_cast<uint64_t>(handle);
    uint64_t index = bits & ((1u << kSlotBits) - 1);
    Slot* chunk = chunks[index >> kChunkBits].load(std::memory_order_acquire);
    if (chunk == nullptr) throw ShimError(AAMT_ERR_HANDLE, "not a tensor handle");
    Slot& s = chunk[index & (kChunkSize - 1)];
    uint32_t generation = s.generation.load(std::memory_order_acquire);
    if ((generation & 1) == 0 || (generation & 0x0fffffff) != (bits >> kSlotBits))
      throw ShimError(AAMT_ERR_HANDLE, "the tensor was disposed already");
    return s;
  }

  void take_out(double handle) {
    T doomed;  // destroyed after the lock is released: freeing memory can take long
    {
      std::lock_guard<SpinLock> guard(lock);
      Slot& s = find(handle);
      doomed = std::move(s.value);
      s.value = T();
      s.generation.fetch_add(1, std::memory_order_release);
      uint32_t index = static_cast<uint32_t>(static_cast<uint64_t>(handle) & ((1u << kSlotBits) - 1));
      s.next_free = first_free;
      first_free = index;
      live.fetch_sub(1, std::memory_order_relaxed);
    }
  }
};

// Never destroyed: tensors may outlive static destruction order at exit.
Table<at::Tensor>& tensors() {
  static auto* table = new Table<at::Tensor>();
  return *table;
}
Table<at::Generator>& generators() {
  static auto* table = new Table<at::Generator>();
  return *table;
}

}  // namespace

double keep(at::Tensor tensor) { return tensor.defined() ? tensors().put(std::move(tensor)) : 0; }
at::Tensor& tensor_of(double handle) { return tensors().find(handle).value; }
at::Tensor optional_tensor_of(double handle) { return handle == 0 ? at::Tensor() : tensor_of(handle); }
void release(double handle) { tensors().take_out(handle); }
int64_t live_handles() { return tensors().live.load(); }

std::vector<at::Tensor> tensors_of(const double* handles, int32_t count) {
  std::vector<at::Tensor> list;
  list.reserve(count);
  for (int32_t i = 0; i < count; i++) list.push_back(optional_tensor_of(handles[i]));
  return list;
}

double keep_generator(at::Generator generator) { return generators().put(std::move(generator)); }
at::Generator& generator_of(double handle) { return generators().find(handle).value; }

double owned_bytes(const at::Tensor& tensor) {
  if (!tensor.defined() || !tensor.has_storage()) return 0;
  const auto& storage = tensor.storage();
  return storage.use_count() == 1 ? static_cast<double>(storage.nbytes()) : 0;
}

}  // namespace aamt

using namespace aamt;

int32_t aamt_free(double handle) {
  AAMT_GUARD(release(handle); return 0;)
}

int32_t aamt_free_many(const double* handles, int32_t count) {
  AAMT_GUARD(for (int32_t i = 0; i < count; i++) release(handles[i]); return count;)
}

int32_t aamt_clone_handle(double handle, double* result) {
  AAMT_GUARD(result[0] = keep(tensor_of(handle)); return 0;)
}

int32_t aamt_live_handles(double* result) {
  result[0] = static_cast<double>(live_handles());
  return 0;
}

int32_t aamt_generator_free(double generator) {
  AAMT_GUARD(generators().take_out(generator); return 0;)
}

// ---- garbage-collection tokens ----
namespace {
struct Token {
  double handle;  // 0 once cancelled
};
}  // namespace

int32_t aamt_token(double handle, double* result) {
  AAMT_GUARD(tensor_of(handle); result[0] = static_cast<double>(reinterpret_cast<uintptr_t>(new Token{handle})); return 0;)
}

int32_t aamt_token_cancel(double token) {
  auto* cell = reinterpret_cast<Token*>(static_cast<uintptr_t>(token));
  if (cell == nullptr) return 0;
  cell->handle = 0;
  return 0;
}

void aamt_token_release(void* /*memory*/, void* context) {
  auto* cell = static_cast<Token*>(context);
  if (cell == nullptr) return;
  if (cell->handle != 0) aamt_free(cell->handle);
  delete cell;
}

void* aamt_token_release_address(void) { return reinterpret_cast<void*>(&aamt_token_release); }
