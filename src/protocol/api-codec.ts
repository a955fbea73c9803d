/**
 * The shape of one row of the generated table of codecs. Any thread. It holds no rows: those are in `generated/`.
 */

import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/**
 * Both directions of one API key. `version` lies in [minVersion, maxVersion]; the caller checks that.
 *
 * Decoding gives every field of every version: one that the version lacks has its default, an unknown tagged field is
 * skipped. It throws `MalformedFrame` for what is no such message, and leaves bytes after the message to the caller.
 * Encoding leaves out what the version lacks; a value that its type cannot hold, or a null where the version has
 * none, fails an assertion.
 */
export interface ApiCodec<Request = unknown, Response = unknown> {
  readonly apiKey: number;
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** The newest version that Kafka holds to be final; those above it are not advertised. */
  readonly stableVersion: number;
  /** The first version with compact lengths and tagged fields; Infinity where no version has them. */
  readonly firstFlexibleVersion: number;
  decodeRequest(reader: Reader, version: number): Request;
  encodeRequest(writer: Writer, message: Request, version: number): void;
  decodeResponse(reader: Reader, version: number): Response;
  encodeResponse(writer: Writer, message: Response, version: number): void;
}
