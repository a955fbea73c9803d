/** Requests handled by code for just these, as someone would write it who trusts his clients: rivals of what serves all. */

import { crc32c as nativeCrc32c } from '@node-rs/crc32';
import { writeInt64 } from '../src/records/big-endian.ts';
import { batchField, hasValidCrc, lastOffsetDeltaAt } from '../src/records/record-batch.ts';

/** Cuts size-prefixed frames from chunks that were put together first. */
export function cutByHand(chunks: readonly Buffer[], take: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  for (const chunk of chunks) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (bytes.length - at >= 4) {
      const end = at + 4 + bytes.readInt32BE(at);
      if (end > bytes.length) break;
      take(bytes.subarray(at + 4, end));
      at = end;
    }
    rest = bytes.subarray(at);
  }
}

/** One partition's log: a buffer that is gone round, and where each batch of it lies. */
export class LogByHand {
  readonly #bytes: Buffer;
  readonly #baseOffsets: number[] = [];
  readonly #positions: number[] = [];
  #at = 0;
  #endOffset = 0;

  constructor(sizeBytes: number) {
    this.#bytes = Buffer.alloc(sizeBytes);
  }

  /** The offset of the batch's first record. */
  append(batch: Uint8Array): number {
    if (!hasValidCrc(batch, 0, batch.length, nativeCrc32c)) throw new Error('The CRC is wrong.');
    if (this.#at + batch.length > this.#bytes.length) {
      this.#at = 0;
      this.#baseOffsets.length = 0;
      this.#positions.length = 0;
    }
    const offset = this.#endOffset;
    this.#bytes.set(batch, this.#at);
    writeInt64(this.#bytes, this.#at + batchField.baseOffset, offset);
    this.#baseOffsets.push(offset);
    this.#positions.push(this.#at);
    this.#at += batch.length;
    this.#endOffset += lastOffsetDeltaAt(batch, 0) + 1;
    return offset;
  }

  /** A copy of up to `maxBytes` from the batch that holds `offset` on. */
  read(offset: number, maxBytes: number): Buffer {
    let low = 0;
    let high = this.#baseOffsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#baseOffsets[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    const start = this.#positions[low - 1]!;
    let end = start;
    for (let i = low; i <= this.#positions.length; i++) {
      const next = this.#positions[i] ?? this.#at;
      if (next - start > maxBytes) break;
      end = next;
    }
    return Buffer.from(this.#bytes.subarray(start, end));
  }
}

/** Begins the answer to `frame`: its size and the correlation id. Returns where it goes on, as the next. */
function writeHeader(out: Buffer, frame: Buffer): number {
  return out.writeInt32BE(frame.readInt32BE(4), out.writeInt32BE(out.length - 4, 0));
}

interface PlaceByHand {
  /** Where the topic's name lies in the frame, with its length. */
  readonly nameAt: number;
  readonly nameEnd: number;
  readonly index: number;
}

/** Writes the one topic and its one partition, without an error, up to its first offset. */
function writePlace(out: Buffer, at: number, frame: Buffer, { nameAt, nameEnd, index }: PlaceByHand, offset: number) {
  let to = out.writeInt32BE(1, at);
  to += frame.copy(out, to, nameAt, nameEnd);
  to = out.writeInt32BE(1, to);
  to = out.writeInt32BE(index, to);
  to = out.writeInt16BE(0, to);
  return out.writeBigInt64BE(BigInt(offset), to);
}

/** Serves a version 7 Produce of one batch: the answer with its size prefix. */
export function produceByHand(frame: Buffer, log: LogByHand): Buffer {
  let at = 10 + frame.readInt16BE(8);
  at += 2 + Math.max(frame.readInt16BE(at), 0) + 2 + 4 + 4;
  const nameAt = at;
  at += 2 + frame.readInt16BE(at) + 4;
  const nameEnd = at - 4;
  const index = frame.readInt32BE(at);
  const size = frame.readInt32BE(at + 4);
  const offset = log.append(frame.subarray(at + 8, at + 8 + size));
  const nameBytes = nameEnd - nameAt;
  const out = Buffer.allocUnsafe(4 + 4 + 4 + nameBytes + 4 + 4 + 2 + 8 + 8 + 8 + 4);
  let to = writePlace(out, writeHeader(out, frame), frame, { nameAt, nameEnd, index }, offset);
  to = out.writeBigInt64BE(-1n, to);
  to = out.writeBigInt64BE(0n, to);
  out.writeInt32BE(0, to);
  return out;
}

/** Serves a version 11 Fetch of one partition: the answer with its size prefix. */
export function fetchByHand(frame: Buffer, log: LogByHand): Buffer {
  let at = 10 + Math.max(frame.readInt16BE(8), 0);
  at += 4 + 4 + 4 + 4 + 1 + 4 + 4 + 4;
  const nameAt = at;
  const nameEnd = at + 2 + frame.readInt16BE(at);
  at = nameEnd + 4;
  const index = frame.readInt32BE(at);
  const offset = Number(frame.readBigInt64BE(at + 8));
  const maxBytes = frame.readInt32BE(at + 24);
  const records = log.read(offset, maxBytes);
  const out = Buffer.allocUnsafe(4 + 4 + 4 + 2 + 4 + 4 + (nameEnd - nameAt) + 4 + 42 + records.length);
  let to = out.writeInt32BE(0, writeHeader(out, frame));
  to = out.writeInt16BE(0, to);
  to = out.writeInt32BE(0, to);
  to = writePlace(out, to, frame, { nameAt, nameEnd, index }, offset);
  to = out.writeBigInt64BE(BigInt(offset), to);
  to = out.writeBigInt64BE(0n, to);
  to = out.writeInt32BE(-1, to);
  to = out.writeInt32BE(-1, to);
  to = out.writeInt32BE(records.length, to);
  out.set(records, to);
  return out;
}

/** Commits of a version 5: an entry of a map and a line of a log each; the answer with its size prefix. */
export class CommitsByHand {
  readonly #offsets = new Map<string, number>();
  readonly #log: Buffer;
  #at = 0;

  constructor(sizeBytes: number) {
    this.#log = Buffer.alloc(sizeBytes);
  }

  serve(frame: Buffer): Buffer {
    let at = 10 + Math.max(frame.readInt16BE(8), 0);
    const text = (): string => {
      const start = at + 2;
      at = start + Math.max(frame.readInt16BE(at), 0);
      return frame.toString('utf8', start, at);
    };
    const group = text();
    at += 4;
    text();
    at += 4;
    const topic = text();
    at += 4;
    const partition = frame.readInt32BE(at);
    const offset = Number(frame.readBigInt64BE(at + 4));
    const key = `${group}/${topic}/${partition}`;
    this.#offsets.set(key, offset);
    if (this.#at + key.length + 32 > this.#log.length) this.#at = 0;
    this.#at += this.#log.write(`${key} ${offset}\n`, this.#at);
    const name = Buffer.from(topic);
    const out = Buffer.allocUnsafe(4 + 4 + 4 + 4 + 2 + name.length + 4 + 4 + 2);
    let to = out.writeInt32BE(0, writeHeader(out, frame));
    to = out.writeInt32BE(1, to);
    to = out.writeInt16BE(name.length, to);
    to += name.copy(out, to);
    to = out.writeInt32BE(1, to);
    to = out.writeInt32BE(partition, to);
    out.writeInt16BE(0, to);
    return out;
  }
}
