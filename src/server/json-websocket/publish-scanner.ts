/**
 * Reads publish frames without making objects of them: where each field lies in the message. I/O thread.
 *
 *   {"type":"publish","topic":"orders","value":{"total":3}}     scan → PUBLISH, fields of the frame, which is the record
 *   {"type":"publish","topic":"orders","records":[{…},{…}]}     scan → PUBLISH, then nextRecord → fields of each
 *
 * A value that is JSON is stored as it stands in the frame, byte by byte. What a field may be stands in `frames.ts`; a
 * test holds both together. It does not read other frames: those are few, and JSON.parse is good enough.
 */

import { integerAt, JsonKind, JsonScanner } from './json-scanner.ts';

/** The fields of a publish frame and of a record, by the place at which they are kept. */
export const publishFields = [
  'type',
  'id',
  'topic',
  'producer',
  'records',
  'sequence',
  'key',
  'keyBase64',
  'value',
  'text',
  'base64',
  'headers',
  'partition',
  'timestamp',
] as const;
export type PublishField = (typeof publishFields)[number];

export const field = Object.fromEntries(publishFields.map((name, i) => [name, i])) as Readonly<
  Record<PublishField, number>
>;
/** From here on fields are a record's own as well. */
const firstOfRecord = field.sequence;
const noField = -1;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const names = publishFields.map((name) => encoder.encode(name));
const publishText = encoder.encode('publish');

export const Scanned = { PUBLISH: 0, OTHER: 1, INVALID: 2 } as const;
export type Scanned = (typeof Scanned)[keyof typeof Scanned];

/** Messages up to this size are copied here first, where they can be looked at in words, in bytes. */
const roomBytes = 64 * 1024;

export class PublishScanner {
  readonly #room = new Uint8Array(roomBytes);
  readonly #words = new Int32Array(this.#room.buffer);
  readonly #scanner = new JsonScanner();
  readonly #kinds = new Uint8Array(publishFields.length);
  readonly #starts = new Int32Array(publishFields.length);
  readonly #ends = new Int32Array(publishFields.length);
  /** Where the records go on, and where they end; -1 where the frame itself is the record. */
  #recordsAt = -1;
  #recordsEnd = -1;
  #recordsStart = -1;
  #unknown: string | null = null;
  /** Why the frame or the record was refused, as a sentence. */
  problem = '';

  /** The bytes that places mean, until the next `scan`. */
  get bytes(): Uint8Array {
    return this.#scanner.bytes;
  }

  /** Reads a frame. After INVALID there is a `problem`; OTHER is a JSON object of another type, or of none. */
  scan(message: Uint8Array): Scanned {
    const { length } = message;
    if (length > roomBytes) this.#scanner.begin(message);
    else {
      this.#room.set(message);
      this.#scanner.begin(this.#room, 0, length, this.#words);
    }
    this.#recordsAt = -1;
    if (!this.#readObject(0)) return Scanned.INVALID;
    this.#scanner.space();
    if (this.#scanner.at !== length) return this.#refuse('The frame is not JSON: something follows its object.');
    if (!this.#isPublish()) return Scanned.OTHER;
    if (this.#unknown !== null) return this.#refuse(`A publish frame has no field ${this.#unknown}.`);
    if (this.kind(field.records) !== JsonKind.ABSENT) return this.#beginRecords();
    return this.#checkRecord() ? Scanned.PUBLISH : Scanned.INVALID;
  }

  /** Lets `nextRecord` begin with the first record again. */
  rewind(): void {
    this.#recordsAt = this.#recordsStart;
  }

  /** Whether the frame has an array of records, each of which `nextRecord` reads. */
  get isBatch(): boolean {
    return this.#recordsAt >= 0;
  }

  /**
   * Moves to the next record of a batch; false behind the last, or with a `problem` (empty before) at one that is wrong.
   * The fields of the frame that no record has stay as they are.
   */
  nextRecord(): boolean {
    const scanner = this.#scanner;
    this.problem = '';
    scanner.begin(scanner.bytes, this.#recordsAt, this.#recordsEnd);
    scanner.space();
    if (scanner.at === this.#recordsEnd) return false;
    if (!this.#readObject(firstOfRecord)) return false;
    scanner.take(0x2c);
    this.#recordsAt = scanner.at;
    if (this.#unknown !== null) {
      this.problem = `A record has no field ${this.#unknown}.`;
      return false;
    }
    return this.#checkRecord();
  }

  kind(of: number): JsonKind {
    return this.#kinds[of] as JsonKind;
  }

  startOf(of: number): number {
    return this.#starts[of]!;
  }

  endOf(of: number): number {
    return this.#ends[of]!;
  }

  /** The text of a field that is a string. */
  textOf(of: number): string {
    const { bytes } = this.#scanner;
    const escaped = this.kind(of) === JsonKind.ESCAPED_STRING;
    const from = this.startOf(of) - (escaped ? 1 : 0);
    const to = this.endOf(of) + (escaped ? 1 : 0);
    const text = decoder.decode(bytes.subarray(from, to));
    return escaped ? (JSON.parse(text) as string) : text;
  }

  /** The JSON text of a field, with the quotes of a string. */
  rawOf(of: number): string {
    const isString = this.kind(of) === JsonKind.STRING || this.kind(of) === JsonKind.ESCAPED_STRING;
    const quotes = isString ? 1 : 0;
    return decoder.decode(this.#scanner.bytes.subarray(this.startOf(of) - quotes, this.endOf(of) + quotes));
  }

  /** The integer in a field, or -1 where the field is left out or null. */
  integerOf(of: number): number {
    if (this.kind(of) !== JsonKind.NUMBER) return -1;
    return integerAt(this.#scanner.bytes, this.startOf(of), this.endOf(of));
  }

  /** Reads the fields from place `first` on of the object that is next. */
  #readObject(first: number): boolean {
    const scanner = this.#scanner;
    for (let of = first; of < this.#kinds.length; of++) this.#kinds[of] = JsonKind.ABSENT;
    this.#unknown = null;
    scanner.space();
    if (!scanner.take(0x7b)) {
      return this.#notJson(first === 0 ? 'a frame is an object' : 'a record is an object');
    }
    if (scanner.take(0x7d)) return true;
    do {
      scanner.space();
      if (scanner.bytes[scanner.at] !== 0x22) return this.#notJson('there is no field name in quotes');
      if (scanner.string() === JsonKind.ABSENT) return this.#notJson(null);
      const { valueStart, valueEnd } = scanner;
      if (!scanner.take(0x3a)) return this.#notJson('there is no colon behind a field name');
      const kind = scanner.value(1);
      if (kind === JsonKind.ABSENT) return this.#notJson(null);
      const of = fieldAt(scanner.bytes, valueStart, valueEnd, first);
      if (of === noField) this.#unknown ??= shown(decoder.decode(scanner.bytes.subarray(valueStart, valueEnd)));
      else {
        this.#kinds[of] = kind;
        this.#starts[of] = scanner.valueStart;
        this.#ends[of] = scanner.valueEnd;
      }
    } while (scanner.take(0x2c));
    return scanner.take(0x7d) || this.#notJson('an object does not end');
  }

  #notJson(what: string | null): false {
    const problem = this.#scanner.problem ?? `${what} (byte ${this.#scanner.at})`;
    this.problem = `The frame is not JSON as it is due: ${problem}.`;
    return false;
  }

  #refuse(problem: string): typeof Scanned.INVALID {
    this.problem = problem;
    return Scanned.INVALID;
  }

  #isPublish(): boolean {
    if (this.kind(field.type) !== JsonKind.STRING) return false;
    return equal(this.#scanner.bytes, this.startOf(field.type), this.endOf(field.type), publishText);
  }

  #beginRecords(): Scanned {
    if (this.kind(field.records) !== JsonKind.ARRAY) return this.#refuse('The field records is no array.');
    for (let of = firstOfRecord; of < publishFields.length; of++) {
      if (this.kind(of) === JsonKind.ABSENT) continue;
      return this.#refuse(`A publish frame with records has its ${publishFields[of]} in each of them.`);
    }
    if (!this.#checkFrame()) return Scanned.INVALID;
    this.#recordsStart = this.startOf(field.records) + 1;
    this.#recordsAt = this.#recordsStart;
    this.#recordsEnd = this.endOf(field.records) - 1;
    return Scanned.PUBLISH;
  }

  #checkFrame(): boolean {
    if (!isString(this.kind(field.topic))) return this.#wrong('topic', 'a string');
    const id = this.kind(field.id);
    if (id !== JsonKind.ABSENT && !isString(id) && id !== JsonKind.NUMBER)
      return this.#wrong('id', 'a string or number');
    if (id !== JsonKind.ABSENT && this.endOf(field.id) - this.startOf(field.id) > longestId) {
      return this.#wrong('id', `at most ${longestId} bytes long`);
    }
    const producer = this.kind(field.producer);
    return producer === JsonKind.ABSENT || isString(producer) || this.#wrong('producer', 'a string');
  }

  #checkRecord(): boolean {
    if (!this.isBatch && !this.#checkFrame()) return false;
    for (const of of textFields) {
      const kind = this.#kinds[of]!;
      if (kind > JsonKind.ESCAPED_STRING || (kind === JsonKind.NULL && of !== field.key)) {
        return this.#wrong(publishFields[of]!, 'a string');
      }
    }
    if (this.kind(field.key) !== JsonKind.ABSENT && this.kind(field.keyBase64) !== JsonKind.ABSENT) {
      return this.#bad('A record has either key or keyBase64.');
    }
    const values =
      Number(this.kind(field.value) !== JsonKind.ABSENT) +
      Number(this.kind(field.text) !== JsonKind.ABSENT) +
      Number(this.kind(field.base64) !== JsonKind.ABSENT);
    if (values > 1) return this.#bad('A record has one of value, text and base64.');
    const headers = this.kind(field.headers);
    if (headers !== JsonKind.ABSENT && headers !== JsonKind.NULL && headers !== JsonKind.OBJECT) {
      return this.#wrong('headers', 'an object');
    }
    return (
      this.#checkInteger(field.partition, 2 ** 31 - 1) &&
      this.#checkInteger(field.timestamp, Number.MAX_SAFE_INTEGER) &&
      this.#checkInteger(field.sequence, Number.MAX_SAFE_INTEGER)
    );
  }

  #checkInteger(of: number, most: number): boolean {
    const kind = this.kind(of);
    if (kind === JsonKind.ABSENT) return true;
    const number = kind === JsonKind.NUMBER ? this.integerOf(of) : Number.NaN;
    return (number >= 0 && number <= most) || this.#wrong(publishFields[of]!, `a whole number from 0 to ${most}`);
  }

  #wrong(name: PublishField, due: string): false {
    return this.#bad(`The field ${name} is not ${due}.`);
  }

  #bad(problem: string): false {
    this.problem = problem;
    return false;
  }
}

const longestId = 100;
const textFields = [field.key, field.keyBase64, field.text, field.base64];

function isString(kind: JsonKind): boolean {
  return kind === JsonKind.STRING || kind === JsonKind.ESCAPED_STRING;
}

/** Places of fields by what is quickly seen of their names; -1 where there is none. Names that look the same come behind one another. */
const buckets = new Int8Array(256).fill(noField);
const nextInBucket = names.map((name, of) => {
  const bucket = bucketOf(name, 0, name.length);
  const next = buckets[bucket]!;
  buckets[bucket] = of;
  return next;
});

function bucketOf(bytes: Uint8Array, start: number, end: number): number {
  return (bytes[start]! * 3 + bytes[end - 1]! * 5 + (end - start) * 17) & 0xff;
}

/** The place of the field with this name, from `first` on, or `noField`. */
function fieldAt(bytes: Uint8Array, start: number, end: number, first: number): number {
  if (end === start) return noField;
  for (let of = buckets[bucketOf(bytes, start, end)]!; of >= 0; of = nextInBucket[of]!) {
    if (equal(bytes, start, end, names[of]!)) return of >= first ? of : noField;
  }
  return noField;
}

function equal(bytes: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return false;
  return true;
}

/** A name from outside, as far as a sentence has room for it. */
function shown(name: string): string {
  return JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name);
}
