/**
 * The shape of Confluent's REST Proxy, version 3 of its interface: a stream of objects, a record each, and a stream of
 * reports back, in their order. I/O thread. Source: the public reference of that interface.
 *
 *   {"partition_id": 0, "headers": [{"name": "a", "value": "YQ=="}], "key": {"type": "STRING", "data": "a"},
 *    "value": {"type": "JSON", "data": {}}, "timestamp": "2026-11-24T12:00:00Z"}
 *   ─► {"error_code": 200, "cluster_id": "…", "topic_name": "t", "partition_id": 0, "offset": 5, "timestamp": "…",
 *       "key": {"type": "STRING", "size": 1}, "value": {"type": "JSON", "size": 2}}
 *   ─► {"error_code": 422, "message": "…"}
 *
 * Types are BINARY (base64), JSON and STRING; what needs a schema registry is refused. The cluster's id in the path is not
 * looked at, as the proxy outside of Confluent's cloud does not either.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { Offset } from '../../base/numbers.ts';
import type { PublishListener, PublishStream } from '../../gateway/publish-stream.ts';
import type { PublishTarget } from '../../gateway/publish-target.ts';
import type { RecordPublisher } from '../../gateway/record-publisher.ts';
import type { RecordHeader } from '../../records/record-reader.ts';
import type { Durability } from '../../storage/partition-log.ts';
import type { Exchange } from '../http-api/exchange.ts';
import { badRequest, problemOf, statusOf, type Problem } from '../http-api/problem.ts';
import { JsonScanner } from '../json/json-scanner.ts';
import { JsonWalker, kindAt } from '../json/json-walker.ts';
import { tooManyBodies, type BodySink } from './body-sink.ts';
import {
  bytesOf,
  cameBefore,
  emptyDraft,
  jsonOf,
  mostHeaders,
  stringOf,
  takePartition,
  takeTimestamp,
  twice,
  type RecordDraft,
} from './record-shape.ts';
import type { BodyReader } from './request-body.ts';
import { ObjectSplitter, type SharedRoom } from './text-splitter.ts';

/** What a report says of a key or value. */
interface ContentReport {
  readonly type: string;
  readonly size: number;
}

/** A record of which no report was written yet. */
interface Reported {
  /** What failed, as a report; null where nothing did. */
  failure: string | null;
  /** Where it is stored; -1 where it is not, or is on its way. */
  partition: number;
  offset: number;
  readonly key: ContentReport | null;
  readonly value: ContentReport | null;
  readonly timestampMs: number;
}

export interface ProxyV3Options {
  readonly exchange: Exchange;
  readonly publisher: RecordPublisher;
  readonly clusterId: string;
  readonly topic: string;
  readonly durability: Durability;
  readonly longestRecordBytes: number;
  /** For what is kept of records that are not whole. */
  readonly room: SharedRoom;
  readonly nowMs: () => number;
}

const waitingBytes = 4 * 1024 * 1024;
const mostUnsent = 256 * 1024;
/** With so many of which no report was written it reads no further. */
const mostUnreported = 20_000;
const scanner = new JsonScanner();

export class ProxyV3Ingest implements PublishListener {
  body: BodyReader | null = null;
  readonly sink: BodySink = {
    chunk: (bytes) => this.#chunk(bytes),
    end: () => this.#end(),
    failed: (problem) => this.#stop(problem),
    stopped: () => queueMicrotask(() => this.#splitter.clear()),
  };
  readonly #options: ProxyV3Options;
  readonly #stream: PublishStream;
  readonly #target: PublishTarget;
  readonly #splitter: ObjectSplitter;
  readonly #draft = emptyDraft();
  /** In the records' order; those before `#first` were reported. */
  #reported: Reported[] = [];
  #first = 0;
  /** Of those before it, it is known what became of them. */
  #toldTo = 0;
  #flowing = true;
  #blocked = false;
  #bodyIsOver = false;
  #began = false;

  constructor(options: ProxyV3Options) {
    const { exchange, publisher, topic, durability, longestRecordBytes, room } = options;
    this.#options = options;
    this.#target = publisher.target(topic);
    this.#stream = publisher.openStream(this, { durability, maxWaitingBytes: waitingBytes, caller: exchange.caller });
    this.#splitter = new ObjectSplitter(longestRecordBytes, room, (bytes, start, end) =>
      this.#record(bytes, start, end),
    );
    exchange.wait({
      aborted: () => this.#stream.close(),
      finish: () => this.#stop(stopping),
      writable: () => {
        this.#flowing = true;
        this.#send();
        // Where all reports were written before, nothing else would.
        if (!this.#isFull) this.body?.resume();
      },
    });
  }

  // As PublishListener.

  stored(_first: number, count: number, _topic: string, partition: number, baseOffset: Offset): void {
    for (let i = 0; i < count; i++) {
      const record = this.#nextWaiting();
      record.partition = partition;
      record.offset = baseOffset + i;
    }
  }

  failed(_first: number, count: number, errorCode: ErrorCode, message: string): void {
    for (let i = 0; i < count; i++) this.#nextWaiting().failure = failure(statusOf(errorCode), message);
  }

  settled(): void {
    this.#send();
  }

  resumed(): void {
    this.#blocked = false;
    if (!this.#isFull) this.body?.resume();
  }

  broken(): void {
    this.#options.exchange.destroy();
  }

  get #isFull(): boolean {
    return this.#blocked || !this.#flowing || this.#reported.length - this.#first > mostUnreported;
  }

  #nextWaiting(): Reported {
    while (this.#reported[this.#toldTo]!.failure !== null) this.#toldTo++;
    return this.#reported[this.#toldTo++]!;
  }

  #chunk(bytes: Uint8Array): boolean {
    if (!this.#splitter.chunk(bytes) && !this.#bodyIsOver) {
      const { notAnObject, lacksRoom } = this.#splitter;
      this.#stop(notAnObject ? noObject : lacksRoom ? tooManyBodies : tooLong);
    }
    this.#send();
    return !this.#isFull;
  }

  #end(): void {
    if (this.#bodyIsOver) return;
    this.#bodyIsOver = true;
    if (this.#splitter.isWithin) this.#report(failure(400, 'The body ends within a record.'));
    else if (this.#reported.length === 0 && !this.#began) return this.#options.exchange.fail(nothing);
    this.#send();
  }

  #record(bytes: Uint8Array, start: number, end: number): boolean {
    if (scanner.scan(bytes, start, end) !== end) {
      this.#stop(badRequest(`A record is no JSON: ${scanner.problem} (byte ${scanner.problemAt - start + 1}).`));
      return false;
    }
    const draft = this.#draft;
    Object.assign(draft, { key: null, value: null, partition: -1, timestampMs: -1, headers: null });
    const parsed = readRecord(bytes, start, draft);
    if (typeof parsed === 'string') {
      this.#report(failure(422, parsed));
      return true;
    }
    this.#reported.push({ failure: null, partition: -1, offset: -1, ...parsed, timestampMs: draft.timestampMs });
    const { partition, key, value, timestampMs, headers } = draft;
    if (!this.#stream.publish(this.#target, partition, key, value, timestampMs, headers)) this.#blocked = true;
    return true;
  }

  #report(report: string): void {
    this.#reported.push({ failure: report, partition: -1, offset: -1, key: null, value: null, timestampMs: -1 });
  }

  #stop(problem: Problem): void {
    if (this.#bodyIsOver) return;
    this.#bodyIsOver = true;
    this.body?.stop();
    this.#report(failure(problem.status, problem.detail));
    setImmediate(() => this.#send());
  }

  #success({ partition, offset, key, value, timestampMs }: Reported): string {
    const { clusterId, topic, nowMs } = this.#options;
    return JSON.stringify({
      error_code: 200,
      cluster_id: clusterId,
      topic_name: topic,
      partition_id: partition,
      offset,
      timestamp: new Date(timestampMs < 0 ? nowMs() : timestampMs).toISOString(),
      key: key ?? undefined,
      value: value ?? undefined,
    });
  }

  /** Writes the reports that are known, in order, and ends where nothing is to come. */
  #send(): void {
    const { exchange } = this.#options;
    if (!this.#flowing || exchange.over) return;
    let text = '';
    while (this.#first < this.#reported.length && text.length < mostUnsent) {
      const record = this.#reported[this.#first]!;
      if (record.failure === null && record.offset < 0) break;
      text += `${record.failure ?? this.#success(record)}\r\n`;
      this.#first++;
    }
    if (text !== '' && !exchange.streaming) {
      this.#began = true;
      exchange.stream('application/json');
    }
    if (this.#first === this.#reported.length) {
      this.#reported = [];
      this.#first = 0;
      this.#toldTo = 0;
      if (this.#bodyIsOver) {
        this.#stream.close();
        exchange.end(text);
        return;
      }
    } else if (this.#first > 1024 && this.#first * 2 > this.#reported.length) {
      // A stream may never come to where all is reported.
      this.#reported = this.#reported.slice(this.#first);
      this.#toldTo = Math.max(this.#toldTo - this.#first, 0);
      this.#first = 0;
    }
    if (text === '') return;
    this.#flowing = exchange.write(text);
    if (!this.#isFull) this.body?.resume();
    if (this.#flowing && this.#reported.length > 0) setImmediate(() => this.#send());
  }
}

const noObject = badRequest('A body is a sequence of objects, a record each.');
const nothing = badRequest('The body holds no record.');
const tooLong = problemOf(ErrorCode.MESSAGE_TOO_LARGE, 'A record is too long; what follows it was not read.');
const stopping = problemOf(ErrorCode.BROKER_NOT_AVAILABLE, 'The broker stops; send again what was not reported.');

function failure(status: number, message: string): string {
  return JSON.stringify({ error_code: status, message });
}

const recordNames: ReadonlySet<string> = new Set(['partition_id', 'timestamp', 'headers', 'key', 'value']);

/** Fills `draft`; returns what reports say of it, or what is wrong. */
function readRecord(
  bytes: Uint8Array,
  start: number,
  draft: RecordDraft,
): { readonly key: ContentReport | null; readonly value: ContentReport | null } | string {
  const walker = new JsonWalker(bytes, start);
  const reports: { key: ContentReport | null; value: ContentReport | null } = { key: null, value: null };
  const seen: string[] = [];
  while (walker.next()) {
    const { name } = walker;
    let problem: string | null = null;
    if (recordNames.has(name) && cameBefore(seen, name)) return twice(name);
    if (name === 'partition_id') problem = takePartition(walker, draft, name);
    else if (name === 'timestamp') problem = takeTimestamp(walker, draft);
    else if (name === 'headers') problem = takeHeaders(walker, draft);
    else if (name === 'key' || name === 'value') {
      const content = contentOf(walker, name);
      if (typeof content === 'string') problem = content;
      else {
        draft[name] = content.bytes;
        reports[name] = content.bytes === null ? null : { type: content.type, size: content.bytes.length };
      }
    }
    if (problem !== null) return problem;
  }
  return reports;
}

/** Bytes and type of `{"type": …, "data": …}` or null; what is wrong with it as a sentence. */
function contentOf(walker: JsonWalker, name: string): { bytes: Uint8Array | null; type: string } | string {
  if (walker.kind === 'null') return { bytes: null, type: 'BINARY' };
  if (walker.kind !== 'object') return `The ${name} of a record is an object with type and data.`;
  let type: string | null = null;
  let data: JsonWalker | null = null;
  for (const members = new JsonWalker(walker.bytes, walker.start); members.next();) {
    if (members.name === 'type') {
      if (type !== null) return `The ${name} of a record has type twice.`;
      type = members.kind === 'string' ? members.text : '';
    } else if (members.name === 'data') {
      // Each would be looked for from the start again.
      if (data !== null) return `The ${name} of a record has data twice.`;
      data = new JsonWalker(walker.bytes, walker.start);
      while (data.next() && data.name !== 'data');
    } else if (/schema|subject/.test(members.name))
      return 'There is no schema registry here: send BINARY, JSON or STRING.';
  }
  if (data === null) return { bytes: null, type: type === null || type === '' ? 'BINARY' : type };
  const read = type === null ? undefined : { BINARY: bytesOf, JSON: jsonOf, STRING: stringOf }[type];
  if (type === null || read === undefined) return `The type of a ${name} is BINARY, JSON or STRING.`;
  const bytes = read(data);
  return bytes === undefined ? `The data of the ${name} is not what ${type} is.` : { bytes, type };
}

function takeHeaders(walker: JsonWalker, draft: RecordDraft): string | null {
  if (walker.kind === 'null') return null;
  if (walker.kind !== 'array') return wrongHeaders;
  const headers: RecordHeader[] = [];
  for (const elements = new JsonWalker(walker.bytes, walker.start); elements.next();) {
    if (kindAt(walker.bytes, elements.start) !== 'object') return wrongHeaders;
    let key: string | null = null;
    let value: Uint8Array | null | undefined = null;
    const seen: string[] = [];
    for (const members = new JsonWalker(walker.bytes, elements.start); members.next();) {
      const { name } = members;
      if ((name === 'name' || name === 'value') && cameBefore(seen, name)) return wrongHeaders;
      if (name === 'name') key = members.kind === 'string' ? members.text : null;
      else if (name === 'value') value = bytesOf(members);
    }
    if (key === null || value === undefined) return wrongHeaders;
    if (headers.length === mostHeaders) return `A record has at most ${mostHeaders} headers.`;
    headers.push({ key, value });
  }
  draft.headers = headers;
  return null;
}

const wrongHeaders = 'The headers of a record are objects with one name and one value in base64.';
