# How a control connection begins. docs/formats/control.md says in which order these come and what the digests cover.
#
# Hello and Refusal are read by every version of this library: fields are added to them, never changed.
@0xd3a5c1f86e0b7294;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("psnam::format::handshake");

struct Handshake {
  union {
    hello @0 :Hello;
    challenge @1 :Challenge;
    proof @2 :Proof;
    welcome @3 :Welcome;
    refusal @4 :Refusal;
  }
}

enum Method {
  kernel @0;  # Unix socket: the kernel names the peer
  munge @1;
  secret @2;
  plain @3;
}

struct Hello {
  minVersion @0 :UInt16;
  maxVersion @1 :UInt16;
  nonce @2 :Data;            # 32 random bytes
  methods @3 :List(Method);  # that the client can and will use
  pid @4 :UInt32;
  rank @5 :UInt32;
  startTimeTicks @6 :UInt64;
  pidNamespace @7 :UInt64;
  boot @8 :Data;             # 16 bytes
  host @9 :Text;
  libraryVersion @10 :Text;
  uid @11 :UInt32;           # what it claims to be, for Method.secret
  gid @12 :UInt32;
  gids @13 :List(UInt32);
}

struct Challenge {
  version @0 :UInt16;
  method @1 :Method;  # munge or secret
  nonce @2 :Data;     # 32 random bytes
}

struct Proof {
  server @0 :Text;  # where the client found the server: "ip:port"
  proof @1 :Data;   # munge: the credential; secret: 32 bytes
}

struct Welcome {
  facts @0 :Data;  # a Facts message
  seal @1 :Data;   # secret: 32 bytes; else empty
}

struct Facts {
  version @0 :UInt16;
  session @1 :UInt64;
  instance @2 :Data;  # 16 bytes, as the next two
  store @3 :Data;
  boot @4 :Data;
  host @5 :Text;
  storePath @6 :Text;
  unixSocket @7 :Text;
  name @8 :Text;
  softwareVersion @9 :Text;
}

struct Refusal {
  reason @0 :Reason;
  text @1 :Text;
  minVersion @2 :UInt16;  # of the server
  maxVersion @3 :UInt16;

  enum Reason {
    other @0;
    version @1;
    access @2;
    full @3;
  }
}
