// SHA-256 (FIPS 180-4) of a byte string, as 64 hexadecimal digits: digests of golden bytes in tests.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hadal::testing {

// The first 32 fraction bits of the square or cube roots of the first primes, as the standard defines its constants.
inline std::array<uint32_t, 64> sha256_constants(bool cube_roots) {
  std::array<uint32_t, 64> constants{};
  size_t count = 0;
  for (uint64_t n = 2; count < constants.size(); ++n) {
    bool prime = true;
    for (uint64_t d = 2; d * d <= n; ++d) prime &= n % d != 0;
    if (!prime) continue;
    const long double root =
        cube_roots ? std::cbrt(static_cast<long double>(n)) : std::sqrt(static_cast<long double>(n));
    constants[count++] = static_cast<uint32_t>(static_cast<uint64_t>(root * 4294967296.0L));
  }
  return constants;
}

inline std::string sha256(std::span<const uint8_t> bytes) {
  static const auto rounds = sha256_constants(true);
  const auto start = sha256_constants(false);
  std::array<uint32_t, 8> state{};
  for (size_t i = 0; i < 8; ++i) state[i] = start[i];
  std::vector<uint8_t> message(bytes.begin(), bytes.end());
  message.push_back(0x80);
  while (message.size() % 64 != 56) message.push_back(0);
  for (int shift = 56; shift >= 0; shift -= 8)
    message.push_back(static_cast<uint8_t>(uint64_t{bytes.size()} * 8 >> shift));
  for (size_t block = 0; block < message.size(); block += 64) {
    std::array<uint32_t, 64> w{};
    for (size_t i = 0; i < 16; ++i)
      for (size_t j = 0; j < 4; ++j) w[i] = w[i] << 8 | message[block + i * 4 + j];
    for (size_t i = 16; i < 64; ++i) {
      const uint32_t a = w[i - 15], b = w[i - 2];
      w[i] = w[i - 16] + w[i - 7] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) +
             (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
    }
    auto s = state;
    for (size_t i = 0; i < 64; ++i) {
      const uint32_t e = s[4], a = s[0];
      const uint32_t first = s[7] + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                             ((e & s[5]) ^ (~e & s[6])) + rounds[i] + w[i];
      const uint32_t second =
          (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
      for (size_t j = 7; j > 0; --j) s[j] = s[j - 1];
      s[4] += first;
      s[0] = first + second;
    }
    for (size_t i = 0; i < 8; ++i) state[i] += s[i];
  }
  std::string text;
  for (const uint32_t word : state)
    for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[word >> shift & 15];
  return text;
}

}  // namespace hadal::testing
