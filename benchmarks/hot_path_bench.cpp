// The parts of the hot path by themselves, in one process: the look-up of a handle, and the copy of short and long
// messages.
#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "backends/copy.hpp"
#include "base/handle_table.hpp"

namespace psnam {
namespace {

constexpr int kFirstHandle = static_cast<int>(0xa0000000U);

void HandleOfAnotherWindow(benchmark::State& state) {
  HandleTable<int> table;
  int value = 0;
  for (int i = 0; i < state.range(0); ++i) table.insert(kFirstHandle + 2 * i, &value);
  int handle = kFirstHandle + 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(handle);
    benchmark::DoNotOptimize(table.find(handle));
  }
}
BENCHMARK(HandleOfAnotherWindow)->Arg(0)->Arg(1)->Arg(1000);

void HandleOfOurWindow(benchmark::State& state) {
  HandleTable<int> table;
  int value = 0;
  for (int i = 0; i < state.range(0); ++i) table.insert(kFirstHandle + i, &value);
  int handle = kFirstHandle;
  for (auto _ : state) {
    benchmark::DoNotOptimize(handle);
    benchmark::DoNotOptimize(table.find(handle));
  }
}
BENCHMARK(HandleOfOurWindow)->Arg(1)->Arg(1000);

template <class Copy>
void copy_repeatedly(benchmark::State& state, Copy&& copy) {
  auto bytes = static_cast<std::size_t>(state.range(0));
  std::vector<std::byte> from(bytes), to(bytes);
  for (auto _ : state) {
    benchmark::DoNotOptimize(bytes);
    copy(to.data(), from.data(), bytes);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void CopyOfAPut(benchmark::State& state) {
  copy_repeatedly(
      state, [](std::byte* to, const std::byte* from, std::size_t bytes) { backends::copy_bytes(to, from, bytes); });
}
BENCHMARK(CopyOfAPut)->Arg(8)->Arg(24)->Arg(100)->Arg(64 << 10)->Arg(16 << 20);

void CopyByMemcpy(benchmark::State& state) {
  copy_repeatedly(state, [](std::byte* to, const std::byte* from, std::size_t bytes) { std::memcpy(to, from, bytes); });
}
BENCHMARK(CopyByMemcpy)->Arg(8)->Arg(24)->Arg(100)->Arg(64 << 10)->Arg(16 << 20);

}  // namespace
}  // namespace psnam

BENCHMARK_MAIN();
