// Windows in segments of other windows and of free-standing allocations.
#include "nam/catalog.hpp"
#include "support/memory_fixture.hpp"

namespace psnam::nam {
namespace {

using format::Consistency;
using test::draft_of;
using test::existing;
using test::me;
using test::nobody;
using test::segment_of;

class StoreSegments : public test::MemoryTest {};

TEST_F(StoreSegments, ASegmentIsAPartOfItsParentsFile) {
  const auto grant = allocate(10000);
  const auto window = in_segments("", {100, 200}, {segment_of(grant.id), segment_of(grant.id)});
  const auto& regions = window.window.regions;
  EXPECT_EQ(regions[0].source, format::RegionSource::segment);
  EXPECT_EQ(regions[0].allocation_id, grant.id);
  EXPECT_EQ(regions[0].offset_bytes, 0U);
  EXPECT_EQ(regions[1].offset_bytes, 128U) << "at the next multiple of 64";
  const auto second = record(regions[1].segment_id);
  EXPECT_EQ(second.window_id, window.window.id);
  EXPECT_EQ(second.parent_id, grant.id);
  EXPECT_EQ(second.root_id, grant.id);
  EXPECT_EQ(second.offset_bytes, 128U);
  EXPECT_EQ(second.root_offset_bytes, 128U);
  EXPECT_EQ(second.size_bytes, 200U);
  EXPECT_EQ(reserved(), 10000U) << "a segment takes no capacity";
  expect_clean();
  ASSERT_TRUE(store().close(window.use_id));
  EXPECT_EQ(report(grant.id).segments, 0U);
  EXPECT_EQ(report(grant.id).largest_free_bytes, 10000U);
  expect_clean();
}

TEST_F(StoreSegments, SegmentsOfSegmentsCountFromTheRoot) {
  const auto grant = allocate(10000);
  const auto outer = in_segments("", {4000}, {segment_of(grant.id, 1000)});
  const std::uint64_t outer_id = outer.window.regions[0].segment_id;
  const auto inner = in_segments("", {500}, {segment_of(outer_id, 300)});
  const auto deepest = in_segments("", {64}, {segment_of(inner.window.regions[0].segment_id)});
  EXPECT_EQ(inner.window.regions[0].allocation_id, grant.id);
  EXPECT_EQ(inner.window.regions[0].offset_bytes, 1300U);
  EXPECT_EQ(deepest.window.regions[0].offset_bytes, 1344U) << "the first multiple of 64 from 1300 on";
  EXPECT_EQ(record(deepest.window.regions[0].segment_id).offset_bytes, 44U);
  expect_clean();
}

TEST_F(StoreSegments, AreCutFromAWindowsOwnMemoryToo) {
  const auto parent = make("", {5000});
  const auto child = in_segments("", {5000}, {segment_of(parent.window.regions[0].allocation_id)});
  EXPECT_EQ(child.window.regions[0].allocation_id, parent.window.regions[0].allocation_id);
  expect_clean();
}

TEST_F(StoreSegments, RegionsOfOneDraftAllocationShareASegment) {
  const auto grant = allocate(10000);
  auto draft = draft_of("", {100, 50, 0});
  draft.regions[1].allocation_id = 1;
  draft.regions[1].offset_bytes = 100;
  draft.regions[2].allocation_id = 0;
  draft.regions[2].offset_bytes = 150;
  const auto use = store().create(draft, {{segment_of(grant.id, 1000)}}, me());
  ASSERT_TRUE(use) << use.error().message;
  const auto& regions = use->window.regions;
  EXPECT_EQ(regions[0].segment_id, regions[1].segment_id);
  EXPECT_EQ(regions[0].offset_bytes, 1000U);
  EXPECT_EQ(regions[1].offset_bytes, 1100U);
  EXPECT_EQ(regions[2].allocation_id, 0U);
  EXPECT_EQ(record(regions[0].segment_id).size_bytes, 150U);
  expect_clean();
}

TEST_F(StoreSegments, ExplicitOffsetsAreTakenBeforeAnyPlaceIsFound) {
  const auto grant = allocate(1000);
  const auto window = in_segments("", {100, 100}, {segment_of(grant.id), segment_of(grant.id, 0)});
  EXPECT_EQ(window.window.regions[1].offset_bytes, 0U);
  EXPECT_EQ(window.window.regions[0].offset_bytes, 128U);
}

TEST_F(StoreSegments, WithoutBytesThereIsNone) {
  const auto grant = allocate(1000);
  const auto window = in_segments("", {0}, {segment_of(grant.id, 5000)});
  EXPECT_EQ(window.window.regions[0].allocation_id, 0U);
  EXPECT_EQ(window.window.regions[0].segment_id, 0U);
  EXPECT_EQ(report(grant.id).segments, 0U);
  expect_clean();
}

TEST_F(StoreSegments, WhatCannotBeCutChangesNothing) {
  const auto grant = allocate(1000);
  const auto taken = in_segments("", {100}, {segment_of(grant.id, 500)});
  const auto before = store().summary();
  ASSERT_TRUE(before);
  const auto fails = [&](const AllocationSource& second, Code code, const char* part, std::uint64_t size = 100) {
    EXPECT_FAILS(store().create(draft_of("", {10, size}), {{segment_of(grant.id), second}}, me()), code, part);
  };
  fails(segment_of(grant.id, 450), Code::info_value, "overlaps a taken part: bytes 500 to 600 are the segment");
  fails(segment_of(grant.id, 901), Code::info_value, "offset 901 is not inside the allocation");
  fails(segment_of(grant.id), Code::no_memory, "largest free part has 500", 501);
  fails(segment_of(777), Code::name_not_found, "no allocation 777");
  fails(segment_of(taken.window.id), Code::name_not_found, "no allocation");
  auto odd = segment_of(grant.id);
  odd.alignment_bytes = 48;
  fails(odd, Code::info_value, "48 bytes");
  const auto after = store().summary();
  ASSERT_TRUE(after);
  EXPECT_EQ(after->windows, before->windows);
  EXPECT_EQ(after->allocations, before->allocations);
  EXPECT_EQ(report(grant.id).segments, 1U);
  expect_clean();
}

TEST_F(StoreSegments, AVolatileParentLivesUntilItsLastChildIsGone) {
  auto parent = make("", {5000});
  const std::uint64_t id = parent.window.regions[0].allocation_id;
  const auto child = in_segments("", {100}, {segment_of(id)});
  const auto grandchild = in_segments("", {10}, {segment_of(child.window.regions[0].segment_id)});
  ASSERT_TRUE(store().close(parent.use_id));
  ASSERT_TRUE(store().close(child.use_id));
  EXPECT_TRUE(store().open_range(id, 0, 5000, Protection::read_write)) << "the memory is there";
  expect_clean();
  EXPECT_FAILS(store().create(draft_of("", {1}), {{segment_of(id)}}, me()), Code::name_not_found, "being released");
  const auto late = in_segments("", {1}, {segment_of(grandchild.window.regions[0].segment_id)});
  ASSERT_TRUE(store().close(late.use_id));
  ASSERT_TRUE(store().close(grandchild.use_id));
  expect_empty();
}

TEST_F(StoreSegments, APersistentWindowInAVolatileParentIsRefused) {
  const auto parent = make("parent", {5000});
  const auto child = in_segments("child", {100}, {segment_of(parent.window.regions[0].allocation_id)});
  EXPECT_FAILS(store().set_consistency(child.window.id, Consistency::persistent, false), Code::info_value,
               "goes with the volatile window " + std::to_string(parent.window.id) + " \"parent\"");
  ASSERT_TRUE(store().set_consistency(parent.window.id, Consistency::persistent, false));
  EXPECT_TRUE(store().set_consistency(child.window.id, Consistency::persistent, false));
  expect_clean();
}

TEST_F(StoreSegments, AParentWithChildrenIsNeitherRemovedNorMadeVolatile) {
  const auto parent = make_persistent("parent", {5000});
  const std::uint64_t id = parent.window.regions[0].allocation_id;
  const auto child = in_segments("child", {100}, {segment_of(id)});
  for (int round = 0; round < 2; ++round) {
    EXPECT_FAILS(store().remove("parent"), Code::busy, "\"child\" lies in it");
    EXPECT_FAILS(store().set_consistency(parent.window.id, Consistency::volatile_, false), Code::busy,
                 "cannot be made volatile: the window " + std::to_string(child.window.id));
    EXPECT_TRUE(store().find("parent"));
    if (round == 0) {
      ASSERT_TRUE(store().set_consistency(child.window.id, Consistency::persistent, false));
      ASSERT_TRUE(store().close(child.use_id));
    }
  }
  const auto removed = store().remove("child");
  ASSERT_TRUE(removed);
  EXPECT_TRUE(*removed);
  EXPECT_EQ(report(id).segments, 0U);
  ASSERT_TRUE(store().remove("parent"));
  ASSERT_TRUE(store().close(parent.use_id));
  expect_empty();
}

TEST_F(StoreSegments, TheDeadsSegmentsDoNotHinderTheLiving) {
  const auto parent = make_persistent("parent", {1000});
  const std::uint64_t id = parent.window.regions[0].allocation_id;
  in_segments("", {1000}, {segment_of(id)}, nobody());
  const auto whole = in_segments("", {1000}, {segment_of(id)});
  EXPECT_EQ(whole.window.regions[0].offset_bytes, 0U);
  ASSERT_TRUE(store().close(whole.use_id));
  in_segments("", {10}, {segment_of(id, 5)}, nobody());
  EXPECT_TRUE(store().create(draft_of("", {10}), {{segment_of(id, 0)}}, me()).ok()) << "the place of a dead one";
  expect_clean();
}

TEST_F(StoreSegments, TheDeadsSegmentsDoNotHinderARemoval) {
  const auto parent = make_persistent("parent", {1000});
  in_segments("", {1000}, {segment_of(parent.window.regions[0].allocation_id)}, nobody());
  ASSERT_TRUE(store().close(parent.use_id));
  const auto removed = store().remove("parent");
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(*removed);
  expect_empty();
}

TEST_F(StoreSegments, AFamilyThatDiedIsReleasedByOneCollect) {
  const auto parent = make("", {5000}, nobody());
  const auto child = in_segments("", {1000}, {segment_of(parent.window.regions[0].allocation_id)}, nobody());
  const auto grandchild = in_segments("", {100}, {segment_of(child.window.regions[0].segment_id)}, nobody());
  in_segments("", {100}, {existing(grandchild.window.regions[0].segment_id)}, nobody());
  const auto collected = store().collect();
  ASSERT_TRUE(collected);
  EXPECT_EQ(collected->uses, 4U);
  EXPECT_EQ(collected->windows, 4U);
  EXPECT_EQ(collected->bytes, 5000U);
  expect_empty();
}

TEST_F(StoreSegments, PersistentOnesAreFoundWithTheirMemoryAfterwards) {
  const auto grant = keep(allocate(100000));
  const auto made = in_segments("field", {300, 400}, {segment_of(grant.id, 4000), segment_of(grant.id)});
  for (const auto& region : made.window.regions) {
    auto memory =
        store().open_range(region.allocation_id, region.offset_bytes, region.size_bytes, Protection::read_write);
    ASSERT_TRUE(memory) << memory.error().message;
    ASSERT_EQ(memory->mapping.bytes(), region.size_bytes);
    std::fill_n(memory->mapping.data(), memory->mapping.bytes(), static_cast<std::byte>(region.size_bytes & 0x7f));
  }
  ASSERT_TRUE(store().set_consistency(made.window.id, Consistency::persistent, false));
  ASSERT_TRUE(store().close(made.use_id));
  reopen();
  const auto found = store().find("field");
  ASSERT_TRUE(found) << found.error().message;
  for (const auto& region : found->regions) {
    const auto memory =
        store().open_range(region.allocation_id, region.offset_bytes, region.size_bytes, Protection::read_only);
    ASSERT_TRUE(memory);
    EXPECT_EQ(memory->mapping.data()[0], static_cast<std::byte>(region.size_bytes & 0x7f));
    EXPECT_EQ(memory->mapping.data()[region.size_bytes - 1], static_cast<std::byte>(region.size_bytes & 0x7f));
  }
  const auto whole = store().open_memory(grant.id, 100000, Protection::read_only);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->mapping.data()[3999], std::byte{0});
  EXPECT_EQ(whole->mapping.data()[4000], std::byte{300 & 0x7f});
  EXPECT_EQ(whole->mapping.data()[4300], std::byte{0});
  expect_clean();
}

TEST_F(StoreSegments, AWindowOverAnAllocationRefersToIt) {
  const auto grant = keep(allocate(1000));
  const auto window = in_segments("", {600}, {existing(grant.id)});
  EXPECT_EQ(window.window.regions[0].source, format::RegionSource::existing);
  EXPECT_EQ(window.window.regions[0].allocation_id, grant.id);
  EXPECT_EQ(window.window.regions[0].segment_id, grant.id);
  EXPECT_EQ(report(grant.id).referring_windows, std::vector{window.window.id});
  EXPECT_FAILS(store().free_allocation(grant.id, false), Code::busy, "the window");
  expect_clean();
  // Two windows over one, and segments in it besides.
  const auto other = in_segments("", {1000}, {existing(grant.id)});
  const auto part = in_segments("", {1000}, {segment_of(grant.id)});
  expect_clean();
  for (const auto* use : {&window, &other, &part}) ASSERT_TRUE(store().close(use->use_id));
  const auto freed = store().free_allocation(grant.id, false);
  ASSERT_TRUE(freed) << freed.error().message;
  EXPECT_TRUE(*freed);
  expect_empty();
}

TEST_F(StoreSegments, AWindowOverASegmentHasItsPlace) {
  const auto grant = allocate(1000);
  const auto part = in_segments("", {300}, {segment_of(grant.id, 500)});
  const auto over = in_segments("", {300}, {existing(part.window.regions[0].segment_id)});
  EXPECT_EQ(over.window.regions[0].allocation_id, grant.id);
  EXPECT_EQ(over.window.regions[0].offset_bytes, 500U);
  ASSERT_TRUE(store().close(part.use_id));
  EXPECT_EQ(report(grant.id).segments, 1U) << "kept by the window over it";
  expect_clean();
  ASSERT_TRUE(store().close(over.use_id));
  EXPECT_EQ(report(grant.id).segments, 0U);
}

TEST_F(StoreSegments, AWindowLargerThanWhatItRefersToIsRefused) {
  const auto grant = allocate(1000);
  EXPECT_FAILS(store().create(draft_of("", {1001}), {{existing(grant.id)}}, me()), Code::size,
               "has 1000 bytes, a window over it wants 1001");
  EXPECT_FAILS(store().create(draft_of("", {1, 1}), {{existing(grant.id), existing(grant.id)}}, me()), Code::info_value,
               "two allocations of one window");
  EXPECT_TRUE(report(grant.id).referring_windows.empty());
}

TEST_F(StoreSegments, APersistentWindowOverAVolatileAllocationIsRefused) {
  const auto grant = allocate(1000);
  const auto over = in_segments("", {1000}, {existing(grant.id)});
  EXPECT_FAILS(store().set_consistency(over.window.id, Consistency::persistent, false), Code::info_value,
               "volatile allocation " + std::to_string(grant.id));
}

TEST_F(StoreSegments, ALazyParentsMemoryIsTakenForASegmentThatWantsIt) {
  const auto grant = allocate(std::uint64_t{1} << 30, {.reserve = format::Reserve::lazy});
  const auto blocks = [&] { return blocks_of(grant.id); };
  EXPECT_EQ(blocks(), 0);
  ASSERT_TRUE(store().reserve_range(grant.id, 10000, 1 << 20));
  EXPECT_GE(blocks(), (1 << 20) / 512);
  EXPECT_LE(blocks(), ((1 << 20) + 3 * 4096) / 512);
  const auto first = blocks();
  ASSERT_TRUE(store().reserve_range(grant.id, 10000, 1 << 20));
  EXPECT_EQ(blocks(), first) << "there already";
  ASSERT_TRUE(store().reserve_range(grant.id, 4 << 20, 1 << 20));
  EXPECT_EQ(blocks(), first + (1 << 20) / 512) << "elsewhere in the file";
  EXPECT_FAILS(store().reserve_range(grant.id, std::uint64_t{1} << 30, 1), Code::corrupt, "too few");
  const auto full = allocate(8192);
  const auto before = blocks_of(full.id);
  EXPECT_TRUE(store().reserve_range(full.id, 0, 8192));
  EXPECT_EQ(blocks_of(full.id), before);
}

}  // namespace
}  // namespace psnam::nam
