/** Bytes as texts hold them in JSON: base64 (RFC 4648, section 4, with its padding). Any thread. */

/** The bytes of a base64 text; null where it is none. */
export function parseBase64(text: string): Uint8Array | null {
  // In place of one pattern over the whole, which may be megabytes: what Node leaves out is what does not belong.
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : null;
}
