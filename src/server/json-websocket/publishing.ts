/**
 * What one connection publishes: from scanned frames to the log, and back to acknowledgements. I/O thread.
 *
 *   each         {"type":"ack","id":7,"partition":0,"offset":42}      a frame each, those that have an id
 *   cumulative   {"type":"ack","upTo":5000,"last":[…]}                once for many; the client counts its records from 1
 *
 * Nothing is allocated for a record; where each is acknowledged, one object for a frame that has an id.
 */

import { ErrorCode, errorName } from '../../base/error-code.ts';
import type { Offset } from '../../base/numbers.ts';
import type { Caller } from '../../gateway/caller.ts';
import { NamedProducer, problemOfIdentity } from '../../gateway/named-producers.ts';
import type { PublishListener, PublishStream } from '../../gateway/publish-stream.ts';
import type { PublishTarget } from '../../gateway/publish-target.ts';
import type { RecordPublisher } from '../../gateway/record-publisher.ts';
import type { RecordHeader } from '../../records/record-reader.ts';
import type { Durability } from '../../storage/partition-log.ts';
import { parseBase64 } from '../json/base64.ts';
import { JsonKind } from '../json/json-core.ts';
import { clientFrames, type ClientFrames } from './frames.ts';
import { field, type PublishScanner } from './publish-scanner.ts';
import { problemOf } from './schema.ts';

/** Where acknowledgements go. */
export interface PublishingOwner {
  /** Who publishes. */
  readonly caller: Caller;
  /** Sends frames that belong together, as JSON text. */
  sendAll(frames: readonly string[]): void;
  /** Whether the client has not read what it was told already: an acknowledgement waits for the next then. */
  readonly isBehind: boolean;
  /** Ends the connection at once. */
  destroy(): void;
}

/** A frame with an id that waits for its records. */
interface Waiting {
  /** JSON text. */
  readonly id: string;
  readonly start: number;
  readonly end: number;
  /** Of a batch; those next to each other are one. */
  readonly runs: Run[] | null;
}

/** As in an ack frame. */
interface Run {
  count: number;
  readonly partition?: number;
  readonly offset?: number;
  readonly error?: string;
  readonly message?: string;
}

const durabilityByAcks = { all: 'synced', '1': 'written', '0': 'none' } as const satisfies Record<string, Durability>;
const mostProducers = 100;
/** What a frame with an id costs until it is acknowledged, and what all may cost, in bytes. */
const waitingFrameBytes = 128;
const mostWaitingFrameBytes = 32 * 1024 * 1024;
const encoder = new TextEncoder();
const noBytes = new Uint8Array(0);
const { headers: headersSchema } = clientFrames.publish.properties;

export class Publishing implements PublishListener {
  readonly #owner: PublishingOwner;
  readonly #publisher: RecordPublisher;
  readonly #stream: PublishStream;
  readonly #isCumulative: boolean;
  /** Those of the frames under way that have an id, oldest first. */
  readonly #waiting: Waiting[] = [];
  #firstWaiting = 0;
  #out: string[] = [];
  /** Cumulative: the last offset of each partition, since the acknowledgement before. */
  readonly #last = new Map<string, { readonly topic: string; readonly partition: number; readonly offset: number }>();
  #settledEnd = 0;
  #toldEnd = 0;
  #topicBytes: Uint8Array = noBytes;
  #target: PublishTarget | null = null;
  /** Whom this connection speaks for; more names than a few find the one forgotten that was used least recently. */
  readonly #producers = new Map<string, NamedProducer>();
  // The record that is being prepared.
  #producer: NamedProducer | null = null;
  #key: Uint8Array | null = null;
  #value: Uint8Array | null = null;
  #valueStart = 0;
  #valueEnd = 0;
  #headers: readonly RecordHeader[] | null = null;
  #drained: (() => void) | null = null;

  constructor(owner: PublishingOwner, publisher: RecordPublisher, { acks, confirm }: ClientFrames['configure']) {
    this.#owner = owner;
    this.#publisher = publisher;
    this.#isCumulative = confirm === 'cumulative';
    this.#stream = publisher.openStream(this, { durability: durabilityByAcks[acks ?? 'all'], caller: owner.caller });
  }

  /** The client sent on though the log is behind: its records would be refused from here on. */
  get isOverfull(): boolean {
    const waitingFrames = this.#waiting.length - this.#firstWaiting;
    return this.#stream.overfull || waitingFrames * waitingFrameBytes > mostWaitingFrameBytes;
  }

  /** Whether anything was handed in. */
  get hasBegun(): boolean {
    return this.#stream.endOrdinal > 0;
  }

  /** Hands the records of the frame that `scanner` has read on; gives why none of them was, as a sentence, or null. */
  publish(scanner: PublishScanner): string | null {
    const { bytes } = scanner;
    const start = this.#stream.endOrdinal;
    this.#producer = null;
    if (scanner.kind(field.producer) !== JsonKind.ABSENT) {
      const name = scanner.textOf(field.producer);
      const problem = problemOfIdentity(name, 0);
      if (problem !== null) return problem;
      this.#producer = this.producer(name);
      this.#producer.beginSubmission();
    }
    if (scanner.isBatch) {
      const problem = this.#publishBatch(scanner, bytes);
      if (problem !== null) return problem;
    } else {
      const problem = this.#prepare(scanner, bytes);
      if (problem !== null) return problem;
      this.#handIn(scanner, bytes);
    }
    if (!this.#isCumulative && scanner.kind(field.id) !== JsonKind.ABSENT) {
      const end = this.#stream.endOrdinal;
      this.#waiting.push({ id: scanner.rawOf(field.id), start, end, runs: scanner.isBatch ? [] : null });
    }
    return null;
  }

  /** This connection's use of a name, which is allowed. */
  producer(name: string): NamedProducer {
    const producer = this.#producers.get(name) ?? new NamedProducer(name);
    this.#producers.delete(name);
    this.#producers.set(name, producer);
    const oldest = this.#producers.keys().next();
    if (this.#producers.size > mostProducers && oldest.done !== true) this.#producers.delete(oldest.value);
    return producer;
  }

  /** Calls `done` once of all records is told what became of them. */
  whenSettled(done: () => void): void {
    if (this.#stream.waitingCount === 0) done();
    else this.#drained = done;
  }

  close(): void {
    this.#stream.close();
  }

  /** The client has read what it was told. */
  tellOn(): void {
    if (this.#isCumulative) this.#tellCumulative();
  }

  stored(first: number, count: number, topic: string, partition: number, baseOffset: Offset): void {
    if (this.#isCumulative) {
      this.#last.set(`${topic} ${partition}`, { topic, partition, offset: baseOffset + count - 1 });
      return;
    }
    this.#each(first, count, (waiting, from, n) => {
      if (waiting === null) return;
      const offset = baseOffset + from - first;
      if (waiting.runs !== null) return addRun(waiting.runs, { count: n, partition, offset });
      this.#out.push(`{"type":"ack","id":${waiting.id},"partition":${partition},"offset":${offset}}`);
    });
  }

  failed(first: number, count: number, errorCode: ErrorCode, message: string): void {
    const error = `"error":"${errorName(errorCode)}","message":${JSON.stringify(message)}`;
    if (this.#isCumulative) {
      this.#out.push(`{"type":"error",${error},"from":${first + 1},"count":${count}}`);
      return;
    }
    this.#each(first, count, (waiting, _from, n) => {
      if (waiting === null) this.#out.push(`{"type":"error",${error},"count":${n}}`);
      else if (waiting.runs === null) this.#out.push(`{"type":"error","id":${waiting.id},${error}}`);
      else addRun(waiting.runs, { count: n, error: errorName(errorCode), message });
    });
  }

  settled(endOrdinal: number): void {
    this.#settledEnd = endOrdinal;
    if (this.#isCumulative) this.#tellCumulative();
    this.#sendOut();
    if (this.#drained !== null && this.#stream.waitingCount === 0) this.#drained();
  }

  broken(): void {
    this.#owner.destroy();
  }

  #tellCumulative(): void {
    if (this.#settledEnd === this.#toldEnd) return;
    // Errors come before the number that they belong to.
    if (this.#owner.isBehind) return;
    this.#toldEnd = this.#settledEnd;
    this.#out.push(JSON.stringify({ type: 'ack', upTo: this.#settledEnd, last: [...this.#last.values()] }));
    this.#last.clear();
    this.#sendOut();
  }

  #sendOut(): void {
    if (this.#out.length === 0) return;
    const out = this.#out;
    this.#out = [];
    this.#owner.sendAll(out);
  }

  /** Calls `told` for each part of `count` records from `first` on that belongs to one frame, or to frames without an id. */
  #each(first: number, count: number, told: (waiting: Waiting | null, from: number, count: number) => void): void {
    let from = first;
    const end = first + count;
    while (from < end) {
      const waiting = this.#waiting[this.#firstWaiting];
      if (waiting === undefined || waiting.start >= end) return told(null, from, end - from);
      if (waiting.start > from) {
        told(null, from, waiting.start - from);
        from = waiting.start;
      }
      const to = Math.min(end, waiting.end);
      told(waiting, from, to - from);
      from = to;
      if (to < waiting.end) return;
      if (waiting.runs !== null) {
        this.#out.push(`{"type":"ack","id":${waiting.id},"runs":${JSON.stringify(waiting.runs)}}`);
      }
      this.#firstWaiting++;
    }
    if (this.#firstWaiting > 1024 || this.#firstWaiting === this.#waiting.length) {
      this.#waiting.splice(0, this.#firstWaiting);
      this.#firstWaiting = 0;
    }
  }

  /** Looks at all records before it hands in the first: of a frame that is wrong nothing is stored. */
  #publishBatch(scanner: PublishScanner, bytes: Uint8Array): string | null {
    let count = 0;
    while (scanner.nextRecord()) {
      count++;
      const problem = this.#prepare(scanner, bytes);
      if (problem !== null) return `Record ${count} of the frame: ${problem}`;
    }
    if (scanner.problem !== '') return `Record ${count + 1} of the frame: ${scanner.problem}`;
    if (count === 0) return 'The frame has no records.';
    scanner.rewind();
    while (scanner.nextRecord()) {
      this.#prepare(scanner, bytes);
      this.#handIn(scanner, bytes);
    }
    return null;
  }

  #handIn(scanner: PublishScanner, bytes: Uint8Array): void {
    const target = this.#targetOf(scanner, bytes);
    const partition = scanner.integerOf(field.partition);
    const timestampMs = scanner.integerOf(field.timestamp);
    const value = this.#value;
    if (this.#producer !== null) {
      const number = scanner.integerOf(field.sequence);
      const slice = value === null ? null : value.subarray(this.#valueStart, this.#valueEnd);
      this.#stream.publishNamed(
        this.#producer,
        number,
        null,
        target,
        partition,
        this.#key,
        slice,
        timestampMs,
        this.#headers,
      );
      return;
    }
    if (this.#key === null && this.#headers === null && timestampMs < 0 && value !== null) {
      this.#stream.publishSlice(target, partition, value, this.#valueStart, this.#valueEnd);
    } else {
      const slice = value === null ? null : value.subarray(this.#valueStart, this.#valueEnd);
      this.#stream.publish(target, partition, this.#key, slice, timestampMs, this.#headers);
    }
  }

  #targetOf(scanner: PublishScanner, bytes: Uint8Array): PublishTarget {
    const start = scanner.startOf(field.topic);
    const sizeBytes = scanner.endOf(field.topic) - start;
    const known = this.#topicBytes;
    if (this.#target !== null && known.length === sizeBytes) {
      let i = 0;
      while (i < sizeBytes && known[i] === bytes[start + i]) i++;
      if (i === sizeBytes) return this.#target;
    }
    this.#topicBytes = bytes.slice(start, start + sizeBytes);
    this.#target = this.#publisher.target(scanner.textOf(field.topic));
    return this.#target;
  }

  /** Makes key, value and headers ready; gives what is wrong with them, as a sentence, or null. */
  #prepare(scanner: PublishScanner, bytes: Uint8Array): string | null {
    this.#key = null;
    this.#headers = null;
    const isNumbered = scanner.kind(field.sequence) !== JsonKind.ABSENT;
    if (isNumbered !== (this.#producer !== null))
      return 'A record has a sequence exactly where its frame names a producer.';
    const keyKind = scanner.kind(field.key);
    if (keyKind === JsonKind.STRING) this.#key = bytes.subarray(scanner.startOf(field.key), scanner.endOf(field.key));
    else if (keyKind === JsonKind.ESCAPED_STRING) this.#key = encoder.encode(scanner.textOf(field.key));
    else if (scanner.kind(field.keyBase64) !== JsonKind.ABSENT) {
      this.#key = parseBase64(scanner.textOf(field.keyBase64));
      if (this.#key === null) return 'Its keyBase64 is not base64.';
    }
    if (scanner.kind(field.headers) === JsonKind.OBJECT) {
      const headers: unknown = JSON.parse(scanner.rawOf(field.headers));
      const problem = problemOf(headersSchema, headers, 'The field headers');
      if (problem !== null) return problem;
      const read = headersOf(headers as Readonly<Record<string, HeaderValue>>);
      if (typeof read === 'string') return read;
      this.#headers = read;
    }
    return this.#prepareValue(scanner, bytes);
  }

  #prepareValue(scanner: PublishScanner, bytes: Uint8Array): string | null {
    const valueKind = scanner.kind(field.value);
    const textKind = scanner.kind(field.text);
    if (valueKind > JsonKind.NULL) {
      // The JSON of a string has its quotes.
      const quotes = valueKind === JsonKind.STRING || valueKind === JsonKind.ESCAPED_STRING ? 1 : 0;
      this.#value = bytes;
      this.#valueStart = scanner.startOf(field.value) - quotes;
      this.#valueEnd = scanner.endOf(field.value) + quotes;
    } else if (textKind === JsonKind.STRING) {
      this.#value = bytes;
      this.#valueStart = scanner.startOf(field.text);
      this.#valueEnd = scanner.endOf(field.text);
    } else if (textKind === JsonKind.ESCAPED_STRING) this.#take(encoder.encode(scanner.textOf(field.text)));
    else if (scanner.kind(field.base64) !== JsonKind.ABSENT) {
      const decoded = parseBase64(scanner.textOf(field.base64));
      if (decoded === null) return 'Its base64 is not base64.';
      this.#take(decoded);
    } else this.#value = null;
    return null;
  }

  #take(value: Uint8Array): void {
    this.#value = value;
    this.#valueStart = 0;
    this.#valueEnd = value.length;
  }
}

function addRun(runs: Run[], run: Run): void {
  const before = runs.at(-1);
  const continues =
    before !== undefined &&
    (run.offset === undefined
      ? before.error === run.error && before.message === run.message
      : before.offset !== undefined &&
        before.partition === run.partition &&
        before.offset + before.count === run.offset);
  if (continues) before.count += run.count;
  else runs.push(run);
}

/** As the schema of headers lets it through. */
type HeaderValue = string | null | { readonly base64: string } | readonly HeaderValue[];

function headersOf(headers: Readonly<Record<string, HeaderValue>>): RecordHeader[] | string {
  const read: RecordHeader[] = [];
  for (const [key, given] of Object.entries(headers)) {
    for (const value of Array.isArray(given) ? (given as readonly HeaderValue[]) : [given]) {
      if (value === null) read.push({ key, value: null });
      else if (typeof value === 'string') read.push({ key, value: encoder.encode(value) });
      else {
        const bytes = 'base64' in value ? parseBase64(value.base64) : null;
        if (bytes === null) return `The header ${JSON.stringify(key.slice(0, 40))} is not base64.`;
        read.push({ key, value: bytes });
      }
    }
  }
  return read;
}
