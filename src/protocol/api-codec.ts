/**
 * The shape of one row of the generated table of codecs. Any thread. It holds no rows: those are in `generated/`.
 */

import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/** The versions of one API key, all inclusive. */
export interface ApiVersionRange {
  readonly apiKey: number;
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** The newest version that Kafka holds to be final; those above it are not advertised. */
  readonly stableVersion: number;
  /** The first version with compact lengths and tagged fields; Infinity where no version has them. */
  readonly firstFlexibleVersion: number;
}

/**
 * A server's half of one API key. `version` lies in [minVersion, maxVersion]; the caller checks that.
 *
 * Decoding gives every field of every version: one that the version lacks has its default, an unknown tagged field is
 * skipped. It throws `MalformedFrame` for what is no such message, and leaves bytes after the message to the caller.
 * Encoding leaves out what the version lacks; a value that its type cannot hold, or a null where the version has
 * none, fails an assertion.
 */
export interface ServerCodec<Request = unknown, Response = unknown> extends ApiVersionRange {
  decodeRequest(reader: Reader, version: number): Request;
  encodeResponse(writer: Writer, message: Response, version: number): void;
}

/** A client's half of one API key, by the same rules. */
export interface ClientCodec<Request = unknown, Response = unknown> extends ApiVersionRange {
  encodeRequest(writer: Writer, message: Request, version: number): void;
  decodeResponse(reader: Reader, version: number): Response;
}

/** Both directions of one API key. */
export interface ApiCodec<Request = unknown, Response = unknown>
  extends ServerCodec<Request, Response>, ClientCodec<Request, Response> {}
