/** gzip (RFC 1952) by the platform's own streams, which browsers and Node have. Any thread. */

import { ErrorCode } from '../base/error-code.ts';
import { Compression } from '../records/record-batch.ts';
import { type CompressionCodec, joined } from './compression.ts';
import { KafkaError } from './kafka-error.ts';

export const gzip: CompressionCodec = {
  id: Compression.GZIP,
  name: 'gzip',
  compress: (bytes) => through(new CompressionStream('gzip'), bytes, Infinity),
  decompress: (bytes, maxBytes) => through(new DecompressionStream('gzip'), bytes, maxBytes),
};

async function through(
  stream: CompressionStream | DecompressionStream,
  bytes: Uint8Array,
  maxBytes: number,
): Promise<Uint8Array> {
  const writer = stream.writable.getWriter();
  // What fails here fails in the reader as well, where it is heard.
  const written = writer.write(bytes as Uint8Array<ArrayBuffer>).then(() => writer.close());
  written.catch(() => {});
  const reader = (stream.readable as ReadableStream<Uint8Array>).getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return joined(parts, length);
    length += value.length;
    if (length > maxBytes) {
      await reader.cancel();
      throw new KafkaError(ErrorCode.CORRUPT_MESSAGE, `a batch inflates to more than ${maxBytes} bytes`);
    }
    parts.push(value);
  }
}
