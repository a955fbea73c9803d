// Whether bytes are UTF-8 (RFC 3629). One thread, on its own memory.

/** Whether `[start, end)` is UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
export function isUtf8(start: usize, end: usize): bool {
  let at = start;
  while (at < end) {
    if (at + 8 <= end && (load<u64>(at) & 0x8080808080808080) == 0) {
      at += 8;
      continue;
    }
    const first = load<u8>(at);
    if (first < 0x80) {
      at++;
      continue;
    }
    // What the second byte may be says the first one.
    let least: u8 = 0x80;
    let most: u8 = 0xbf;
    let size: usize = 2;
    if (first < 0xc2 || first > 0xf4) return false;
    if (first >= 0xf0) {
      size = 4;
      if (first == 0xf0) least = 0x90;
      else if (first == 0xf4) most = 0x8f;
    } else if (first >= 0xe0) {
      size = 3;
      if (first == 0xe0) least = 0xa0;
      else if (first == 0xed) most = 0x9f;
    }
    if (at + size > end) return false;
    const second = load<u8>(at, 1);
    if (second < least || second > most) return false;
    if (size > 2 && (load<u8>(at, 2) & 0xc0) != 0x80) return false;
    if (size > 3 && (load<u8>(at, 3) & 0xc0) != 0x80) return false;
    at += size;
  }
  return true;
}
