// The text of the last error of the calling thread. The ABI writes it; hadal_last_error() reads it.
#pragma once

namespace hadal {

void set_last_error(const char* text);  // copied, cut at 1023 bytes
const char* last_error();               // valid until the next failing call of this thread

}  // namespace hadal
