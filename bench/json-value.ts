/** What benchmarks send: values as applications have them. Any thread. */

/** The same in every run, as it goes into what compresses. */
const firstWrittenMs = 1_700_000_000_000;

/** A value of `sizeBytes` that is JSON for the most part, compresses as JSON does, and is another for each `i`. */
export function jsonValue(i: number, sizeBytes: number): Uint8Array {
  let text = `{"id":${i},"user":"user-${(i * 7919) % 10_007}","at":${firstWrittenMs + i * 37},"page":"/shop/${i % 97}"`;
  for (let k = 1; text.length < sizeBytes; k++) text += `,"field-${k}":${((i + k) * 2_654_435_761) % 4_294_967_291}`;
  return Buffer.from(text.slice(0, sizeBytes));
}
