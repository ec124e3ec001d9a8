// Streams, events and graphs of the accelerator, through LibTorch's interface for any device:
// nothing here names CUDA.
#include <ATen/DeviceAccelerator.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#if __has_include(<ATen/core/GraphImplInterface.h>)
#include <ATen/core/GraphImplInterface.h>
#define AAMT_HAS_GRAPHS 1
#endif
#include <mutex>
#include <unordered_map>
#include "internal.h"

using namespace aamt;

namespace {

c10::DeviceType accelerator() {
  auto type = at::getAccelerator();
  if (!type) throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "there is no accelerator: streams, events and graphs need CUDA");
  return *type;
}

c10::impl::VirtualGuardImpl guard() {
  c10::impl::VirtualGuardImpl found(accelerator());
  if (found.deviceCount() == 0) throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "there is no accelerator: streams, events and graphs need CUDA");
  return found;
}

c10::Stream stream_of(double id, int32_t device) {
  return c10::Stream(c10::Stream::UNSAFE, c10::Device(accelerator(), static_cast<c10::DeviceIndex>(device)), integer(id));
}

void give(const c10::Stream& stream, double* out) {
  need(out, 2);
  out[0] = static_cast<double>(stream.id());
  out[1] = static_cast<double>(stream.device_index());
}

std::mutex things_mutex;
int32_t last_thing = 0;
template <typename T>
std::unordered_map<int32_t, std::shared_ptr<T>>& things() {
  static auto* all = new std::unordered_map<int32_t, std::shared_ptr<T>>();
  return *all;
}
template <typename T>
int32_t add(std::shared_ptr<T> thing) {
  std::lock_guard<std::mutex> lock(things_mutex);
  things<T>().emplace(++last_thing, std::move(thing));
  return last_thing;
}
template <typename T>
std::shared_ptr<T> thing_of(int32_t number) {
  std::lock_guard<std::mutex> lock(things_mutex);
  auto found = things<T>().find(number);
  if (found == things<T>().end()) throw ShimError(AAMT_ERR_HANDLE, "it was disposed already");
  return found->second;
}
template <typename T>
int32_t drop(int32_t number) {
  std::shared_ptr<T> thing;  // let go after the lock
  std::lock_guard<std::mutex> lock(things_mutex);
  auto found = things<T>().find(number);
  if (found == things<T>().end()) return 0;
  thing = std::move(found->second);
  things<T>().erase(found);
  return 1;
}

}  // namespace

int32_t aamt_stream(int32_t how, int32_t device, int32_t priority, double* out) {
  AAMT_GUARD({
    auto found = guard();
    c10::Device where(accelerator(), static_cast<c10::DeviceIndex>(device < 0 ? found.getDevice().index() : device));
    if (where.index() >= found.deviceCount()) throw ShimError(AAMT_ERR_VALUE, "there is no such device");
    give(how == 0 ? found.getStream(where) : how == 1 ? found.getDefaultStream(where) : found.getNewStream(where, priority), out);
    return 0;
  })
}

int32_t aamt_stream_use(double id, int32_t device, double* before) {
  AAMT_GUARD({
    auto found = guard();
    auto stream = stream_of(id, device);
    found.setDevice(stream.device());
    give(found.exchangeStream(stream), before);
    return 0;
  })
}

int32_t aamt_stream_synchronize(double id, int32_t device) {
  AAMT_GUARD(guard().synchronizeStream(stream_of(id, device)); return 0;)
}

int32_t aamt_stream_query(double id, int32_t device) {
  AAMT_GUARD(return guard().queryStream(stream_of(id, device)) ? 1 : 0;)
}

int32_t aamt_record_stream(double tensor, double id, int32_t device) {
  AAMT_GUARD(tensor_of(tensor).record_stream(stream_of(id, device)); return 0;)
}

int32_t aamt_event(int32_t timing) {
  AAMT_GUARD({
    guard();
    auto flag = timing ? c10::EventFlag::BACKEND_DEFAULT : c10::EventFlag::PYTORCH_DEFAULT;
    return add(std::make_shared<c10::Event>(accelerator(), flag));
  })
}

int32_t aamt_event_free(int32_t event) { AAMT_GUARD(return drop<c10::Event>(event);) }

int32_t aamt_event_record(int32_t event, double id, int32_t device) {
  AAMT_GUARD(thing_of<c10::Event>(event)->record(stream_of(id, device)); return 0;)
}

int32_t aamt_event_wait(int32_t event, double id, int32_t device) {
  AAMT_GUARD(thing_of<c10::Event>(event)->block(stream_of(id, device)); return 0;)
}

int32_t aamt_event_synchronize(int32_t event) { AAMT_GUARD(thing_of<c10::Event>(event)->synchronize(); return 0;) }

int32_t aamt_event_query(int32_t event) { AAMT_GUARD(return thing_of<c10::Event>(event)->query() ? 1 : 0;) }

int32_t aamt_event_elapsed(int32_t start, int32_t end, double* milliseconds) {
  AAMT_GUARD({
    need(milliseconds, 1);
    milliseconds[0] = thing_of<c10::Event>(start)->elapsedTime(*thing_of<c10::Event>(end));
    return 0;
  })
}

int32_t aamt_graph(void) {
#ifdef AAMT_HAS_GRAPHS
  AAMT_GUARD({
    auto type = guard().type();
    if (!at::has_graph_impl(type))
      throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "this LibTorch has no graphs for " + c10::DeviceTypeName(type) + " outside Python");
    return add(std::shared_ptr<at::GraphImplInterface>(at::create_graph_impl(type)));
  })
#else
  AAMT_GUARD(throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "this LibTorch has no graphs outside Python");)
#endif
}

int32_t aamt_graph_do(int32_t graph, int32_t what) {
#ifdef AAMT_HAS_GRAPHS
  AAMT_GUARD({
    if (what == 4) return drop<at::GraphImplInterface>(graph);
    auto found = thing_of<at::GraphImplInterface>(graph);
    if (what == 0) found->capture_begin();
    else if (what == 1) found->capture_end();
    else if (what == 2) found->replay();
    else if (what == 3) found->reset();
    else throw ShimError(AAMT_ERR_ARGUMENT, "no such step");
    return 0;
  })
#else
  AAMT_GUARD((void)graph; (void)what; throw ShimError(AAMT_ERR_NOT_IMPLEMENTED, "this LibTorch has no graphs outside Python");)
#endif
}
