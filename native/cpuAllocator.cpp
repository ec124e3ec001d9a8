// A caching allocator for the CPU, in LibTorch's place. Deep learning asks for blocks of the same few sizes
// again and again. The C library gives large ones back to the system each time (page faults cost more than
// the arithmetic of small layers) and lets a heap of aligned blocks fragment without bound when sizes vary.
// Here freed blocks wait in lists by size; what has waited longest is given back when the cache is over its
// limit. Large blocks use huge pages, and have room to grow: batches differ in size, and what is not used of
// a block costs no memory.
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/Exception.h>
#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include "internal.h"
#include "memoryReports.h"

namespace aamt {
namespace {

constexpr size_t kSmallest = size_t{1} << 16;   // below, the C library does well
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kHugeFrom = size_t{4} << 20;   // blocks of at least this size are aligned to huge pages
constexpr size_t kHeader = 64;                  // keeps the data aligned for vector instructions
constexpr int kSteps = 8;                       // size classes per power of two: at most 12.5 % is wasted
constexpr int kClasses = kSteps * 50;
constexpr int kLooseFit = 2;                    // a block may be this many classes too large
// memory of all blocks, as a multiple of the most that was in use at once ...
constexpr double kMostHeld = 1.25;
constexpr size_t kLeastHeld = size_t{256} << 20;  // ... or this, if that is more

struct Block {
  size_t bytes;          // in use, with the header
  size_t touched;        // the most that was ever in use: memory that the block has
  int size_class;        // below 0: a small block (see small_class), -1: one that is never kept
  Block* older;          // by time of freeing, all classes together
  Block* newer;
  Block* next_in_class;
  Block* previous_in_class;
};
static_assert(sizeof(Block) <= kHeader);

// The size of large blocks is a power of two: the next batch's tensor, a tenth larger or smaller, finds the
// block of this one's. The system gives pages only where a block is written to.
int class_of(size_t bytes) {
  int power = 63 - __builtin_clzll(bytes);
  size_t step = (size_t{1} << power) / kSteps;
  size_t above = bytes - (size_t{1} << power);
  if (bytes >= kHugeFrom) return (power + (above > 0 ? 1 : 0)) * kSteps;
  return power * kSteps + static_cast<int>((above + step - 1) / step);
}
size_t bytes_of_class(int size_class) {
  size_t base = size_t{1} << (size_class / kSteps);
  return base + base / kSteps * (size_class % kSteps);
}

struct Cache {
  std::mutex mutex;
  Block* lists[kClasses] = {};
  Block* oldest = nullptr;
  Block* newest = nullptr;
  size_t cached = 0;     // memory of the blocks that wait
  size_t held = 0;       // memory of all blocks
  size_t allocated = 0;  // bytes in use
  size_t peak = 0;
  size_t most = 0;  // bytes in use at once since the start
  size_t limit = default_limit();

  // Half of what this process may use: the machine's memory, or its container's share of it. What a step
  // frees the next one asks for.
  static size_t default_limit() {
    size_t usable = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
    for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
      std::ifstream file(path);
      size_t limit;
      if (file >> limit) usable = std::min(usable, limit);  // "max" is no number
    }
    return usable / 2;
  }

  void remember(Block* block) {
    block->next_in_class = lists[block->size_class];
    block->previous_in_class = nullptr;
    if (block->next_in_class) block->next_in_class->previous_in_class = block;
    lists[block->size_class] = block;
    block->older = newest;
    block->newer = nullptr;
    (newest ? newest->newer : oldest) = block;
    newest = block;
    cached += block->touched;
  }

  void forget(Block* block) {
    (block->previous_in_class ? block->previous_in_class->next_in_class : lists[block->size_class]) = block->next_in_class;
    if (block->next_in_class) block->next_in_class->previous_in_class = block->previous_in_class;
    (block->older ? block->older->newer : oldest) = block->newer;
    (block->newer ? block->newer->older : newest) = block->older;
    cached -= block->touched;
  }

  // A block is now used for so many bytes.
  void use(Block* block, size_t bytes) {
    block->bytes = bytes;
    if (bytes > block->touched) {
      held += bytes - block->touched;
      block->touched = bytes;
    }
    allocated += bytes;
    peak = std::max(peak, allocated);
    most = std::max(most, allocated);
  }

  // Takes blocks out that wait without being asked for, to keep within what is to be held when `bytes` more
  // are in use, of which `fresh` are new memory.
  Block* make_room(size_t bytes, size_t fresh) {
    const size_t in_use = allocated + bytes;
    const size_t allowed = std::max(kLeastHeld, static_cast<size_t>(kMostHeld * static_cast<double>(std::max(most, in_use))));
    const size_t wanted = held + fresh;
    return wanted <= allowed ? nullptr : evict(cached - std::min(cached, wanted - allowed));
  }

  // Takes the longest-waiting blocks out until the cache is within `most` bytes; the caller
  // frees them outside the lock.
  Block* evict(size_t most) {
    Block* evicted = nullptr;
    while (cached > most && oldest) {
      Block* block = oldest;
      forget(block);
      held -= block->touched;
      block->older = evicted;
      evicted = block;
    }
    return evicted;
  }
};

// Never destroyed: tensors may be freed while the process ends.
Cache& cache() {
  static auto* instance = new Cache();
  return *instance;
}

void free_chain(Block* block) {
  while (block) {
    Block* following = block->older;
    std::free(block);
    block = following;
  }
}

void flush() {
  Block* evicted;
  {
    std::lock_guard<std::mutex> guard(cache().mutex);
    evicted = cache().evict(0);
  }
  free_chain(evicted);
}

Block* from_system(size_t bytes) {
  void* memory = nullptr;
  bool huge = bytes >= kHugeFrom;
  for (int attempt = 0; attempt < 2; attempt++) {
    if (posix_memalign(&memory, huge ? kHugePage : kHeader, bytes) == 0) {
      if (huge) madvise(memory, bytes, MADV_HUGEPAGE);
      return static_cast<Block*>(memory);
    }
    flush();
  }
  return nullptr;
}

// ---- small blocks: per thread ----
// An aligned allocation of the C library costs as much as a small operator's arithmetic.
constexpr size_t kSmallStep = 64;
constexpr size_t kLargestSmall = 4096;
constexpr int kSmallClasses = static_cast<int>(kLargestSmall / kSmallStep) + 1;
constexpr size_t kKeptPerClass = size_t{1} << 16;  // bytes

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeepSmall = false;  // the sanitizer has to see every block
#else
constexpr bool kKeepSmall = true;
#endif

struct SmallLists {
  Block* first[kSmallClasses] = {};
  int count[kSmallClasses] = {};
};
thread_local SmallLists* small_lists = nullptr;
thread_local bool small_lists_gone = false;

// Gives a thread's blocks back when it ends.
struct SmallListsOwner {
  ~SmallListsOwner() {
    small_lists_gone = true;
    for (Block* block : small_lists->first) {
      while (block) {
        Block* following = block->next_in_class;
        std::free(block);
        block = following;
      }
    }
    delete small_lists;
    small_lists = nullptr;
  }
};

// Null where this thread has none (any more).
SmallLists* lists_of_this_thread() {
  SmallLists* lists = small_lists;
  if (lists != nullptr) return lists;
  if (small_lists_gone || !kKeepSmall) return nullptr;
  lists = small_lists = new SmallLists();
  thread_local SmallListsOwner owner;
  (void)owner;
  return lists;
}

int small_class(size_t bytes) { return static_cast<int>((bytes + kSmallStep - 1) / kSmallStep); }

Block* take_small(size_t bytes) {
  int size_class = small_class(bytes);
  SmallLists* lists = size_class < kSmallClasses ? lists_of_this_thread() : nullptr;
  if (lists == nullptr) {
    Block* block = from_system(bytes);
    if (block) block->size_class = -1;
    return block;
  }
  Block* block = lists->first[size_class];
  if (block) {
    lists->first[size_class] = block->next_in_class;
    lists->count[size_class]--;
    return block;
  }
  block = from_system(size_class * kSmallStep);
  if (block) block->size_class = -1 - size_class;
  return block;
}

void release_small(Block* block) {
  int size_class = -1 - block->size_class;
  SmallLists* lists = size_class > 0 ? lists_of_this_thread() : nullptr;
  if (lists == nullptr || lists->count[size_class] * size_class * kSmallStep >= kKeptPerClass) {
    std::free(block);
    return;
  }
  block->next_in_class = lists->first[size_class];
  lists->first[size_class] = block;
  lists->count[size_class]++;
}

void release_block(void* data) {
  if (data == nullptr) return;
  if (aamt::report_memory.load(std::memory_order_relaxed)) c10::profiledCPUMemoryReporter().Delete(data);
  Block* block = reinterpret_cast<Block*>(static_cast<char*>(data) - kHeader);
  if (block->size_class < 0) {
    release_small(block);
    return;
  }
  auto& all = cache();
  Block* evicted;
  {
    std::lock_guard<std::mutex> guard(all.mutex);
    all.allocated -= block->bytes;
    all.remember(block);
    evicted = all.evict(all.limit);
  }
  free_chain(evicted);
}

struct CachingCpuAllocator final : c10::Allocator {
  c10::DataPtr allocate(size_t wanted) override {
    void* data = wanted == 0 ? nullptr : take(wanted);
    if (data != nullptr && aamt::report_memory.load(std::memory_order_relaxed)) c10::profiledCPUMemoryReporter().New(data, wanted);
    return {data, data, &release_block, c10::Device(c10::DeviceType::CPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release_block; }
  void copy_data(void* destination, const void* source, std::size_t count) const override {
    default_copy_data(destination, source, count);
  }

 private:
  static void* take(size_t wanted) {
    TORCH_CHECK_WITH(OutOfMemoryError, wanted < (size_t{1} << 46), "can't allocate ", wanted, " bytes: no machine has that much memory");
    size_t bytes = wanted + kHeader;
    Block* block;
    if (bytes < kSmallest) {
      block = take_small(bytes);
    } else {
      block = take_large(bytes);
    }
    TORCH_CHECK_WITH(OutOfMemoryError, block != nullptr, "can't allocate memory: ", wanted, " bytes");
    return reinterpret_cast<char*>(block) + kHeader;
  }

  static Block* take_large(size_t bytes) {
    auto& all = cache();
    int size_class = class_of(bytes);
    Block* found = nullptr;
    Block* evicted = nullptr;
    {
      std::lock_guard<std::mutex> guard(all.mutex);
      const int loosest = size_class + (bytes >= kHugeFrom ? kSteps : kLooseFit);
      for (int candidate = size_class; candidate <= loosest; candidate++) {
        Block* block = all.lists[candidate];
        if (!block) continue;
        all.forget(block);
        if (bytes > block->touched) evicted = all.make_room(bytes, bytes - block->touched);
        all.use(block, bytes);
        found = block;
        break;
      }
      if (!found) evicted = all.make_room(bytes, bytes);
    }
    free_chain(evicted);
    if (found) return found;
    Block* block = from_system(bytes_of_class(size_class));
    if (!block) return nullptr;
    block->touched = 0;
    block->size_class = size_class;
    std::lock_guard<std::mutex> guard(all.mutex);
    all.use(block, bytes);
    return block;
  }
};

// Installed when the library is loaded, before the first tensor is made.
const bool installed = [] {
  c10::SetCPUAllocator(new CachingCpuAllocator(), /*priority=*/1);
  return true;
}();

}  // namespace
}  // namespace aamt

int32_t aamt_cpu_memory(double* out) {
  AAMT_GUARD({
    aamt::need(out, 4);
    auto& all = aamt::cache();
    std::lock_guard<std::mutex> guard(all.mutex);
    out[0] = static_cast<double>(all.allocated);
    out[1] = static_cast<double>(all.peak);
    out[2] = static_cast<double>(all.cached);
    out[3] = static_cast<double>(all.limit);
    return aamt::installed ? 0 : AAMT_ERR_OTHER;
  })
}

int32_t aamt_cpu_memory_reset_peak(void) {
  auto& all = aamt::cache();
  std::lock_guard<std::mutex> guard(all.mutex);
  all.peak = all.allocated;
  return 0;
}

int32_t aamt_cpu_cache_limit(double bytes) {
  AAMT_GUARD({
    size_t limit = aamt::byte_count(bytes);
    auto& all = aamt::cache();
    aamt::Block* evicted;
    {
      std::lock_guard<std::mutex> guard(all.mutex);
      all.limit = limit;
      evicted = all.evict(all.limit);
    }
    aamt::free_chain(evicted);
    return 0;
  })
}

int32_t aamt_cpu_empty_cache(void) {
  AAMT_GUARD(aamt::flush(); return 0;)
}
