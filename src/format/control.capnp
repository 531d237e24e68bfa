# What a client asks of a server over a control connection, and the answers. Records of the catalog travel as they are
# encoded there (src/format/catalog.hpp), with their own versions.
#
# Members are added, never changed or moved. A request that a server does not know is refused with `unsupported`.
@0xe8c1a7d95b3f2064;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("psnam::format::control");

struct Request {
  union {
    createWindow @0 :CreateWindow;
    setConsistency @1 :SetConsistency;
    findWindow @2 :Text;
    getWindow @3 :UInt64;
    openWindow @4 :OpenWindow;
    duplicate @5 :UInt64;              # a use
    close @6 :UInt64;                  # a use
    allocate @7 :Allocate;
    setAllocationConsistency @8 :SetConsistency;
    openAllocation @9 :OpenAllocation;
    getAllocation @10 :UInt64;
    findAllocation @11 :Text;
    freeAllocation @12 :FreeAllocation;
    listAllocations @13 :UInt64;       # those with a greater id
    publish @14 :Publication;
    lookUp @15 :Text;
    unpublish @16 :Publication;
    createMemory @17 :CreateMemory;
    openRange @18 :OpenRange;
    reserveRange @19 :Range;
    forgetMemory @20 :UInt64;          # a key
    openFabric @21 :Void;
    createControl @22 :ControlPage;
    openControl @23 :ControlPage;
    dropControl @24 :UInt64;           # a use
    openLocks @25 :OpenLocks;
    openNotifications @26 :UInt64;     # an allocation
    postNotification @27 :PostNotification;
    takeNotification @28 :TakeNotification;
    countNotifications @29 :UInt64;    # an allocation
    openAgent @30 :UInt64;             # a window
    closeAgent @31 :UInt64;
    lock @32 :Lock;
    unlock @33 :Lock;
    execute @34 :Execute;
    reopen @35 :Reopen;
    summary @36 :Void;
    listWindows @37 :UInt64;           # those with a greater id
    removeWindow @38 :Text;
    setCapacity @39 :UInt64;
    collect @40 :Void;
    check @41 :Void;
    countUsers @42 :UInt64;            # a window or allocation
    persist @43 :Range;
    statistics @44 :Void;              # the answer has bytes: statistics.capnp
    joinNam @45 :JoinNam;
    nams @46 :Void;
    removeNam @47 :RemoveNam;
    decideWindows @48 :Data;           # their uuids; the answer has a byte for each
    joinParity @49 :JoinParity;
    awaitParity @50 :AwaitParity;
    leaveParity @51 :LeaveParity;      # the answer says in words how far it was
  }
}

# A memory node tells of itself, and again every few seconds.
struct JoinNam {
  store @0 :Data;                      # its uuid
  index @1 :UInt32;                    # that it has had so far; 0: none
  addresses @2 :List(Text);            # where its server listens
  capacityBytes @3 :UInt64;
  freeBytes @4 :UInt64;
  catalogVersion @5 :UInt32;           # of the records that it keeps
  softwareVersion @6 :Text;
}

struct RemoveNam {
  index @0 :UInt32;
  force @1 :Bool;                      # even if windows lie in it
}

struct Process {
  pid @0 :UInt32;
  rank @1 :UInt32;
  startTimeTicks @2 :UInt64;           # of a session: its number
  pidNamespace @3 :UInt64;             # of a session: 0
}

enum Right {
  readOnly @0;
  readWrite @1;
}

enum Source {
  fresh @0;
  existing @1;
  segment @2;
}

struct AllocationSource {
  kind @0 :Source;
  id @1 :UInt64;
  hasOffset @2 :Bool;
  offsetBytes @3 :UInt64;
  alignmentBytes @4 :UInt64;
}

struct CreateWindow {
  draft @0 :Data;                      # a window record
  sources @1 :List(AllocationSource);
  users @2 :List(Process);
}

struct SetConsistency {
  id @0 :UInt64;
  consistency @1 :UInt8;               # as in the records
  inDoubt @2 :Bool;                    # of a window
}

struct OpenWindow {
  name @0 :Text;
  right @1 :Right;
  users @2 :List(Process);
}

struct Allocate {
  sizeBytes @0 :UInt64;
  reserve @1 :UInt8;                   # as in the records, as the next two
  consistency @2 :UInt8;
  kind @3 :UInt8;
  mode @4 :UInt32;
  hasUid @5 :Bool;
  uid @6 :UInt32;
  hasGid @7 :Bool;
  gid @8 :UInt32;
  name @9 :Text;
  expiresUnixSeconds @10 :UInt64;
  users @11 :List(Process);
}

struct OpenAllocation {
  id @0 :UInt64;
  hasChallenge @1 :Bool;
  challenge @2 :UInt64;
  right @3 :Right;
  users @4 :List(Process);
}

struct FreeAllocation {
  id @0 :UInt64;
  recursive @1 :Bool;
}

struct Publication {
  service @0 :Text;
  portName @1 :Text;
}

struct CreateMemory {
  allocationId @0 :UInt64;
  bytes @1 :UInt64;
  reserve @2 :UInt8;
  remote @3 :Bool;                     # no descriptor is wanted
}

struct OpenRange {
  rootId @0 :UInt64;
  offsetBytes @1 :UInt64;
  bytes @2 :UInt64;
  right @3 :Right;
  remote @4 :Bool;                     # a key is wanted, not a descriptor
}

struct Range {
  rootId @0 :UInt64;
  offsetBytes @1 :UInt64;
  bytes @2 :UInt64;
}

struct ControlPage {
  useId @0 :UInt64;
  bytes @1 :UInt64;
}

struct OpenLocks {
  windowId @0 :UInt64;
  ranks @1 :UInt32;
}

struct PostNotification {
  allocationId @0 :UInt64;
  value @1 :UInt64;
  waitUs @2 :UInt64;                   # the server waits for less if it likes
}

struct TakeNotification {
  allocationId @0 :UInt64;
  waitUs @1 :UInt64;
}

struct Lock {
  agent @0 :UInt64;
  all @1 :Bool;                        # all ranks, shared; `rank` and `exclusive` mean nothing
  rank @2 :UInt32;
  exclusive @3 :Bool;
  waitUs @4 :UInt64;                   # until the answer "not yet", which keeps the place in the queue
}

struct Run {
  offset @0 :Int64;
  length @1 :UInt64;
  stride @2 :Int64;
  count @3 :UInt64;
}

struct Execute {
  agent @0 :UInt64;
  rank @1 :UInt32;
  action @2 :UInt8;                    # numbers of src/backends/indivisible.hpp, as the next two
  op @3 :UInt8;
  kind @4 :UInt8;
  target @5 :List(Run);
  wantsOld @6 :Bool;
  operand @7 :Data;
  compare @8 :Data;
}

# A window or allocation that a client has had in use when its connection was lost. A store gives no id twice.
struct Reopen {
  objectId @0 :UInt64;
  right @1 :Right;
}

# A part of memory of a client, where the server reaches it at the client's endpoint.
struct Exported {
  key @0 :UInt64;
  base @1 :UInt64;
  bytes @2 :UInt64;
}

# One member of a parity set gives its data, or takes them. When all members have, the server does the work.
struct JoinParity {
  allocationId @0 :UInt64;             # has the area
  attempt @1 :UInt64;                  # the same for all members, and another each time
  rebuild @2 :Bool;                    # of a version; else one is made
  version @3 :UInt64;
  note @4 :Data;                       # of a version that is made
  member @5 :UInt32;
  lost @6 :Bool;                       # the member's data are to be rebuilt
  provider @7 :Text;                   # of the client's endpoint
  address @8 :Data;
  data @9 :Exported;
  checksums @10 :Exported;             # of the blocks as they are now; no bytes: not told
}

struct AwaitParity {
  allocationId @0 :UInt64;
  attempt @1 :UInt64;
  waitUs @2 :UInt64;                   # the server waits for less if it likes
}

struct LeaveParity {
  allocationId @0 :UInt64;
  attempt @1 :UInt64;
}

struct Reply {
  union {
    failure @0 :Failure;
    done @1 :Void;
    flag @2 :Bool;
    number @3 :UInt64;
    text @4 :Text;
    window @5 :Data;
    allocation @6 :Data;
    windowUse @7 :Use;
    allocationUse @8 :Use;
    windows @9 :Windows;
    allocations @10 :Allocations;
    memory @11 :Memory;
    fabric @12 :Fabric;
    bytes @13 :Data;
    summary @14 :Summary;
    collected @15 :Collected;
    findings @16 :List(Text);
    value @17 :Value;
    joined @18 :Joined;
    nams @19 :List(Nam);
    agent @20 :Agent;
    parity @21 :Parity;
  }
}

enum Code {
  other @0;
  invalidArgument @1;
  infoKey @2;
  infoValue @3;
  size @4;
  displacement @5;
  count @6;
  rank @7;
  buffer @8;
  datatype @9;
  operation @10;
  range @11;
  sync @12;
  lockType @13;
  assertion @14;
  request @15;
  access @16;
  noMemory @17;
  nameNotFound @18;
  nameExists @19;
  serviceNotFound @20;
  serviceExists @21;
  busy @22;
  unreachable @23;
  peerLost @24;
  incompatible @25;
  corrupt @26;
  unsupported @27;
  system @28;
  quota @29;
}

struct Failure {
  code @0 :Code;
  message @1 :Text;
  detail @2 :Int32;
}

struct Use {
  record @0 :Data;                     # of the window or allocation
  useId @1 :UInt64;
}

struct WindowReport {
  window @0 :Data;
  uses @1 :List(Data);
  services @2 :List(Text);
}

struct Windows {
  windows @0 :List(WindowReport);      # ascending by id
  more @1 :Bool;
}

struct AllocationReport {
  allocation @0 :Data;
  uses @1 :List(Data);
  referringWindows @2 :List(UInt64);
  segments @3 :UInt64;
  takenBytes @4 :UInt64;
  largestFreeBytes @5 :UInt64;
}

struct Allocations {
  allocations @0 :List(AllocationReport);  # ascending by id
  more @1 :Bool;
}

# Memory that was asked for. Mapped: one descriptor comes with the message, of a file that the range is in. Else it is
# reached over the fabric.
struct Memory {
  mapped @0 :Bool;
  key @1 :UInt64;
  base @2 :UInt64;
  object @3 :Object;                   # what is in use and gives the right to it
}

struct Object {
  id @0 :UInt64;
  right @1 :Right;
  shown @2 :Text;                      # for messages
}

# What carries out operations on a window for a client.
struct Agent {
  number @0 :UInt64;                   # of the session
  object @1 :Object;                   # the window
}

struct Fabric {
  provider @0 :Text;
  address @1 :Data;
}

struct Summary {
  id @0 :Data;
  host @1 :Text;
  folder @2 :Text;
  capacityBytes @3 :UInt64;
  reservedBytes @4 :UInt64;
  fileSystemBytes @5 :UInt64;
  fileSystemFreeBytes @6 :UInt64;
  windows @7 :UInt64;
  allocations @8 :UInt64;
  uses @9 :UInt64;
  services @10 :UInt64;
  catalogBytes @11 :UInt64;
  catalogLimitBytes @12 :UInt64;
}

struct Collected {
  uses @0 :UInt64;
  windows @1 :UInt64;
  allocations @2 :UInt64;
  bytes @3 :UInt64;
}

# A value that may be absent: of a queue that is empty.
struct Value {
  present @0 :Bool;
  value @1 :UInt64;
}

struct Joined {
  index @0 :UInt32;
  manager @1 :Data;                    # the uuid of its store
}

struct Nam {
  index @0 :UInt32;                    # 0: the one that is asked
  store @1 :Data;
  address @2 :Text;
  socket @3 :Text;                     # for processes of its host; may be empty
  capacityBytes @4 :UInt64;
  freeBytes @5 :UInt64;
  reachable @6 :Bool;
}

struct Block {
  piece @0 :UInt32;                    # a member, or the number of members + a parity
  block @1 :UInt64;
}

# How far the work on a parity set is, and what was done.
struct Parity {
  over @0 :Bool;                       # the rest means something only then
  version @1 :UInt64;
  stripes @2 :UInt64;
  stripesKept @3 :UInt64;              # taken over from the version before
  bytesRead @4 :UInt64;                # of members' data
  rebuilt @5 :List(UInt32);            # members
  repaired @6 :List(Block);            # the first of them
}
