/**
 * Reads publish frames without making objects of them: where each field lies in the message. I/O thread.
 *
 *   {"type":"publish","topic":"orders","value":{"total":3}}     scan → PUBLISH, fields of the frame, which is the record
 *   {"type":"publish","topic":"orders","records":[{…},{…}]}     scan → PUBLISH, then nextRecord → fields of each
 *
 * A value that is JSON is stored as it stands in the frame, byte by byte. What a field may be stands in `frames.ts`; a
 * test holds both together. It does not read other frames: those are few, and JSON.parse is good enough.
 */

import { assert } from '../../base/assert.ts';
import { JsonCore, JsonKind, jsonMemory } from '../json/json-core.ts';

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

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const names = publishFields.map((name) => encoder.encode(name));
const publishText = encoder.encode('publish');

export const Scanned = { PUBLISH: 0, OTHER: 1, INVALID: 2 } as const;
export type Scanned = (typeof Scanned)[keyof typeof Scanned];

/** Arrays and objects within each other, at most, and the frame is one. */
export const deepestNesting = 100;
const deepestValue = deepestNesting - 1;
/** uWebSockets.js has made sure of UTF-8. */
const noFlags = 0;
/** Places of what the core tells, four bytes each. */
const membersPlace = jsonMemory.members / 4;
const wordsOfMember = jsonMemory.sizeOfMember / 4;

export class PublishScanner {
  readonly #core = new JsonCore(putNames);
  #end = 0;
  /** Where the records go on, and where they end; -1 where the frame itself is the record. */
  #recordsAt = -1;
  #recordsEnd = -1;
  #recordsStart = -1;
  /** Why the frame or the record was refused, as a sentence. */
  problem = '';

  /** The bytes that places mean, until the next `scan`. */
  get bytes(): Uint8Array {
    return this.#core.bytes;
  }

  /** Reads a frame. After INVALID there is a `problem`; OTHER is a JSON object of another type, or of none. */
  scan(message: Uint8Array): Scanned {
    this.#end = this.#core.place(message);
    this.#recordsAt = -1;
    const behind = this.#readObject(jsonMemory.text, this.#end, 0);
    if (behind === 0) return Scanned.INVALID;
    if (this.#spaceEnd(behind) !== this.#end)
      return this.#refuse('The frame is not JSON: something follows its object.');
    if (!this.#isPublish()) return Scanned.OTHER;
    const wrong = this.#problemOfNames('A publish frame');
    if (wrong !== null) return this.#refuse(wrong);
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
    this.problem = '';
    const at = this.#spaceEnd(this.#recordsAt);
    if (at === this.#recordsEnd) return false;
    const behind = this.#readObject(at, this.#recordsEnd, firstOfRecord);
    if (behind === 0) return false;
    // What follows is a comma or the end: the array was passed over already.
    this.#recordsAt = this.#spaceEnd(behind);
    if (this.#recordsAt < this.#recordsEnd) this.#recordsAt++;
    const wrong = this.#problemOfNames('A record');
    return wrong === null ? this.#checkRecord() : this.#bad(wrong);
  }

  kind(of: number): JsonKind {
    return this.#core.words[membersPlace + of * wordsOfMember] as JsonKind;
  }

  startOf(of: number): number {
    return this.#core.words[membersPlace + of * wordsOfMember + 1]!;
  }

  endOf(of: number): number {
    return this.#core.words[membersPlace + of * wordsOfMember + 2]!;
  }

  /** The text of a field that is a string. */
  textOf(of: number): string {
    const { bytes } = this;
    const escaped = this.kind(of) === JsonKind.ESCAPED_STRING;
    const from = this.startOf(of) - (escaped ? 1 : 0);
    const to = this.endOf(of) + (escaped ? 1 : 0);
    const text = decoder.decode(bytes.subarray(from, to));
    return escaped ? (JSON.parse(text) as string) : text;
  }

  /** The JSON text of a field, with the quotes of a string. */
  rawOf(of: number): string {
    const quotes = isString(this.kind(of)) ? 1 : 0;
    return decoder.decode(this.bytes.subarray(this.startOf(of) - quotes, this.endOf(of) + quotes));
  }

  /** The integer in a field, or -1 where the field is left out or null. */
  integerOf(of: number): number {
    if (this.kind(of) !== JsonKind.NUMBER) return -1;
    return integerAt(this.bytes, this.startOf(of), this.endOf(of));
  }

  /** Reads the fields from place `first` on of the object at `at`; returns the position behind it, 0 with a `problem`. */
  #readObject(at: number, end: number, first: number): number {
    const core = this.#core;
    const behind = core.module.scanMembers(at, end, noFlags, deepestValue, first, publishFields.length);
    if (behind !== 0) return behind;
    const problemAt = core.words[jsonMemory.problemAt / 4]! - jsonMemory.text;
    this.problem = `The frame is not JSON as it is due: ${core.problem(deepestNesting)} (byte ${problemAt}).`;
    return 0;
  }

  /** What is wrong with the names of the object read last, which is `what`, as a sentence; null where nothing is. */
  #problemOfNames(what: string): string | null {
    const { words, bytes } = this.#core;
    const unknown = words[jsonMemory.unknownStart / 4]!;
    if (unknown !== 0) {
      const name = decoder.decode(bytes.subarray(unknown, words[jsonMemory.unknownEnd / 4]));
      return `${what} has no field ${shown(name)}.`;
    }
    const repeated = words[jsonMemory.repeatedStart / 4]!;
    if (repeated === 0) return null;
    return `${what} has ${decoder.decode(bytes.subarray(repeated, words[jsonMemory.repeatedEnd / 4]))} twice.`;
  }

  #spaceEnd(from: number): number {
    const { bytes } = this;
    let at = from;
    while (at < this.#end && isSpace(bytes[at]!)) at++;
    return at;
  }

  #refuse(problem: string): typeof Scanned.INVALID {
    this.problem = problem;
    return Scanned.INVALID;
  }

  #isPublish(): boolean {
    if (this.kind(field.type) !== JsonKind.STRING) return false;
    return equal(this.bytes, this.startOf(field.type), this.endOf(field.type), publishText);
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
      const kind = this.kind(of);
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

/** Fills the core's table of names: those that look the same at first sight come behind one another. */
function putNames(bytes: Uint8Array): void {
  assert(names.length <= jsonMemory.mostNames, 'the table has room for all names');
  for (const [of, name] of names.entries()) {
    const { length } = name;
    assert(length > 0 && length <= jsonMemory.sizeOfName, 'a name fits its place');
    bytes.set(name, jsonMemory.names + of * jsonMemory.sizeOfName);
    const bucket = jsonMemory.buckets + ((name[0]! * 3 + name[length - 1]! * 5 + length * 17) & 0xff);
    // Counted from 1, so that 0 is none.
    bytes[jsonMemory.chains + of + 1] = bytes[bucket]!;
    bytes[bucket] = of + 1;
  }
}

/** The integer that `[start, end)` of `bytes` writes; NaN for a fraction, an exponent, or one that is not safe. */
function integerAt(bytes: Uint8Array, start: number, end: number): number {
  const negative = bytes[start] === 0x2d;
  let number = 0;
  for (let at = negative ? start + 1 : start; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    number = number * 10 + digit;
    if (number > Number.MAX_SAFE_INTEGER) return Number.NaN;
  }
  return negative ? -number : number;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
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
