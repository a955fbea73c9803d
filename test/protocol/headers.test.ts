/** The headers and the framing, held against bytes written out by hand. */

import { describe, expect, it } from 'vitest';
import type { ApiCodec } from '../../src/protocol/api-codec.ts';
import { ApiKey, apis } from '../../src/protocol/generated/index.ts';
import {
  decodeRequestRest,
  decodeRequestStart,
  decodeResponseHeader,
  encodeRequestHeader,
  encodeResponseHeader,
  isFlexible,
} from '../../src/protocol/headers.ts';
import { Reader } from '../../src/protocol/reader.ts';
import { Writer } from '../../src/protocol/writer.ts';

const produce = apis.get(ApiKey.Produce)!;
const apiVersions = apis.get(ApiKey.ApiVersions)!;

function written(write: (writer: Writer) => void): number[] {
  const writer = new Writer(false);
  write(writer);
  return writer.finish().flatMap((chunk) => [...chunk]);
}

describe('request headers', () => {
  const header = { apiKey: 0, apiVersion: 9, correlationId: 0x0102_0304, clientId: 'me' };
  const v1 = [0, 0, 0, 9, 1, 2, 3, 4, 0, 2, 0x6d, 0x65];

  it.each([
    [false, v1],
    [true, [...v1, 0]],
  ])('flexible %s', (flexible, bytes) => {
    expect(written((writer) => encodeRequestHeader(writer, header, flexible))).toEqual(bytes);
    const reader = new Reader(Uint8Array.from(bytes));
    expect(decodeRequestStart(reader)).toEqual({ apiKey: 0, apiVersion: 9, correlationId: 0x0102_0304 });
    expect(decodeRequestRest(reader, flexible)).toBe('me');
    reader.expectEnd();
  });

  it('carry no client id, and tagged fields that nobody knows', () => {
    const reader = new Reader(Uint8Array.from([0xff, 0xff, 1, 7, 2, 0xaa, 0xbb]));
    expect(decodeRequestRest(reader, true)).toBeNull();
    reader.expectEnd();
  });
});

describe('response headers', () => {
  it.each<[string, ApiCodec, number, number[]]>([
    ['of a version that is not flexible', produce, 8, [0, 0, 0, 7]],
    ['of a flexible version', produce, 9, [0, 0, 0, 7, 0]],
    ['of ApiVersions, flexible or not', apiVersions, 4, [0, 0, 0, 7]],
  ])('%s', (_what, api, version, bytes) => {
    expect(written((writer) => encodeResponseHeader(writer, api, version, 7))).toEqual(bytes);
    const reader = new Reader(Uint8Array.from(bytes));
    expect(decodeResponseHeader(reader, api, version)).toBe(7);
    reader.expectEnd();
  });

  it('are flexible from the first flexible version on', () => {
    expect([isFlexible(produce, 8), isFlexible(produce, 9), isFlexible(apis.get(17)!, 1)]).toEqual([
      false,
      true,
      false,
    ]);
  });
});
