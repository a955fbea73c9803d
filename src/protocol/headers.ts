/**
 * The headers that stand before every request and response. Any thread.
 *
 *   request  v1:  [api key i16][api version i16][correlation id i32][client id string?]
 *   request  v2:  v1 · tagged fields       (the client id stays a string with an int16 length, not a compact one)
 *   response v0:  [correlation id i32]
 *   response v1:  v0 · tagged fields
 *
 * Flexible versions use request v2 and response v1; the response of ApiVersions always has v0, since a client that asks
 * for versions cannot know yet which header its broker writes. Frames' size prefixes are not part of it.
 */

import type { ApiVersionRange } from './api-codec.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

const apiVersionsKey = 18;

/** The part of a request header that all header versions share and that is read without knowing the API. */
export interface RequestStart {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
}

export interface RequestHeader extends RequestStart {
  readonly clientId: string | null;
}

/** Whether `version` of the API is flexible, which decides over both headers. */
export function isFlexible(api: ApiVersionRange, version: number): boolean {
  return version >= api.firstFlexibleVersion;
}

/** Reads the first 8 bytes of a request, which are the same in every header. Throws `MalformedFrame`. */
export function decodeRequestStart(reader: Reader): RequestStart {
  return { apiKey: reader.int16(), apiVersion: reader.int16(), correlationId: reader.int32() };
}

/** Reads what follows the start: the client id and, where `flexible`, the tagged fields. Throws `MalformedFrame`. */
export function decodeRequestRest(reader: Reader, flexible: boolean): string | null {
  const clientId = reader.nullableString();
  if (flexible) reader.skipTags();
  return clientId;
}

export function encodeRequestHeader(writer: Writer, header: RequestHeader, flexible: boolean): void {
  writer.int16(header.apiKey);
  writer.int16(header.apiVersion);
  writer.int32(header.correlationId);
  writer.nullableString(header.clientId);
  if (flexible) writer.uvarint(0);
}

/** Writes the header of a response to `version` of the API. */
export function encodeResponseHeader(
  writer: Writer,
  api: ApiVersionRange,
  version: number,
  correlationId: number,
): void {
  writer.int32(correlationId);
  if (isFlexible(api, version) && api.apiKey !== apiVersionsKey) writer.uvarint(0);
}

/** Reads the header of a response to `version` of the API and returns its correlation id. Throws `MalformedFrame`. */
export function decodeResponseHeader(reader: Reader, api: ApiVersionRange, version: number): number {
  const correlationId = reader.int32();
  if (isFlexible(api, version) && api.apiKey !== apiVersionsKey) reader.skipTags();
  return correlationId;
}
