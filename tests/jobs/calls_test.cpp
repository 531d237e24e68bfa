// Every one-sided call and every synchronisation on one window that one job, or two jobs at the same time, work on:
// what all of them did is exact. Arguments: job=NUMBER of this one, makers= and guests= the ranks of the first and of
// the second (0: there is none), structure=, manifestation=.
#include <chrono>
#include <complex>
#include <functional>
#include <numeric>

#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

constexpr int kSteps = 40;
constexpr MPI_Aint kArea = 64;  // longs of each region that a test has for itself
constexpr MPI_Aint kAreas = 20;
constexpr MPI_Aint kCommon = 32;  // place of what all change, after the slots of the participants
constexpr auto kMeetingLimit = std::chrono::seconds{60};

class Calls : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    makers_ = std::stoi(argument("makers"));
    guests_ = std::stoi(argument("guests"));
    const bool maker = argument("job") == "0";
    flat_ = argument("structure") == "raw_and_flat";
    participant_ = world_rank() + (maker ? 0 : makers_);
    win_ = maker ? make() : connected_window("calls.window");
    stop_at("ready");
  }

  static void TearDownTestSuite() {
    if (participant_ >= makers_ || guests_ == 0) {
      remove_window(win_);
    } else {
      EXPECT_EQ(MPI_Win_free(&win_), MPI_SUCCESS);
    }
  }

  void SetUp() override {
    ASSERT_NE(win_, MPI_WIN_NULL);
    ASSERT_LT(area_, kAreas);
  }
  void TearDown() override {
    meet();
    ++area_;
  }

  static MPI_Win make() {
    const std::size_t bytes = flat_ && world_rank() != 0 ? 0 : kAreas * kArea * sizeof(long);
    return allocate({{"psnam_manifestation", manifestation_of(argument("manifestation"), world_rank())},
                     {"psnam_structure", "psnam_structure_" + argument("structure")},
                     {"psnam_consistency", "psnam_consistency_persistent"},
                     {"psnam_window_name", "calls.window"}},
                    bytes, sizeof(long));
  }

  [[nodiscard]] static int participants() { return makers_ + guests_; }
  [[nodiscard]] static int regions() { return flat_ ? 1 : makers_; }
  [[nodiscard]] static MPI_Aint place(MPI_Aint slot) { return area_ * kArea + slot; }
  [[nodiscard]] static long mark(int participant, int region) { return 1000 * area_ + 100 * participant + region + 7; }

  /// All ranks of all jobs come here; outside epochs. The counter is the last place of the first region.
  static void meet() {
    MPI_Barrier(MPI_COMM_WORLD);
    if (world_rank() == 0 && guests_ != 0) meet_the_other_job();
    MPI_Barrier(MPI_COMM_WORLD);
  }
  static void meet_the_other_job() {
    const long before = count_meeting(MPI_SUM);
    const long both = before / 2 * 2 + 2;
    const auto end = std::chrono::steady_clock::now() + kMeetingLimit;
    for (long now = before + 1; now < both; now = count_meeting(MPI_NO_OP))
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "the other job does not come";
  }
  /// No lock is held while this job waits: the other may need it exclusively before it comes.
  static long count_meeting(MPI_Op op) {
    const MPI_Aint counter = kAreas * kArea - 1;
    const long one = 1;
    long before = 0;
    EXPECT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, 0, 0, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Fetch_and_op(&one, &before, MPI_LONG, 0, counter, op, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_unlock(0, win_), MPI_SUCCESS);
    return before;
  }

  template <class T = long>
  [[nodiscard]] static T value_at(int region, MPI_Aint slot, MPI_Datatype type = MPI_LONG) {
    T value{};
    EXPECT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, region, 0, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Get(&value, 1, type, region, place(slot), 1, type, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_unlock(region, win_), MPI_SUCCESS);
    return value;
  }

  /// Everybody's slot in every region holds its mark.
  static void expect_marks(int regions_marked) {
    meet();
    for (int region = 0; region < regions_marked; ++region)
      for (int other = 0; other < participants(); ++other)
        EXPECT_EQ(value_at(region, other), mark(other, region)) << "participant " << other << " region " << region;
  }

  static void expect_common(long each) {
    meet();
    for (int region = 0; region < regions(); ++region)
      EXPECT_EQ(value_at(region, kCommon), each * participants()) << "region " << region;
  }

  /// `draw(region, step)` gives the value before one was added: all of these are different, from 0 on, over all jobs.
  static void expect_tickets(const std::function<long(int, int)>& draw) {
    ASSERT_EQ(MPI_Win_lock_all(0, win_), MPI_SUCCESS);
    for (int region = 0; region < regions(); ++region) {
      long sum = 0;
      long last = -1;
      for (int step = 0; step < kSteps; ++step) {
        const long ticket = draw(region, step);
        EXPECT_GT(ticket, last);
        last = ticket;
        sum += ticket;
      }
      EXPECT_EQ(MPI_Put(&sum, 1, MPI_LONG, region, place(participant_), 1, MPI_LONG, win_), MPI_SUCCESS);
      EXPECT_EQ(MPI_Win_flush(region, win_), MPI_SUCCESS);
    }
    ASSERT_EQ(MPI_Win_unlock_all(win_), MPI_SUCCESS);
    expect_common(kSteps);
    const long all = static_cast<long>(kSteps) * participants();
    for (int region = 0; region < regions(); ++region) {
      long sum = 0;
      for (int other = 0; other < participants(); ++other) sum += value_at(region, other);
      EXPECT_EQ(sum, all * (all - 1) / 2) << "region " << region;
    }
  }

  static void wait_all_with_a_message(std::vector<MPI_Request>& requests) {
    const int sent = 5;
    int received = 0;
    requests.resize(requests.size() + 2);
    MPI_Irecv(&received, 1, MPI_INT, world_rank(), 0, MPI_COMM_WORLD, &requests[requests.size() - 2]);
    MPI_Isend(&sent, 1, MPI_INT, world_rank(), 0, MPI_COMM_WORLD, &requests[requests.size() - 1]);
    EXPECT_EQ(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE), MPI_SUCCESS);
    EXPECT_EQ(received, sent);
    requests.clear();
  }

  static inline int makers_ = 0, guests_ = 0, participant_ = 0;
  static inline bool flat_ = false;
  static inline MPI_Aint area_ = 0;
  static inline MPI_Win win_ = MPI_WIN_NULL;
};

TEST_F(Calls, PutAndGetBetweenFences) {
  ASSERT_EQ(MPI_Win_fence(MPI_MODE_NOPRECEDE, win_), MPI_SUCCESS);
  std::vector<long> marks;
  for (int region = 0; region < regions(); ++region) marks.push_back(mark(participant_, region));
  for (int region = 0; region < regions(); ++region)
    EXPECT_EQ(
        MPI_Put(&marks[static_cast<std::size_t>(region)], 1, MPI_LONG, region, place(participant_), 1, MPI_LONG, win_),
        MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win_), MPI_SUCCESS);
  expect_marks(regions());
  std::vector<long> slots(static_cast<std::size_t>(participants()));
  const int count = participants();
  for (int region = 0; region < regions(); ++region) {
    ASSERT_EQ(MPI_Win_fence(0, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Get(slots.data(), count, MPI_LONG, region, place(0), count, MPI_LONG, win_), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win_), MPI_SUCCESS);
    for (int other = 0; other < count; ++other) EXPECT_EQ(slots[static_cast<std::size_t>(other)], mark(other, region));
  }
}

TEST_F(Calls, PutBetweenStartAndComplete) {
  MPI_Group all = MPI_GROUP_NULL;
  MPI_Comm_group(MPI_COMM_WORLD, &all);
  const int reached = std::min(regions(), world_size());
  for (const bool by_test : {false, true}) {
    ASSERT_EQ(MPI_Win_post(all, 0, win_), MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_start(all, 0, win_), MPI_SUCCESS);
    std::vector<long> marks;
    for (int region = 0; region < reached; ++region) marks.push_back(by_test ? mark(participant_, region) : -1);
    for (int region = 0; region < reached; ++region)
      EXPECT_EQ(MPI_Put(&marks[static_cast<std::size_t>(region)], 1, MPI_LONG, region, place(participant_), 1, MPI_LONG,
                        win_),
                MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_complete(win_), MPI_SUCCESS);
    int done = by_test ? 0 : 1;
    while (done == 0 && MPI_Win_test(win_, &done) == MPI_SUCCESS) {
    }
    EXPECT_NE(done, 0);
    if (!by_test) {
      EXPECT_EQ(MPI_Win_wait(win_), MPI_SUCCESS);
    }
  }
  MPI_Group_free(&all);
  expect_marks(std::min({regions(), makers_, guests_ == 0 ? makers_ : guests_}));
}

TEST_F(Calls, ReadModifyWriteUnderAnExclusiveLock) {
  for (int region = 0; region < regions(); ++region)
    for (int step = 0; step < kSteps; ++step) {
      long value = 0;
      ASSERT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, region, 0, win_), MPI_SUCCESS);
      ASSERT_EQ(MPI_Get(&value, 1, MPI_LONG, region, place(kCommon), 1, MPI_LONG, win_), MPI_SUCCESS);
      ASSERT_EQ(step % 2 == 0 ? MPI_Win_flush(region, win_) : MPI_Win_flush_local(region, win_), MPI_SUCCESS);
      ++value;
      ASSERT_EQ(MPI_Put(&value, 1, MPI_LONG, region, place(kCommon), 1, MPI_LONG, win_), MPI_SUCCESS);
      ASSERT_EQ(MPI_Win_unlock(region, win_), MPI_SUCCESS);
    }
  expect_common(kSteps);
}

TEST_F(Calls, RputAndRgetWithRequests) {
  ASSERT_EQ(MPI_Win_lock_all(MPI_MODE_NOCHECK, win_), MPI_SUCCESS);
  std::vector<MPI_Request> requests(static_cast<std::size_t>(regions()), MPI_REQUEST_NULL);
  std::vector<long> marks;
  std::vector<long> back(requests.size(), -1);
  for (int region = 0; region < regions(); ++region) marks.push_back(mark(participant_, region));
  for (std::size_t i = 0; i < marks.size(); ++i)
    EXPECT_EQ(
        MPI_Rput(&marks[i], 1, MPI_LONG, static_cast<int>(i), place(participant_), 1, MPI_LONG, win_, &requests[i]),
        MPI_SUCCESS);
  wait_all_with_a_message(requests);
  ASSERT_EQ(MPI_Win_flush_all(win_), MPI_SUCCESS);
  requests.resize(marks.size());
  for (std::size_t i = 0; i < marks.size(); ++i)
    EXPECT_EQ(
        MPI_Rget(&back[i], 1, MPI_LONG, static_cast<int>(i), place(participant_), 1, MPI_LONG, win_, &requests[i]),
        MPI_SUCCESS);
  wait_all_with_a_message(requests);
  EXPECT_EQ(back, marks);
  ASSERT_EQ(MPI_Win_unlock_all(win_), MPI_SUCCESS);
  expect_marks(regions());
}

TEST_F(Calls, Accumulate) {
  const long one = 1;
  ASSERT_EQ(MPI_Win_lock_all(0, win_), MPI_SUCCESS);
  for (int step = 0; step < kSteps; ++step)
    for (int region = 0; region < regions(); ++region)
      EXPECT_EQ(MPI_Accumulate(&one, 1, MPI_LONG, region, place(kCommon), 1, MPI_LONG, MPI_SUM, win_), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_flush_local_all(win_), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_unlock_all(win_), MPI_SUCCESS);
  expect_common(kSteps);
}

TEST_F(Calls, AccumulateBetweenFences) {
  const long one = 1;
  ASSERT_EQ(MPI_Win_fence(0, win_), MPI_SUCCESS);
  for (int step = 0; step < kSteps; ++step)
    for (int region = 0; region < regions(); ++region)
      EXPECT_EQ(MPI_Accumulate(&one, 1, MPI_LONG, region, place(kCommon), 1, MPI_LONG, MPI_SUM, win_), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win_), MPI_SUCCESS);
  expect_common(kSteps);
}

TEST_F(Calls, GetAccumulate) {
  expect_tickets([](int region, int) {
    const long one = 1;
    long before = -1;
    EXPECT_EQ(
        MPI_Get_accumulate(&one, 1, MPI_LONG, &before, 1, MPI_LONG, region, place(kCommon), 1, MPI_LONG, MPI_SUM, win_),
        MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_flush(region, win_), MPI_SUCCESS);
    return before;
  });
}

TEST_F(Calls, FetchAndOp) {
  expect_tickets([](int region, int) {
    const long one = 1;
    long before = -1;
    EXPECT_EQ(MPI_Fetch_and_op(&one, &before, MPI_LONG, region, place(kCommon), MPI_SUM, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_flush(region, win_), MPI_SUCCESS);
    return before;
  });
}

TEST_F(Calls, CompareAndSwap) {
  expect_tickets([](int region, int) {
    long expected = 0;
    for (;;) {
      const long wanted = expected + 1;
      long found = -1;
      EXPECT_EQ(MPI_Compare_and_swap(&wanted, &expected, &found, MPI_LONG, region, place(kCommon), win_), MPI_SUCCESS);
      EXPECT_EQ(MPI_Win_flush(region, win_), MPI_SUCCESS);
      if (found == expected || testing::Test::HasFailure()) return expected;
      expected = found;
    }
  });
}

TEST_F(Calls, RgetAccumulateWithRequests) {
  expect_tickets([](int region, int) {
    const long one = 1;
    long before = -1;
    std::vector<MPI_Request> requests(1, MPI_REQUEST_NULL);
    EXPECT_EQ(MPI_Rget_accumulate(&one, 1, MPI_LONG, &before, 1, MPI_LONG, region, place(kCommon), 1, MPI_LONG, MPI_SUM,
                                  win_, requests.data()),
              MPI_SUCCESS);
    wait_all_with_a_message(requests);
    return before;
  });
}

TEST_F(Calls, RaccumulateWithRequests) {
  const long one = 1;
  ASSERT_EQ(MPI_Win_lock_all(0, win_), MPI_SUCCESS);
  for (int step = 0; step < kSteps; ++step) {
    std::vector<MPI_Request> requests(static_cast<std::size_t>(regions()), MPI_REQUEST_NULL);
    for (std::size_t i = 0; i < requests.size(); ++i)
      EXPECT_EQ(MPI_Raccumulate(&one, 1, MPI_LONG, static_cast<int>(i), place(kCommon), 1, MPI_LONG, MPI_SUM, win_,
                                &requests[i]),
                MPI_SUCCESS);
    wait_all_with_a_message(requests);
  }
  ASSERT_EQ(MPI_Win_unlock_all(win_), MPI_SUCCESS);
  expect_common(kSteps);
}

TEST_F(Calls, LargeCountPutAndGetAndTheirRequests) {
  const MPI_Count one = 1;
  ASSERT_EQ(MPI_Win_lock_all(0, win_), MPI_SUCCESS);
  for (int region = 0; region < regions(); ++region) {
    const long value = mark(participant_, region);
    long back[2] = {-1, -1};
    const MPI_Aint slot = place(participant_);
    std::vector<MPI_Request> requests(1, MPI_REQUEST_NULL);
    if (region % 2 == 0) {
      EXPECT_EQ(MPI_Put_c(&value, one, MPI_LONG, region, slot, one, MPI_LONG, win_), MPI_SUCCESS);
    } else {
      EXPECT_EQ(MPI_Rput_c(&value, one, MPI_LONG, region, slot, one, MPI_LONG, win_, requests.data()), MPI_SUCCESS);
      wait_all_with_a_message(requests);
      requests.resize(1);
    }
    EXPECT_EQ(MPI_Win_flush(region, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Get_c(&back[0], one, MPI_LONG, region, slot, one, MPI_LONG, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Rget_c(&back[1], one, MPI_LONG, region, slot, one, MPI_LONG, win_, requests.data()), MPI_SUCCESS);
    wait_all_with_a_message(requests);
    EXPECT_EQ(MPI_Win_flush_local(region, win_), MPI_SUCCESS);
    EXPECT_EQ(back[0], value);
    EXPECT_EQ(back[1], value);
  }
  ASSERT_EQ(MPI_Win_unlock_all(win_), MPI_SUCCESS);
  expect_marks(regions());
}

TEST_F(Calls, LargeCountAccumulatesAndTheirRequests) {
  expect_tickets([](int region, int step) {
    const MPI_Count one = 1;
    const long added = 1;
    const long nothing = 0;
    const MPI_Aint slot = place(kCommon);
    long before = -1;
    std::vector<MPI_Request> requests(1, MPI_REQUEST_NULL);
    // The sum takes one of two ways to one; the other way adds nothing.
    if (step % 2 == 0) {
      EXPECT_EQ(MPI_Get_accumulate_c(&added, one, MPI_LONG, &before, one, MPI_LONG, region, slot, one, MPI_LONG,
                                     MPI_SUM, win_),
                MPI_SUCCESS);
      EXPECT_EQ(MPI_Raccumulate_c(&nothing, one, MPI_LONG, region, slot, one, MPI_LONG, MPI_SUM, win_, requests.data()),
                MPI_SUCCESS);
    } else {
      EXPECT_EQ(MPI_Accumulate_c(&nothing, one, MPI_LONG, region, slot, one, MPI_LONG, MPI_SUM, win_), MPI_SUCCESS);
      EXPECT_EQ(MPI_Rget_accumulate_c(&added, one, MPI_LONG, &before, one, MPI_LONG, region, slot, one, MPI_LONG,
                                      MPI_SUM, win_, requests.data()),
                MPI_SUCCESS);
    }
    wait_all_with_a_message(requests);
    EXPECT_EQ(MPI_Win_flush(region, win_), MPI_SUCCESS);
    return before;
  });
}

TEST_F(Calls, SumsThatNoProcessorMakes) {
  const std::complex<double> added{1.0, -2.0};
  ASSERT_EQ(MPI_Win_lock_all(0, win_), MPI_SUCCESS);
  for (int step = 0; step < kSteps; ++step)
    for (int region = 0; region < regions(); ++region)
      EXPECT_EQ(MPI_Accumulate(&added, 1, MPI_C_DOUBLE_COMPLEX, region, place(kCommon), 1, MPI_C_DOUBLE_COMPLEX,
                               MPI_SUM, win_),
                MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_unlock_all(win_), MPI_SUCCESS);
  meet();
  for (int region = 0; region < regions(); ++region)
    EXPECT_EQ(value_at<std::complex<double>>(region, kCommon, MPI_C_DOUBLE_COMPLEX),
              added * static_cast<double>(kSteps * participants()));
}

TEST_F(Calls, TheLargestAndWhoHadIt) {
  struct Pair {
    long value;
    int index;
  };
  for (int region = 0; region < regions(); ++region) {
    const Pair mine{1000 + (participant_ * 3 + region) % participants(), participant_};
    ASSERT_EQ(MPI_Win_lock(MPI_LOCK_SHARED, region, 0, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Accumulate(&mine, 1, MPI_LONG_INT, region, place(kCommon), 1, MPI_LONG_INT, MPI_MAXLOC, win_),
              MPI_SUCCESS);
    ASSERT_EQ(MPI_Win_unlock(region, win_), MPI_SUCCESS);
  }
  meet();
  for (int region = 0; region < regions(); ++region) {
    Pair best{-1, -1};
    for (int other = 0; other < participants(); ++other) {
      const long value = 1000 + (other * 3 + region) % participants();
      if (value > best.value) best = {value, other};
    }
    const Pair found = value_at<Pair>(region, kCommon, MPI_LONG_INT);
    EXPECT_EQ(found.value, best.value);
    EXPECT_EQ(found.index, best.index);
  }
}

TEST_F(Calls, DerivedTypesOnBothSides) {
  // Participant p has every participants()-th long from p on.
  constexpr int kBlocks = 3;
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_vector(kBlocks, 1, participants(), MPI_LONG, &type);
  MPI_Type_commit(&type);
  std::vector<long> values(static_cast<std::size_t>(kBlocks * participants()), -1);
  for (int block = 0; block < kBlocks; ++block)
    values[static_cast<std::size_t>(block * participants())] = mark(participant_, block);
  ASSERT_EQ(MPI_Win_lock_all(0, win_), MPI_SUCCESS);
  for (int region = 0; region < regions(); ++region) {
    EXPECT_EQ(MPI_Put(values.data(), 1, type, region, place(participant_), 1, type, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_flush(region, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Accumulate(values.data(), 1, type, region, place(participant_), 1, type, MPI_SUM, win_), MPI_SUCCESS);
  }
  ASSERT_EQ(MPI_Win_sync(win_), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_unlock_all(win_), MPI_SUCCESS);
  MPI_Type_free(&type);
  meet();
  for (int region = 0; region < regions(); ++region)
    for (int block = 0; block < kBlocks; ++block)
      for (int other = 0; other < participants(); ++other)
        EXPECT_EQ(value_at(region, block * participants() + other), 2 * mark(other, block));
}

TEST_F(Calls, ReplaceAndNoOp) {
  const long mine = mark(participant_, 0);
  long before = -1;
  long now = -1;
  ASSERT_EQ(MPI_Win_lock_all(0, win_), MPI_SUCCESS);
  for (int region = 0; region < regions(); ++region) {
    EXPECT_EQ(MPI_Fetch_and_op(&mine, &before, MPI_LONG, region, place(participant_), MPI_REPLACE, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_flush(region, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Fetch_and_op(nullptr, &now, MPI_LONG, region, place(participant_), MPI_NO_OP, win_), MPI_SUCCESS);
    EXPECT_EQ(MPI_Win_flush(region, win_), MPI_SUCCESS);
    EXPECT_EQ(before, 0);
    EXPECT_EQ(now, mine);
  }
  ASSERT_EQ(MPI_Win_unlock_all(win_), MPI_SUCCESS);
}

}  // namespace
}  // namespace psnam::test
