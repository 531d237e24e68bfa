@0xb6f1c5f0d2a94e37;
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("psnam::format::statistics");

# What a service tells of itself (src/nam/statistics.hpp says what each number is). Fields are only ever added, at the
# end: an older side does not see them, a newer one finds 0.

struct Statistics {
  softwareVersion @0 :Text;
  provider @1 :Text;
  beganUnixSeconds @2 :UInt64;
  nowUnixUs @3 :UInt64;
  sessionsOpen @4 :UInt64;
  sessionsAccepted @5 :UInt64;
  sessionsRefused @6 :UInt64;
  sessionsDropped @7 :UInt64;
  controlRequests @8 :UInt64;
  controlReceivedBytes @9 :UInt64;
  controlSentBytes @10 :UInt64;
  fabricEndpoints @11 :UInt64;
  fabricRegisteredBytes @12 :UInt64;
  agentBytes @13 :UInt64;
  quarantineBytes @14 :UInt64;
  windows @15 :UInt64;
  allocations @16 :UInt64;
  uses @17 :UInt64;
  capacityBytes @18 :UInt64;
  reservedBytes @19 :UInt64;
  fileSystemBytes @20 :UInt64;
  fileSystemFreeBytes @21 :UInt64;
  requests @22 :List(Requests);
  refusals @23 :List(Refusals);
  users @24 :List(User);
  sessions @25 :List(Session);
  nams @26 :List(Nam);
  catalogBytes @27 :UInt64;
  catalogLimitBytes @28 :UInt64;

  struct Requests {
    kind @0 :Text;
    requests @1 :UInt64;
    failed @2 :UInt64;
    totalTimeUs @3 :UInt64;
    latencies @4 :List(UInt64);
  }

  struct Refusals {
    kind @0 :Text;
    count @1 :UInt64;
  }

  struct User {
    uid @0 :UInt32;
    reservedBytes @1 :UInt64;
    objects @2 :UInt64;
    quotaBytes @3 :UInt64;
    quotaObjects @4 :UInt64;
    sessions @5 :UInt64;
  }

  struct Session {
    session @0 :UInt64;
    uid @1 :UInt32;
    pid @2 :UInt32;
    host @3 :Text;
    ip @4 :Text;
    method @5 :Text;
    beganUnixSeconds @6 :UInt64;
    requests @7 :UInt64;
    uses @8 :UInt64;
    fabricBytes @9 :UInt64;
  }

  struct Nam {
    index @0 :UInt32;
    store @1 :Data;
    name @2 :Text;
    address @3 :Text;
    reachable @4 :Bool;
    capacityBytes @5 :UInt64;
    reservedBytes @6 :UInt64;
  }
}
