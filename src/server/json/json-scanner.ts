/**
 * Checks JSON text byte by byte, so that the bytes of a value can go on as they came: nothing is decoded, no number is
 * rounded, no object is made. Any thread; nothing is allocated per value.
 *
 * Refused is what RFC 8259 refuses, and beyond it: bytes that are no UTF-8 (RFC 3629, so no surrogates and no overlong
 * forms), and nesting deeper than `deepestNesting`. Numbers may be as long and as large as they like: their text is kept.
 * Names that come twice in one object are kept as well; escapes such as \ud800 without a second half are legal JSON.
 */

/** Arrays and objects within each other, at most. */
export const deepestNesting = 256;

/** What a byte is between tokens. */
const Token = {
  INVALID: 0,
  SPACE: 1,
  NEWLINE: 2,
  STRING: 3,
  NUMBER: 4,
  LITERAL: 5,
  OPEN_OBJECT: 6,
  OPEN_ARRAY: 7,
  CLOSE_OBJECT: 8,
  CLOSE_ARRAY: 9,
  COMMA: 10,
  COLON: 11,
} as const;

const tokens = new Uint8Array(256);
const quote = 0x22;
const backslash = 0x5c;
const newline = 0x0a;
for (const byte of ' \t\r') tokens[byte.charCodeAt(0)] = Token.SPACE;
tokens[newline] = Token.NEWLINE;
tokens[quote] = Token.STRING;
for (const byte of '-0123456789') tokens[byte.charCodeAt(0)] = Token.NUMBER;
for (const byte of 'tfn') tokens[byte.charCodeAt(0)] = Token.LITERAL;
tokens[0x7b] = Token.OPEN_OBJECT;
tokens[0x5b] = Token.OPEN_ARRAY;
tokens[0x7d] = Token.CLOSE_OBJECT;
tokens[0x5d] = Token.CLOSE_ARRAY;
tokens[0x2c] = Token.COMMA;
tokens[0x3a] = Token.COLON;

/** 1: a byte that stands for itself within a string. */
const plainInString = new Uint8Array(256);
for (let byte = 0x20; byte < 0x80; byte++) plainInString[byte] = byte === quote || byte === backslash ? 0 : 1;

/** 1: what may follow a backslash, but for `u`. */
const escapes = new Uint8Array(256);
for (const byte of '"\\/bfnrt') escapes[byte.charCodeAt(0)] = 1;

const hexDigits = new Uint8Array(256);
for (const byte of '0123456789abcdefABCDEF') hexDigits[byte.charCodeAt(0)] = 1;

const literals: Readonly<Record<number, Uint8Array>> = Object.fromEntries(
  ['true', 'false', 'null'].map((word) => [word.charCodeAt(0), new TextEncoder().encode(word)]),
);

/** What the innermost open array or object waits for. */
const Expected = { VALUE: 0, FIRST_VALUE: 1, NAME: 2, FIRST_NAME: 3, COLON: 4, COMMA: 5 } as const;

export interface JsonScannerOptions {
  /** A newline ends the text, as in NDJSON, so that no value goes over it. */
  readonly newlineEnds?: boolean;
}

export class JsonScanner {
  /** After a failure: what is wrong, such as `a string is not closed`; `problemAt` is the position of the byte. */
  problem = '';
  problemAt = 0;
  /** After a failure: the text is right as far as it goes, and ended too early. */
  cutShort = false;
  readonly #isArray = new Uint8Array(deepestNesting + 1);
  readonly #newlineEnds: boolean;

  constructor({ newlineEnds = false }: JsonScannerOptions = {}) {
    this.#newlineEnds = newlineEnds;
  }

  /** The first position from `at` on that holds no white space; `end` where there is none. */
  skipSpace(bytes: Uint8Array, at: number, end: number): number {
    let position = at;
    while (position < end) {
      const token = tokens[bytes[position]!];
      if (token !== Token.SPACE && (token !== Token.NEWLINE || this.#newlineEnds)) break;
      position++;
    }
    return position;
  }

  /**
   * Passes over the one value that begins at `at`, white space before it allowed, and returns the position behind it; -1
   * where `[at, end)` holds none that is whole and right (`problem` says why).
   */
  scan(bytes: Uint8Array, at: number, end: number): number {
    const isArray = this.#isArray;
    const newlineEnds = this.#newlineEnds;
    let depth = 0;
    let expected: number = Expected.VALUE;
    let position = at;
    while (position < end) {
      const byte = bytes[position]!;
      const token = tokens[byte];
      if (token === Token.SPACE || (token === Token.NEWLINE && !newlineEnds)) {
        position++;
        continue;
      }
      switch (token) {
        case Token.STRING:
          if (expected === Expected.NAME || expected === Expected.FIRST_NAME) {
            position = this.#string(bytes, position, end);
            if (position < 0) return -1;
            // The colon comes at once nearly always.
            if (position < end && bytes[position] === 0x3a) {
              position++;
              expected = Expected.VALUE;
            } else expected = Expected.COLON;
            continue;
          }
          if (expected > Expected.FIRST_VALUE) return this.#unexpected(position, expected, depth);
          position = this.#string(bytes, position, end);
          break;
        case Token.NUMBER:
          if (expected > Expected.FIRST_VALUE) return this.#unexpected(position, expected, depth);
          position = this.#number(bytes, position, end, depth === 0);
          break;
        case Token.LITERAL:
          if (expected > Expected.FIRST_VALUE) return this.#unexpected(position, expected, depth);
          position = this.#literal(bytes, position, end);
          break;
        case Token.OPEN_OBJECT:
        case Token.OPEN_ARRAY:
          if (expected > Expected.FIRST_VALUE) return this.#unexpected(position, expected, depth);
          if (depth === deepestNesting) {
            return this.#fail(position, `arrays and objects stand within each other more than ${deepestNesting} deep`);
          }
          depth++;
          isArray[depth] = token === Token.OPEN_ARRAY ? 1 : 0;
          expected = token === Token.OPEN_ARRAY ? Expected.FIRST_VALUE : Expected.FIRST_NAME;
          position++;
          continue;
        case Token.CLOSE_OBJECT:
          if (
            depth === 0 ||
            isArray[depth] === 1 ||
            (expected !== Expected.COMMA && expected !== Expected.FIRST_NAME)
          ) {
            return this.#unexpected(position, expected, depth);
          }
          depth--;
          position++;
          break;
        case Token.CLOSE_ARRAY:
          if (
            depth === 0 ||
            isArray[depth] === 0 ||
            (expected !== Expected.COMMA && expected !== Expected.FIRST_VALUE)
          ) {
            return this.#unexpected(position, expected, depth);
          }
          depth--;
          position++;
          break;
        case Token.COMMA:
          if (expected !== Expected.COMMA) return this.#unexpected(position, expected, depth);
          expected = isArray[depth] === 1 ? Expected.VALUE : Expected.NAME;
          position++;
          continue;
        case Token.COLON:
          if (expected !== Expected.COLON) return this.#unexpected(position, expected, depth);
          expected = Expected.VALUE;
          position++;
          continue;
        case Token.NEWLINE:
          return this.#fail(position, 'the line ends within a value', true);
        default:
          return this.#unexpected(position, expected, depth);
      }
      if (position < 0) return -1;
      if (depth === 0) return position;
      expected = Expected.COMMA;
    }
    return this.#fail(end, depth === 0 ? 'there is no value' : 'the text ends within a value', true);
  }

  /** Over the string whose opening quote is at `at`. */
  #string(bytes: Uint8Array, at: number, end: number): number {
    let position = at + 1;
    for (;;) {
      while (position < end && plainInString[bytes[position]!] === 1) position++;
      if (position >= end) return this.#fail(end, 'a string is not closed', true);
      const byte = bytes[position]!;
      if (byte === quote) return position + 1;
      if (byte >= 0x80) {
        const size = utf8SizeAt(bytes, position, end);
        if (size === 0) return this.#fail(position, 'a string holds bytes that are no UTF-8');
        if (size < 0) return this.#fail(end, 'a string is not closed', true);
        position += size;
      } else if (byte === backslash) {
        position = this.#escape(bytes, position, end);
        if (position < 0) return -1;
      } else {
        if (byte === newline && this.#newlineEnds) return this.#fail(position, 'the line ends within a string', true);
        return this.#fail(position, 'a string holds a control character, which JSON writes as an escape');
      }
    }
  }

  #escape(bytes: Uint8Array, at: number, end: number): number {
    if (at + 1 >= end) return this.#fail(end, 'a string is not closed', true);
    const kind = bytes[at + 1]!;
    if (escapes[kind] === 1) return at + 2;
    if (kind !== 0x75) return this.#fail(at, 'a string holds an escape that JSON does not know');
    for (let digit = at + 2; digit < at + 6; digit++) {
      if (digit >= end) return this.#fail(end, 'a string is not closed', true);
      if (hexDigits[bytes[digit]!] === 0) return this.#fail(at, 'four hexadecimal digits follow \\u in a string');
    }
    return at + 6;
  }

  #number(bytes: Uint8Array, at: number, end: number, alone: boolean): number {
    let position = at;
    if (bytes[position] === 0x2d) position++;
    const first = position < end ? bytes[position]! : 0;
    if (position >= end) return this.#fail(end, 'a number has no digits', true);
    if (!isDigit(first)) return this.#fail(position, 'a number has no digits');
    position++;
    if (first === 0x30) {
      if (position < end && isDigit(bytes[position]!)) return this.#fail(position, 'a number begins with a zero');
    } else position = digitsEnd(bytes, position, end);
    if (position < end && bytes[position] === 0x2e) {
      const from = position + 1;
      position = digitsEnd(bytes, from, end);
      if (position === from) return this.#fail(position, 'no digits follow the point of a number', position === end);
    }
    if (position < end && (bytes[position]! | 0x20) === 0x65) {
      position++;
      if (position < end && (bytes[position] === 0x2b || bytes[position] === 0x2d)) position++;
      const from = position;
      position = digitsEnd(bytes, from, end);
      if (position === from) return this.#fail(position, 'a number has an exponent without digits', position === end);
    }
    // A number that stands alone has no mark of its end: what follows decides whether it is one.
    if (alone && position < end && tokens[bytes[position]!] === Token.INVALID) {
      return this.#fail(position, 'a number holds what does not belong to one');
    }
    return position;
  }

  #literal(bytes: Uint8Array, at: number, end: number): number {
    const word = literals[bytes[at]!]!;
    for (let i = 1; i < word.length; i++) {
      if (at + i >= end) return this.#fail(end, 'the text ends within a word', true);
      if (bytes[at + i] !== word[i]) return this.#fail(at, 'a word is none of true, false and null');
    }
    return at + word.length;
  }

  #unexpected(at: number, expected: number, depth: number): number {
    const wanted =
      expected === Expected.COMMA
        ? `a comma or the end of ${this.#isArray[depth] === 1 ? 'an array' : 'an object'}`
        : expected === Expected.COLON
          ? 'a colon'
          : expected === Expected.NAME || expected === Expected.FIRST_NAME
            ? 'a name in quotes'
            : 'a value';
    return this.#fail(at, `${wanted} is expected`);
  }

  #fail(at: number, problem: string, cutShort = false): number {
    this.problem = problem;
    this.problemAt = at;
    this.cutShort = cutShort;
    return -1;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function digitsEnd(bytes: Uint8Array, at: number, end: number): number {
  let position = at;
  while (position < end && isDigit(bytes[position]!)) position++;
  return position;
}

/** The size of the character of two to four bytes at `at`; 0 where it is none, -1 where `end` cuts one short. */
export function utf8SizeAt(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at]!;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  for (let i = 1; i < size; i++) {
    if (at + i >= end) return -1;
    const byte = bytes[at + i]!;
    let low = 0x80;
    let high = 0xbf;
    if (i === 1) {
      // Overlong forms, surrogates, and what lies beyond U+10FFFF.
      if (lead === 0xe0) low = 0xa0;
      else if (lead === 0xed) high = 0x9f;
      else if (lead === 0xf0) low = 0x90;
      else if (lead === 0xf4) high = 0x8f;
    }
    if (byte < low || byte > high) return 0;
  }
  return size;
}
