/**
 * Consecutive records of one partition, read, inflated and taken apart once for all who read them. I/O thread.
 *
 *   batches as they were read ─► a table: where each record's fields lie   ─► fields of record i, or whole frames
 *
 * Its bytes are its own: it may be kept as long as somebody likes. What a door makes of the records it makes once for
 * all its readers (`frame`).
 */

import { asOffset, type Offset } from '../base/numbers.ts';
import { CommittedBatches, type AbortedRange } from '../records/committed-batches.ts';
import {
  attributesAt,
  batchSizeAt,
  compressionOf,
  isTransactional,
  lastOffsetAt,
  recordCountAt,
} from '../records/record-batch.ts';
import { readHeaders, RecordReader, type RecordHeader } from '../records/record-reader.ts';
import { MalformedRecordsError } from '../records/varint.ts';
import type { IsolationLevel } from '../storage/partition-log.ts';

/** How a door writes records; one object a format, which blocks know it by. */
export interface FrameFormat<Frame> {
  /** Records `[from, to)` of `block` in this format; whoever gets it shares it with others and changes nothing. */
  encode(block: RecordBlock, from: number, to: number): Frame;
}

/** Inflates a compressed batch, as `LogStore.inflate`. */
export type Inflate = (bytes: Uint8Array, at: number, sizeBytes: number) => Uint8Array | null;

/** What a block keeps of each record beside its bytes, roughly. */
const tableBytesPerRecord = 48;
/** Of one block, for all formats and parts together: readers that take other parts each, as slow ones do, share little. */
const framesMax = 64;
const framesMaxBytes = 2 * 1024 * 1024;

export class RecordBlock {
  readonly topic: string;
  readonly partition: number;
  /** The offset that was asked for: records before it are not here. */
  readonly startOffset: Offset;
  /** From where to read on. */
  readonly endOffset: Offset;
  /** How many records there are; may be 0, where compaction or control records left nothing between start and end. */
  readonly count: number;
  /** Up to where the partition could be read when this was read. */
  readonly highWatermark: Offset;
  /** Whose records these are and not another's; null where both see the same. */
  readonly onlyFor: IsolationLevel | null;
  readonly #sources: Uint8Array[] = [];
  readonly #offsets: Float64Array;
  readonly #timestamps: Float64Array;
  /** Per record: source, key at and size, value at and size, headers at and count. */
  readonly #places: Int32Array;
  readonly #ownBytes: number;
  readonly #frames = new Map<FrameFormat<unknown>, Map<number, unknown>>();
  #frameCount = 0;
  #frameBytes = 0;

  /**
   * The records from `startOffset` on of the whole batches that fill `bytes`, which become the block's own, without those
   * of the `aborted` transactions, null where the read was one of uncommitted records. Throws `MalformedRecordsError` where
   * a batch does not inflate or a record does not parse.
   */
  constructor(
    topic: string,
    partition: number,
    startOffset: Offset,
    highWatermark: Offset,
    bytes: Uint8Array,
    aborted: readonly AbortedRange[] | null,
    inflate: Inflate,
  ) {
    this.topic = topic;
    this.partition = partition;
    this.startOffset = startOffset;
    this.highWatermark = highWatermark;
    let most = 0;
    for (let at = 0, size = 0; (size = batchSizeAt(bytes, at, bytes.length)) > 0; at += size) {
      most += Math.min(Math.max(recordCountAt(bytes, at), 0), bytes.length);
    }
    this.#offsets = new Float64Array(most);
    this.#timestamps = new Float64Array(most);
    this.#places = new Int32Array(most * placesPerRecord);
    let endOffset = startOffset;
    let sourceBytes = bytes.length;
    let hasTransactions = false;
    const committed = new CommittedBatches(aborted);
    for (let at = 0, size = 0; (size = batchSizeAt(bytes, at, bytes.length)) > 0; at += size) {
      const attributes = attributesAt(bytes, at);
      endOffset = asOffset(lastOffsetAt(bytes, at) + 1);
      hasTransactions ||= isTransactional(attributes);
      if (committed.hides(bytes, at, size)) continue;
      const body = compressionOf(attributes) === 0 ? null : inflate(bytes, at, size);
      if (body === null && compressionOf(attributes) !== 0) throw new MalformedRecordsError('a batch does not inflate');
      sourceBytes += body?.length ?? 0;
      this.#add(new RecordReader(bytes, at, at + size, body), body ?? bytes);
    }
    this.endOffset = endOffset;
    this.count = this.#filled;
    this.onlyFor = onlyReadersOf(aborted, hasTransactions);
    this.#ownBytes = sourceBytes + most * tableBytesPerRecord;
  }

  /** What it keeps alive, roughly; grows with the frames that are made of it. */
  get sizeBytes(): number {
    return this.#ownBytes + this.#frameBytes;
  }

  #filled = 0;

  #add(reader: RecordReader, source: Uint8Array): void {
    if (this.#sources.at(-1) !== source) this.#sources.push(source);
    const sourceIndex = this.#sources.length - 1;
    while (reader.next()) {
      if (reader.offset < this.startOffset) continue;
      const i = this.#filled++;
      const place = i * placesPerRecord;
      this.#offsets[i] = reader.offset;
      this.#timestamps[i] = reader.timestampMs;
      this.#places[place] = sourceIndex;
      this.#places[place + 1] = reader.keyAt;
      this.#places[place + 2] = reader.keySizeBytes;
      this.#places[place + 3] = reader.valueAt;
      this.#places[place + 4] = reader.valueSizeBytes;
      this.#places[place + 5] = reader.headersAt;
      this.#places[place + 6] = reader.headerCount;
    }
  }

  /** The offset of record `i`, which lies in [0, count), as in all that follows. */
  offsetAt(i: number): Offset {
    return this.#offsets[i] as Offset;
  }

  timestampMsAt(i: number): number {
    return this.#timestamps[i]!;
  }

  /** The key as a view, or null. */
  keyAt(i: number): Uint8Array | null {
    return this.#field(i, 1);
  }

  /** The value as a view, or null. */
  valueAt(i: number): Uint8Array | null {
    return this.#field(i, 3);
  }

  /** The bytes in which record `i` lies; with the next two for who copies values without a view of each. */
  sourceAt(i: number): Uint8Array {
    return this.#sources[this.#places[i * placesPerRecord]!]!;
  }

  valueStartAt(i: number): number {
    return this.#places[i * placesPerRecord + 3]!;
  }

  /** -1 for null. */
  valueSizeBytesAt(i: number): number {
    return this.#places[i * placesPerRecord + 4]!;
  }

  headerCountAt(i: number): number {
    return this.#places[i * placesPerRecord + 6]!;
  }

  headersAt(i: number): RecordHeader[] {
    const place = i * placesPerRecord;
    return readHeaders(this.sourceAt(i), this.#places[place + 5]!, this.#places[place + 6]!);
  }

  /** What record `i` counts for against a reader's credit in bytes: key and value. */
  costBytesAt(i: number): number {
    const place = i * placesPerRecord;
    return Math.max(this.#places[place + 2]!, 0) + Math.max(this.#places[place + 4]!, 0);
  }

  /** The first record at or after `offset`; `count` where there is none. */
  indexOf(offset: Offset): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Records `[from, to)` as `format` writes them: made at the first call, and the same for all who ask for them. */
  frame<Frame extends Uint8Array | string>(format: FrameFormat<Frame>, from = 0, to = this.count): Frame {
    const key = from * 2 ** 26 + to;
    const known = this.#frames.get(format)?.get(key) as Frame | undefined;
    if (known !== undefined) return known;
    const frame = format.encode(this, from, to);
    if (this.#frameCount >= framesMax || this.#frameBytes + frame.length > framesMaxBytes) {
      this.#frames.clear();
      this.#frameCount = 0;
      this.#frameBytes = 0;
    }
    let frames = this.#frames.get(format);
    if (frames === undefined) this.#frames.set(format, (frames = new Map()));
    frames.set(key, frame);
    this.#frameCount++;
    this.#frameBytes += frame.length;
    return frame;
  }

  #field(i: number, which: number): Uint8Array | null {
    const place = i * placesPerRecord;
    const size = this.#places[place + which + 1]!;
    const at = this.#places[place + which]!;
    return size < 0 ? null : this.sourceAt(i).subarray(at, at + size);
  }
}

const placesPerRecord = 7;

function onlyReadersOf(aborted: readonly AbortedRange[] | null, hasTransactions: boolean): IsolationLevel | null {
  // Of what is not read as committed nobody looked how its transactions ended.
  if (aborted === null) return hasTransactions ? 'read_uncommitted' : null;
  return aborted.length > 0 ? 'read_committed' : null;
}
