/**
 * Whether two runs of bytes are the same. Any thread.
 */

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
