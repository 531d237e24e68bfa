// How requests and replies about parity travel; part of the codecs of both.
#pragma once

#include "nam/control_fields.hpp"
#include "nam/reply.hpp"
#include "nam/request.hpp"

namespace psnam::nam::codec {

void put_parity(schema::Request::Builder out, const request::JoinParity& from);
void put_parity(schema::Request::Builder out, const request::AwaitParity& from);
void put_parity(schema::Request::Builder out, const request::LeaveParity& from);
void put_parity(schema::Reply::Builder out, const reply::Parity& from);

[[nodiscard]] request::JoinParity join_of(schema::JoinParity::Reader in, Fields& fields);
[[nodiscard]] request::AwaitParity await_of(schema::AwaitParity::Reader in);
[[nodiscard]] request::LeaveParity leave_of(schema::LeaveParity::Reader in);
[[nodiscard]] reply::Parity parity_of(schema::Parity::Reader in, Fields& fields);

}  // namespace psnam::nam::codec
