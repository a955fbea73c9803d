/**
 * What a fetch brought for one partition, made ready to be read: batches checked, inflated, and without what a reader must
 * not see. Any thread; functions without state.
 *
 * A broker answers with whole batches, so that the first may begin before the offset asked for, and the last may be cut off
 * where the bytes ended. Which ones a reader of committed records must not see, `committed-batches.ts` says.
 */

import { ErrorCode } from '../base/error-code.ts';
import type { FetchResponseResponsesPartitionsAbortedTransactions } from '../protocol/generated/01-fetch.ts';
import { CommittedBatches } from '../records/committed-batches.ts';
import { crc32c } from '../records/crc32c.ts';
import {
  attributesAt,
  batchField,
  batchSizeAt,
  Compression,
  compressionOf,
  hasValidCrc,
  lastOffsetAt,
  leaderEpochAt,
  recordCountAt,
} from '../records/record-batch.ts';
import type { CompressionCodec } from './compression.ts';
import { KafkaError } from './kafka-error.ts';

/** A batch that can be read. */
export interface ReadyBatch {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly end: number;
  /** Its records where they were inflated. */
  readonly body: Uint8Array | null;
  /** The offset after its last record. */
  readonly endOffset: number;
  readonly leaderEpoch: number;
  /** What it takes of memory, in bytes. */
  readonly sizeBytes: number;
}

export interface Fetched {
  readonly batches: readonly ReadyBatch[];
  /** Where to go on: after the last whole batch, also one that nobody is to see. */
  readonly nextOffset: number;
  readonly leaderEpoch: number;
}

export interface FetchedOptions {
  readonly codecs: ReadonlyMap<number, CompressionCodec>;
  readonly maxInflatedBytes: number;
  /** The aborted transactions, with read_committed. */
  readonly aborted: readonly FetchResponseResponsesPartitionsAbortedTransactions[] | null;
  /** What the partition is called in errors. */
  readonly where: string;
}

/**
 * The batches of `records` from `fromOffset` on. Throws or rejects with a `KafkaError`: CORRUPT_MESSAGE where a CRC is
 * wrong or a batch cannot be read, UNSUPPORTED_COMPRESSION_TYPE where no codec is there for it.
 */
export async function readFetched(records: Uint8Array, fromOffset: number, options: FetchedOptions): Promise<Fetched> {
  const batches: ReadyBatch[] = [];
  const committed = new CommittedBatches(options.aborted);
  let nextOffset = fromOffset;
  let leaderEpoch = -1;
  for (let at = 0; at < records.length;) {
    const size = batchSizeAt(records, at, records.length);
    if (size < 0) {
      checkCutOff(records, at, options.where);
      break;
    }
    const endOffset = lastOffsetAt(records, at) + 1;
    if (!hasValidCrc(records, at, size, crc32c)) {
      throw new KafkaError(
        ErrorCode.CORRUPT_MESSAGE,
        `the batch before offset ${endOffset} of ${options.where} is damaged`,
      );
    }
    const isHidden = committed.hides(records, at, size);
    if (!isHidden && endOffset > nextOffset && recordCountAt(records, at) > 0) {
      const body = await inflated(records, at, at + size, options);
      const sizeBytes = body?.length ?? size;
      batches.push({
        bytes: records,
        at,
        end: at + size,
        body,
        endOffset,
        leaderEpoch: leaderEpochAt(records, at),
        sizeBytes,
      });
    }
    leaderEpoch = leaderEpochAt(records, at);
    nextOffset = Math.max(nextOffset, endOffset);
    at += size;
  }
  return { batches, nextOffset, leaderEpoch };
}

/** Where no whole batch follows: it was cut off, or it is of an older format, which nobody can read by going on. */
function checkCutOff(records: Uint8Array, at: number, where: string): void {
  if (records.length - at > batchField.magic && records[at + batchField.magic]! < 2) {
    throw new KafkaError(
      ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT,
      `${where} holds messages in a format from before Kafka 0.11, which this client does not read`,
    );
  }
  if (at === 0) {
    throw new KafkaError(ErrorCode.CORRUPT_MESSAGE, `the broker sent no whole batch of ${where}`);
  }
}

async function inflated(
  records: Uint8Array,
  at: number,
  end: number,
  { codecs, maxInflatedBytes, where }: FetchedOptions,
): Promise<Uint8Array | null> {
  const compression = compressionOf(attributesAt(records, at));
  if (compression === Compression.NONE) return null;
  const codec = codecs.get(compression);
  if (codec === undefined) {
    const name = Object.entries(Compression)
      .find(([, number]) => number === compression)?.[0]
      .toLowerCase();
    throw new KafkaError(
      ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
      `${where} holds batches compressed with ${name ?? compression}: give the client that codec (codecs: [${name ?? '…'}])`,
    );
  }
  try {
    return await codec.decompress(records.subarray(at + batchField.records, end), maxInflatedBytes);
  } catch (error) {
    if (error instanceof KafkaError) throw error;
    throw new KafkaError(ErrorCode.CORRUPT_MESSAGE, `a batch of ${where} cannot be inflated (${codec.name})`, error);
  }
}
