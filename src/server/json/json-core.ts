/**
 * What passes over JSON text, in WebAssembly, as TypeScript sees it: one text at a time, copied into memory of its own. Any
 * thread, an instance each. The source is `assembly/json/`; this file is the contract between both sides.
 *
 *   0            4096
 *   │ results, … │ text, at least 64 bytes of anything behind it │ room for longer ones
 *
 * Positions are those in the memory, and what is passed over stays where it is until the next text is placed. It makes
 * nothing of a text: see `json-scanner.ts` for values, `json-websocket/publish-scanner.ts` for objects.
 */

import { assert } from '../../base/assert.ts';
import { jsonWasmBase64 } from './generated/json-wasm.ts';

/** What a value is. */
export const JsonKind = {
  ABSENT: 0,
  NULL: 1,
  /** Without escapes: the bytes between the quotes are the text. */
  STRING: 2,
  ESCAPED_STRING: 3,
  NUMBER: 4,
  BOOLEAN: 5,
  OBJECT: 6,
  ARRAY: 7,
} as const;
export type JsonKind = (typeof JsonKind)[keyof typeof JsonKind];

/** What a text may be, and what is looked at; combine with `|`. */
export const JsonFlag = {
  /** A newline ends the text, as in NDJSON. */
  NEWLINE_ENDS: 1,
  /** Bytes that are no UTF-8 are refused. Without it whoever gives the text has made sure of that. */
  CHECK_UTF8: 2,
  /** The value stands for itself, rather than within another one. */
  ALONE: 4,
} as const;

/** Places in the memory. */
export const jsonMemory = {
  problem: 1024, // i32
  problemAt: 1028, // i32
  cutShort: 1032, // i32: the text is right as far as it goes, and ends too early
  unknownStart: 1040, // i32: of the first name that is none of the names; 0 where there is none
  unknownEnd: 1044, // i32
  repeatedStart: 1048, // i32: of the first name that came before; 0 where there is none
  repeatedEnd: 1052, // i32
  names: 2048, // `sizeOfName` bytes each
  buckets: 2560, // u8 each: the last name of the bucket, counted from 1
  chains: 2816, // u8: for each name, counted from 1, the next of its bucket
  members: 3072, // i32 kind, start, end
  text: 4096,
  mostNames: 31,
  sizeOfName: 16,
  sizeOfMember: 12,
} as const;

/** Every position is a place in the memory; 0 stands for a failure, of which the memory has the problem. */
interface JsonModule {
  /** The position behind the value at `at`, white space before it allowed. */
  scanValue(at: number, end: number, flags: number, deepest: number): number;
  /** The position behind the object at `at`, whose members from `first` on of `count` are noted. */
  scanMembers(at: number, end: number, flags: number, deepest: number, first: number, count: number): number;
}

/** What is wrong with a text, as the end of a sentence, by the number that the module gives it. */
const problems = [
  '',
  'there is no value',
  'the text ends within a value',
  'the line ends within a value',
  'the line ends within a string',
  'a string is not closed',
  'a string holds a control character, which JSON writes as an escape',
  'a string holds bytes that are no UTF-8',
  'a string holds an escape that JSON does not know',
  'four hexadecimal digits follow \\u in a string',
  'a number has no digits',
  'a number begins with a zero',
  'no digits follow the point of a number',
  'a number has an exponent without digits',
  'a number holds what does not belong to one',
  'the text ends within a word',
  'a word is none of true, false and null',
  'arrays and objects are nested more than DEEPEST deep',
  'a value is expected',
  'a name in quotes is expected',
  'a colon is expected',
  'a comma or the end of an array is expected',
  'a comma or the end of an object is expected',
  'an object is expected',
] as const;

const pageBytes = 65_536;
/** So many bytes behind a text may be read. */
const slackBytes = 64;
/** Room for texts that is kept; a longer text has more as long as it is there. */
const keptBytes = 1024 * 1024;

export class JsonCore {
  /** The whole memory; another one once a text was placed that is longer or shorter. */
  bytes: Uint8Array = new Uint8Array(0);
  /** The same, four bytes at a time. */
  words: Int32Array = new Int32Array(0);
  module: JsonModule;
  readonly #prepare: (bytes: Uint8Array) => void;
  readonly #compiled: WebAssembly.Module;
  #memory: WebAssembly.Memory;

  /** `prepare` fills what lies before the text, in each memory once. */
  constructor(prepare: (bytes: Uint8Array) => void = () => {}) {
    this.#prepare = prepare;
    this.#compiled = compiledModule();
    this.#memory = new WebAssembly.Memory({ initial: keptBytes / pageBytes + 1 });
    this.module = this.#instantiate();
  }

  /** Copies `[start, end)` of `source`; the text begins at `jsonMemory.text`. Returns the position behind it. */
  place(source: Uint8Array, start = 0, end = source.length): number {
    const sizeBytes = end - start;
    if (sizeBytes > keptBytes || this.bytes.length > keptBytes + pageBytes) this.#resize(sizeBytes);
    this.bytes.set(sizeBytes === source.length ? source : source.subarray(start, end), jsonMemory.text);
    return jsonMemory.text + sizeBytes;
  }

  /** After a failure: what is wrong, as the end of a sentence. `deepest` is what the module was told. */
  problem(deepest: number): string {
    const problem = problems[this.words[jsonMemory.problem / 4]!]!;
    return problem.replace('DEEPEST', String(deepest));
  }

  #resize(sizeBytes: number): void {
    const neededBytes = jsonMemory.text + sizeBytes + slackBytes;
    if (neededBytes <= keptBytes + pageBytes) {
      if (this.bytes.length === keptBytes + pageBytes) return;
      this.#memory = new WebAssembly.Memory({ initial: keptBytes / pageBytes + 1 });
      this.module = this.#instantiate();
    } else if (neededBytes > this.bytes.length) {
      this.#memory.grow(Math.ceil((neededBytes - this.bytes.length) / pageBytes));
      this.#look();
    }
  }

  #instantiate(): JsonModule {
    const { exports } = new WebAssembly.Instance(this.#compiled, { env: { memory: this.#memory } });
    this.#look();
    this.#prepare(this.bytes);
    return exports as unknown as JsonModule;
  }

  #look(): void {
    this.bytes = new Uint8Array(this.#memory.buffer);
    this.words = new Int32Array(this.#memory.buffer);
    assert(this.bytes.length >= keptBytes + pageBytes, 'there is room for a text');
  }
}

let compiled: WebAssembly.Module | null = null;

function compiledModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(Buffer.from(jsonWasmBase64, 'base64'));
  return compiled;
}
