/**
 * What texts that clients send take in memory, each by itself: a thousand short ones are more than one of the same length.
 * Any thread.
 */

/** A text beside its characters, with its place in a list or set, roughly. */
const textOverheadBytes = 64;

/** What the texts take, in bytes, roughly. */
export function textsSizeBytes(texts: Iterable<string>): number {
  let sizeBytes = 0;
  for (const text of texts) sizeBytes += textOverheadBytes + text.length;
  return sizeBytes;
}
