/** The primitives: what they refuse, what they keep as views, and the bytes they write. */

import { describe, expect, it } from 'vitest';
import { AssertionError } from '../../src/base/assert.ts';
import {
  decodeFetchResponse,
  decodeMetadataRequest,
  defaultFetchResponse,
  defaultJoinGroupResponse,
  encodeFetchResponse,
  encodeJoinGroupResponse,
} from '../../src/protocol/generated/index.ts';
import { MalformedFrame, Reader } from '../../src/protocol/reader.ts';
import { FrameTooLarge, scatterBytes, shortSentence, Writer } from '../../src/protocol/writer.ts';

const reader = (...bytes: number[]) => new Reader(Uint8Array.from(bytes));

function written(write: (writer: Writer) => void, sizePrefixed = false): number[] {
  const writer = new Writer(sizePrefixed);
  write(writer);
  return writer.finish().flatMap((chunk) => [...chunk]);
}

describe('the bounds of one frame', () => {
  it('refuses more elements, tagged fields included, than it is to have, however deep they stand', () => {
    const frame = Uint8Array.from([0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3]);
    const within = new Reader(frame, 5);
    expect([within.count(1), within.count(1)]).toEqual([2, 3]);
    const beyond = new Reader(frame, 4);
    expect(beyond.count(1)).toBe(2);
    expect(() => beyond.count(1)).toThrow(MalformedFrame);
    expect(() => new Reader(Uint8Array.from([3, 0, 0, 0, 0, 0, 0]), 2).skipTags()).toThrow(MalformedFrame);
  });

  it('keeps frames apart that are begun before others are finished, also where they move', () => {
    const numbers = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
    const int32s = (from: number, count: number): number[] =>
      numbers(from, count).flatMap((n) => [0, 0, n >> 8, n & 255]);
    const first = new Writer(false, 16);
    first.int32(1);
    const mark = first.beginTag(5);
    const second = new Writer(false, 16);
    for (const n of numbers(100, 3)) second.int32(n);
    for (const n of numbers(2, 100)) first.int32(n);
    first.endTag(mark);
    const third = new Writer(false, 16);
    third.int32(7);
    const [firstBytes, secondBytes, thirdBytes] = [first, second, third].map((writer) =>
      writer.finish().flatMap((chunk) => [...chunk]),
    );
    expect(firstBytes).toEqual([0, 0, 0, 1, 5, 0x90, 0x03, ...int32s(2, 100)]);
    expect(secondBytes).toEqual(int32s(100, 3));
    expect(thirdBytes).toEqual([0, 0, 0, 7]);
  });

  it('ends a frame that grows beyond what it may have', () => {
    const writer = new Writer(true, 16, 1000);
    expect(() => {
      for (let i = 0; i < 1000; i++) writer.int32(i);
    }).toThrow(FrameTooLarge);
  });

  it('cuts a sentence that is too long for a reader, and no other', () => {
    expect(shortSentence(null)).toBeNull();
    expect(shortSentence('short')).toBe('short');
    expect(shortSentence('x'.repeat(32_767))).toHaveLength(2001);
  });
});

describe('Reader', () => {
  it('reads int64 exactly up to 2^53 and rounds beyond', () => {
    expect(reader(0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff).int64()).toBe(Number.MAX_SAFE_INTEGER);
    expect(reader(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff).int64()).toBe(-1);
    expect(reader(0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff).int64()).toBe(2 ** 63);
  });

  it.each<[string, () => unknown]>([
    ['a string that is longer than the frame', () => reader(0, 3, 65).string()],
    ['a null string', () => reader(0xff, 0xff).string()],
    ['a compact null string', () => reader(0).compactString()],
    [
      'a compact string beyond 32767 bytes',
      () => new Reader(new Uint8Array(60_000).fill(0x80, 0, 2).fill(3, 2, 3)).compactString(),
    ],
    ['bytes that are longer than the frame', () => reader(0x7f, 0xff, 0xff, 0xff, 1).bytes()],
    ['null bytes', () => reader(0xff, 0xff, 0xff, 0xff).bytes()],
    ['a count beyond the bytes left', () => reader(0, 0, 0, 2, 1, 2, 3).count(2)],
    ['a compact count beyond the bytes left', () => reader(0xff, 0xff, 0xff, 0xff, 0x0f).compactCount(1)],
    ['a null count', () => reader(0xff, 0xff, 0xff, 0xff).count(1)],
    ['a varint beyond 32 bits', () => reader(0xff, 0xff, 0xff, 0xff, 0x10).uvarint()],
    ['a varint without an end', () => reader(0x80, 0x80).uvarint()],
    ['a tagged field beyond the bytes left', () => reader(5, 1).tagEnd()],
    ['more tagged fields than bytes', () => reader(200, 1, 0).skipTags()],
    ['a uuid cut short', () => new Reader(new Uint8Array(15)).uuid()],
    ['bytes after the message', () => reader(1).expectEnd()],
    ['a long string that is not UTF-8', () => new Reader(new Uint8Array(20_000).fill(0xff).fill(0x4e, 0, 1)).string()],
  ])('refuses %s', (_what, read) => {
    expect(read).toThrow(MalformedFrame);
  });

  it('replaces what is not UTF-8 in a short string and keeps a byte order mark', () => {
    expect(reader(0, 2, 0x41, 0xff).string()).toBe('A\uFFFD');
    expect(reader(0, 3, 0xef, 0xbb, 0xbf).string()).toBe('\uFEFF');
  });

  it('gives views into the frame, plain ones even of a Buffer', () => {
    const frame = Buffer.from([0, 0, 0, 2, 8, 9]);
    const view = new Reader(frame).bytes();
    expect(Object.getPrototypeOf(view)).toBe(Uint8Array.prototype);
    frame[5] = 77;
    expect([...view]).toEqual([8, 77]);
  });

  it('skips a tagged field it does not know, and refuses one that differs from its size', () => {
    const unknown = Uint8Array.from([0, 1, 0, 0, 1, 99, 2, 1, 2]);
    const tagged = new Reader(unknown);
    expect(decodeMetadataRequest(tagged, 9)).toMatchObject({ topics: null });
    tagged.expectEnd();
    const response = { ...defaultFetchResponse(), nodeEndpoints: [{ nodeId: 1, host: 'h', port: 2, rack: null }] };
    const bytes = written((writer) => encodeFetchResponse(writer, response, 16));
    const size = bytes.length - 13;
    expect(bytes[size - 1]).toBe(bytes.length - size);
    expect(decodeFetchResponse(reader(...bytes), 16)).toEqual(response);
    bytes[size - 1]! -= 1;
    expect(() => decodeFetchResponse(reader(...bytes), 16)).toThrow(MalformedFrame);
  });
});

describe('Writer', () => {
  it('prefixes the size of all that follows and keeps long records as views', () => {
    const long = new Uint8Array(scatterBytes).fill(7);
    const short = new Uint8Array(scatterBytes - 1).fill(8);
    const writer = new Writer(true, 16);
    writer.compactRecords(long);
    writer.nullableRecords(short);
    writer.records(long);
    writer.int8(5);
    const chunks = writer.finish();
    expect(chunks.map((chunk) => chunk === long)).toEqual([false, true, false, true, false]);
    const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    expect(new Reader(chunks[0]!).int32()).toBe(total - 4);
    expect(writer.length).toBe(total);
  });

  it('ends with a view without an empty chunk after it', () => {
    const writer = new Writer(false);
    writer.records(new Uint8Array(scatterBytes));
    expect(writer.finish()).toHaveLength(2);
  });

  it('moves a tagged field whose size takes more than a byte', () => {
    const bytes = written((writer) => {
      const mark = writer.beginTag(3);
      writer.bytes(new Uint8Array(300).fill(9));
      writer.endTag(mark);
      writer.int8(1);
    });
    expect(bytes.slice(0, 8)).toEqual([3, 0xb0, 2, 0, 0, 1, 44, 9]);
    expect(bytes).toHaveLength(308);
    expect(bytes.at(-1)).toBe(1);
  });

  it('writes text beyond ASCII in UTF-8 with its length in bytes', () => {
    expect(written((writer) => writer.string('é'))).toEqual([0, 2, 0xc3, 0xa9]);
    expect(written((writer) => writer.compactString('aé'))).toEqual([4, 0x61, 0xc3, 0xa9]);
    const text = `${'a'.repeat(126)}é`;
    expect(new Reader(Uint8Array.from(written((writer) => writer.compactString(text)))).compactString()).toBe(text);
  });

  it('writes the largest int64 for 2^63', () => {
    expect(written((writer) => writer.int64(2 ** 63))).toEqual([0x7f, 255, 255, 255, 255, 255, 255, 255]);
    expect(written((writer) => writer.int64(-2))).toEqual([255, 255, 255, 255, 255, 255, 255, 254]);
  });

  it.each<[string, (writer: Writer) => void]>([
    ['128 as int8', (writer) => writer.int8(128)],
    ['40000 as int16', (writer) => writer.int16(40_000)],
    ['-1 as uint16', (writer) => writer.uint16(-1)],
    ['2^31 as int32', (writer) => writer.int32(2 ** 31)],
    ['a fraction', (writer) => writer.int64(0.5)],
    ['a number beyond int64', (writer) => writer.int64(2 ** 64)],
    ['a string too long', (writer) => writer.string('x'.repeat(32_768))],
    ['a compact string too long', (writer) => writer.compactString('é'.repeat(16_384))],
    [
      'a name that is null where the version has no null',
      (writer) => encodeJoinGroupResponse(writer, defaultJoinGroupResponse(), 6),
    ],
  ])('refuses a value that its type cannot hold: %s', (_what, write) => {
    expect(() => write(new Writer(false))).toThrow(AssertionError);
  });
});
