// Service names of windows, kept in the catalog, beside those that are the MPI library's own.
#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

const std::string kWindow = "names.window";
const std::string kOther = "names.other";

class Names : public testing::Test {
 protected:
  // Names belong to no communicator: MPI says MPI_COMM_SELF is told of errors, some libraries tell MPI_COMM_WORLD.
  void SetUp() override {
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  }
};

int publish(const std::string& service, const std::string& port) {
  return MPI_Publish_name(service.c_str(), MPI_INFO_NULL, port.c_str());
}
int unpublish(const std::string& service, const std::string& port) {
  return MPI_Unpublish_name(service.c_str(), MPI_INFO_NULL, port.c_str());
}
int lookup(const std::string& service, std::string& port) {
  char buffer[MPI_MAX_PORT_NAME] = "";
  const int rc = MPI_Lookup_name(service.c_str(), MPI_INFO_NULL, buffer);
  port = buffer;
  return rc;
}
std::string found(const std::string& service) {
  std::string port;
  return lookup(service, port) == MPI_SUCCESS ? port : "(nothing)";
}

MPI_Win make(const std::string& name) {
  return allocate({{"psnam_manifestation", "psnam_manifestation_libnam"},
                   {"psnam_consistency", "psnam_consistency_persistent"},
                   {"psnam_window_name", name}},
                  64, 1);
}

class Publisher : public Names {};

TEST_F(Publisher, PublishesTwoServicesForOneWindow) {
  for (const std::string& name : {kWindow, kOther}) {
    MPI_Win win = make(name);
    MPI_Win_free(&win);
  }
  if (world_rank() != 0) return;
  EXPECT_EQ(publish("one", kWindow), MPI_SUCCESS);
  EXPECT_EQ(publish("a service of two words", kWindow), MPI_SUCCESS);
  EXPECT_EQ(found("one"), kWindow);
}

TEST_F(Publisher, OfATakenServiceIsRefused) {
  if (world_rank() != 0) return;
  for (const std::string& name : {kWindow, kOther}) {
    const int rc = publish("one", name);
    EXPECT_EQ(error_class(rc), MPI_ERR_SERVICE) << error_text(rc);
  }
  EXPECT_EQ(found("one"), kWindow);
}

class User : public Names {};

TEST_F(User, FindsServicesOfAnEarlierJobOnEveryRank) {
  EXPECT_EQ(found("one"), kWindow);
  EXPECT_EQ(found("a service of two words"), kWindow);
  MPI_Win win = connected_window(found("one"));
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST_F(User, DoesNotUnpublishUnderAnotherPort) {
  const int rc = unpublish("one", kOther);
  EXPECT_NE(rc, MPI_SUCCESS);
  EXPECT_EQ(found("one"), kWindow);
}

TEST_F(User, UnpublishesAndPublishesAgainForAnotherWindow) {
  if (world_rank() != 0) return;
  EXPECT_EQ(unpublish("one", kWindow), MPI_SUCCESS);
  EXPECT_EQ(found("one"), "(nothing)");
  EXPECT_NE(unpublish("one", kWindow), MPI_SUCCESS);
  EXPECT_EQ(publish("one", kOther), MPI_SUCCESS);
  EXPECT_EQ(found("one"), kOther);
  EXPECT_EQ(found("a service of two words"), kWindow);
}

class Ender : public Names {};

TEST_F(Ender, UnpublishesThenRemoves) {
  MPI_Win win = connected_window(kOther);
  if (world_rank() == 0) {
    EXPECT_EQ(unpublish("one", kOther), MPI_SUCCESS);
  }
  MPI_Barrier(MPI_COMM_WORLD);
  remove_window(win);
  EXPECT_EQ(found("one"), "(nothing)");
}

TEST_F(Ender, MakesVolatileThenUnpublishes) {
  MPI_Win win = connected_window(kWindow);
  EXPECT_EQ(MPI_Win_set_info(win, Info{{"psnam_consistency", "psnam_consistency_volatile"}}), MPI_SUCCESS);
  EXPECT_EQ(found("a service of two words"), "(nothing)");
  MPI_Barrier(MPI_COMM_WORLD);
  if (world_rank() == 0) {
    const int rc = unpublish("a service of two words", kWindow);
    EXPECT_EQ(rc, MPI_SUCCESS) << error_text(rc);
  }
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

/// Says in one line for each step what the MPI library answers; the script compares the lines with and without the
/// window library.
class Native : public Names {};

void tell(const std::string& what, int rc) {
  std::cout << "native: " << what << ": class " << error_class(rc) << std::endl;
}

TEST_F(Native, NamesAreTheMpiLibrarysOwn) {
  if (world_rank() != 0) return;
  std::string port;
  tell("lookup of an unknown service", lookup("never published", port));
  tell("publish", publish("native", "tag#0$some native port name$"));
  tell("lookup", lookup("native", port));
  std::cout << "native: found " << port << std::endl;
  tell("unpublish", unpublish("native", "tag#0$some native port name$"));
  tell("lookup after unpublish", lookup("native", port));
  tell("unpublish of an unknown service", unpublish("native", "tag#0$some native port name$"));
}

/// Two halves of one job, where the MPI library can do that.
TEST_F(Native, ConnectAndAcceptAreTheMpiLibrarysOwn) {
  char port[MPI_MAX_PORT_NAME] = "";
  int rc = MPI_SUCCESS;
  if (world_rank() == 0) rc = MPI_Open_port(MPI_INFO_NULL, port);
  MPI_Bcast(&rc, 1, MPI_INT, 0, MPI_COMM_WORLD);
  if (world_rank() == 0) tell("open port", rc);
  if (rc != MPI_SUCCESS) return;
  MPI_Bcast(port, MPI_MAX_PORT_NAME, MPI_CHAR, 0, MPI_COMM_WORLD);
  MPI_Comm inter = MPI_COMM_NULL;
  rc = world_rank() == 0 ? MPI_Comm_accept(port, MPI_INFO_NULL, 0, MPI_COMM_SELF, &inter)
                         : MPI_Comm_connect(port, MPI_INFO_NULL, 0, MPI_COMM_SELF, &inter);
  ASSERT_EQ(rc, MPI_SUCCESS) << error_text(rc);
  int sum = 0;
  const int one = 1 + world_rank();
  EXPECT_EQ(MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, inter), MPI_SUCCESS);
  EXPECT_EQ(sum, 2 - world_rank());
  EXPECT_EQ(MPI_Comm_disconnect(&inter), MPI_SUCCESS);
  if (world_rank() == 0) {
    EXPECT_EQ(MPI_Close_port(port), MPI_SUCCESS);
  }
}

TEST_F(Native, ConnectToNoPortIsTheMpiLibrarysError) {
  MPI_Comm inter = MPI_COMM_NULL;
  const int rc = MPI_Comm_connect("no port", MPI_INFO_NULL, 0, MPI_COMM_SELF, &inter);
  if (world_rank() == 0) tell("connect to no port", rc);
  EXPECT_NE(rc, MPI_SUCCESS);
  EXPECT_EQ(error_text(rc).find("psnam"), std::string::npos) << error_text(rc);
}

}  // namespace
}  // namespace psnam::test
