/** Bytes that are no Zstandard. Any thread. It never leaves the codec, whose caller says of which batch. */

export class MalformedZstd extends Error {
  override readonly name = 'MalformedZstd';
}
