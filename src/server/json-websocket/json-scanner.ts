/**
 * Walks over JSON text (RFC 8259) in bytes without making anything of it: whether it is JSON, and where its parts lie.
 * Any thread. Nothing is allocated a value; nesting is bounded, so no text costs more than its length.
 * Bytes are UTF-8 as who received them made sure of; escapes are checked and left as they are.
 */

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

/** Deeper nesting is refused. */
export const deepestNesting = 100;

const quote = 0x22;
const backslash = 0x5c;
const minus = 0x2d;
const zero = 0x30;
const nine = 0x39;

/** 1 for bytes that a string holds as they are. */
const plain = Uint8Array.from({ length: 256 }, (_, byte) =>
  Number(byte >= 0x20 && byte !== quote && byte !== backslash),
);

export class JsonScanner {
  /** The bytes four at a time, where that is possible. */
  #words: Int32Array | null = null;
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;
  /** Why the last call gave no value, as the end of a sentence; null while all went well. */
  problem: string | null = null;
  /** Where the last value's text lies; without the quotes for a string. */
  valueStart = 0;
  valueEnd = 0;

  /** Begins with `[start, end)` of `bytes`; `words` are the same bytes, for who has them at hand: long strings go quicker. */
  begin(bytes: Uint8Array, start = 0, end = bytes.length, words: Int32Array | null = null): void {
    this.bytes = bytes;
    this.#words = words;
    this.at = start;
    this.end = end;
    this.problem = null;
  }

  /** Passes over a value with the white space before it, and says what it is; ABSENT with a `problem` where it is none. */
  value(depth = 0): JsonKind {
    this.space();
    const { at, bytes } = this;
    if (at >= this.end) return this.fail('it ends where a value is due');
    const first = bytes[at]!;
    if (first === quote) return this.string();
    if (first === 0x7b || first === 0x5b) {
      if (depth >= deepestNesting) return this.fail(`it is nested deeper than ${deepestNesting} levels`);
      const kind = first === 0x7b ? this.#object(depth) : this.#array(depth);
      this.valueStart = at;
      this.valueEnd = this.at;
      return kind;
    }
    this.valueStart = at;
    let kind: JsonKind;
    if (first === minus || (first >= zero && first <= nine)) kind = this.#number();
    else if (first === 0x6e) kind = this.#literal('null', JsonKind.NULL);
    else if (first === 0x74) kind = this.#literal('true', JsonKind.BOOLEAN);
    else if (first === 0x66) kind = this.#literal('false', JsonKind.BOOLEAN);
    else return this.fail('there is no value');
    this.valueEnd = this.at;
    return kind;
  }

  /** Passes over a string whose opening quote is next. */
  string(): JsonKind {
    const { bytes, end } = this;
    const words = this.#words;
    const start = this.at + 1;
    let at = start;
    let kind: JsonKind = JsonKind.STRING;
    for (;;) {
      if (words !== null) at = skipPlainWords(words, bytes, at, end);
      while (at < end && plain[bytes[at]!] !== 0) at++;
      if (at >= end) break;
      const byte = bytes[at]!;
      if (byte === quote) {
        this.valueStart = start;
        this.valueEnd = at;
        this.at = at + 1;
        return kind;
      }
      const size = byte === backslash ? escapeSizeBytes(bytes, at, end) : 0;
      if (size === 0) {
        this.at = at;
        const what = byte === backslash ? 'there is an escape that does not exist' : controlCharacter;
        return this.fail(what);
      }
      kind = JsonKind.ESCAPED_STRING;
      at += size;
    }
    this.at = at;
    return this.fail('a string does not end');
  }

  /** Passes over white space. */
  space(): void {
    const { bytes, end } = this;
    let at = this.at;
    while (at < end && bytes[at]! <= 0x20 && isSpace(bytes[at]!)) at++;
    this.at = at;
  }

  /** Passes over `byte`, with the white space before it, and says whether it was there. */
  take(byte: number): boolean {
    if (this.bytes[this.at] !== byte) this.space();
    if (this.at >= this.end || this.bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }

  fail(problem: string): typeof JsonKind.ABSENT {
    this.problem ??= `${problem} (byte ${this.at})`;
    return JsonKind.ABSENT;
  }

  #object(depth: number): JsonKind {
    this.at++;
    if (this.take(0x7d)) return JsonKind.OBJECT;
    do {
      this.space();
      if (this.bytes[this.at] !== quote || this.at >= this.end) return this.fail('there is no field name in quotes');
      if (this.string() === JsonKind.ABSENT) return JsonKind.ABSENT;
      if (!this.take(0x3a)) return this.fail('there is no colon behind a field name');
      if (this.value(depth + 1) === JsonKind.ABSENT) return JsonKind.ABSENT;
    } while (this.take(0x2c));
    return this.take(0x7d) ? JsonKind.OBJECT : this.fail('an object does not end');
  }

  #array(depth: number): JsonKind {
    this.at++;
    if (this.take(0x5d)) return JsonKind.ARRAY;
    do {
      if (this.value(depth + 1) === JsonKind.ABSENT) return JsonKind.ABSENT;
    } while (this.take(0x2c));
    return this.take(0x5d) ? JsonKind.ARRAY : this.fail('an array does not end');
  }

  #literal(text: string, kind: JsonKind): JsonKind {
    for (let i = 0; i < text.length; i++) {
      if (this.at + i >= this.end || this.bytes[this.at + i] !== text.charCodeAt(i))
        return this.fail('there is no value');
    }
    this.at += text.length;
    return kind;
  }

  #number(): JsonKind {
    const { bytes } = this;
    if (bytes[this.at] === minus) this.at++;
    if (bytes[this.at] === zero) this.at++;
    else if (!this.#digits()) return this.fail('there is no number');
    if (bytes[this.at] === 0x2e) {
      this.at++;
      if (!this.#digits()) return this.fail('a number has no digits behind its point');
    }
    if (bytes[this.at] === 0x65 || bytes[this.at] === 0x45) {
      this.at++;
      if (bytes[this.at] === 0x2b || bytes[this.at] === minus) this.at++;
      if (!this.#digits()) return this.fail('a number has no digits in its exponent');
    }
    return this.at > this.end ? this.fail('there is no number') : JsonKind.NUMBER;
  }

  #digits(): boolean {
    const start = this.at;
    while (this.at < this.end && this.bytes[this.at]! >= zero && this.bytes[this.at]! <= nine) this.at++;
    return this.at > start;
  }
}

/** Whether `[start, end)` of `bytes` is one JSON value. */
export function isJson(scanner: JsonScanner, bytes: Uint8Array, start: number, end: number): boolean {
  scanner.begin(bytes, start, end);
  if (scanner.value() === JsonKind.ABSENT) return false;
  scanner.space();
  return scanner.at === end;
}

/** The integer that `[start, end)` of `bytes` writes; NaN for a fraction, an exponent, or one that is not safe. */
export function integerAt(bytes: Uint8Array, start: number, end: number): number {
  const negative = bytes[start] === minus;
  let number = 0;
  for (let at = negative ? start + 1 : start; at < end; at++) {
    const digit = bytes[at]! - zero;
    if (digit < 0 || digit > 9) return Number.NaN;
    number = number * 10 + digit;
    if (number > Number.MAX_SAFE_INTEGER) return Number.NaN;
  }
  return negative ? -number : number;
}

const controlCharacter = 'a string holds a control character that is not escaped';

/**
 * Passes over bytes that a string holds as they are, four at a time; returns where it cannot go on so. A byte is zero in
 * one of the three words below where it is a quote, a backslash, or below 0x20 (the zero byte test of H. Warren, Hacker's Delight).
 */
function skipPlainWords(words: Int32Array, bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while ((at & 3) !== 0) {
    if (at >= end || plain[bytes[at]!] === 0) return at;
    at++;
  }
  let word = at >> 2;
  const lastWord = end >> 2;
  while (word < lastWord) {
    const four = words[word]!;
    const quotes = four ^ 0x22222222;
    const backslashes = four ^ 0x5c5c5c5c;
    const controls = four & 0xe0e0e0e0;
    const zeros =
      ((quotes - 0x01010101) & ~quotes) |
      ((backslashes - 0x01010101) & ~backslashes) |
      ((controls - 0x01010101) & ~controls);
    if ((zeros & 0x80808080) !== 0) break;
    word++;
  }
  return word << 2;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Of the escape at `at`; 0 where there is no such. */
function escapeSizeBytes(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 >= end) return 0;
  const which = bytes[at + 1]!;
  if (which !== 0x75) return '"\\/bfnrt'.includes(String.fromCharCode(which)) ? 2 : 0;
  if (at + 6 > end) return 0;
  for (let i = at + 2; i < at + 6; i++) {
    const byte = bytes[i]!;
    const isHex = (byte >= zero && byte <= nine) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46);
    if (!isHex) return 0;
  }
  return 6;
}
