/**
 * Runs the inflaters that read and write one piece of memory (`records/`), made for the broker's arena, in memory of their
 * own. Any thread.
 *
 *   source │ target, as large as was needed until now
 */

import { ErrorCode } from '../base/error-code.ts';
import { InflationFailure } from '../records/inflation.ts';
import { KafkaError } from './kafka-error.ts';

/**
 * What `inflate` makes of `bytes`. It finds them at 0 of the memory and writes behind them, and is called again with more
 * room where it was too little. Throws a `KafkaError` (CORRUPT_MESSAGE) where it fails, or beyond `maxBytes`.
 */
export function inflatedInPlace(
  bytes: Uint8Array,
  maxBytes: number,
  name: string,
  inflate: (memory: Uint8Array, sourceBytes: number, capacityBytes: number) => number,
): Uint8Array {
  for (let capacityBytes = Math.min(maxBytes, Math.max(65_536, bytes.length * 8)); ;) {
    const memory = new Uint8Array(bytes.length + capacityBytes);
    memory.set(bytes);
    const size = inflate(memory, bytes.length, capacityBytes);
    if (size >= 0) return memory.subarray(bytes.length, bytes.length + size);
    if (size !== InflationFailure.TOO_LARGE) {
      throw new KafkaError(ErrorCode.CORRUPT_MESSAGE, `a batch is no valid ${name}`);
    }
    if (capacityBytes === maxBytes) {
      throw new KafkaError(ErrorCode.CORRUPT_MESSAGE, `a batch inflates to more than ${maxBytes} bytes`);
    }
    capacityBytes = Math.min(maxBytes, capacityBytes * 4);
  }
}
