/**
 * Bytes of the records in which coordinators keep their state: one piece each, and errors that say what to do where they
 * cannot be read.
 * Any thread.
 */

import { assert } from '../base/assert.ts';
import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import { MalformedFrame, Reader } from '../protocol/reader.ts';
import { Writer } from '../protocol/writer.ts';

/** Whose log it is, as errors name it. */
export type RecordsOf = 'groups' | 'transactions';

const nothing = new Uint8Array(0);

/** Reads `bytes`, all of them. Throws `EnvironmentError` DATA_CORRUPT, or what `fields` throws. */
export function readRecord<T>(bytes: Uint8Array, of: RecordsOf, what: string, fields: (reader: Reader) => T): T {
  try {
    const reader = new Reader(bytes);
    const value = fields(reader);
    reader.expectEnd();
    return value;
  } catch (error) {
    if (!(error instanceof MalformedFrame)) throw error;
    const message = `The log of ${of} cannot be read: ${what} is damaged. Restore the data directory from a copy.`;
    throw new EnvironmentError(EnvironmentErrorCode.DATA_CORRUPT, message, error);
  }
}

/** Reads a record's version. Throws `EnvironmentError` DATA_DIRECTORY_NEWER where it is above `known`. */
function checkRecordVersion(reader: Reader, of: RecordsOf, known: number): number {
  const found = reader.int8();
  if (found > known) throw newerRecord(of, `version ${found} of a record`);
  return found;
}

/** Reads a value that begins with its version, all of it. Throws as `readRecord`, and DATA_DIRECTORY_NEWER where the version is above `known`. */
export function readVersioned<T>(
  bytes: Uint8Array,
  of: RecordsOf,
  what: string,
  known: number,
  fields: (reader: Reader, version: number) => T,
): T {
  return readRecord(bytes, of, what, (reader) => fields(reader, checkRecordVersion(reader, of, known)));
}

/** A value of that version, to be filled with fields. */
export function beginRecord(version: number, capacityBytes = 256): Writer {
  const writer = new Writer(false, capacityBytes);
  writer.int8(version);
  return writer;
}

export function newerRecord(of: RecordsOf, what: string): EnvironmentError {
  const message = `The log of ${of} holds ${what}, written by a newer Millrace. Start that version on this directory.`;
  return new EnvironmentError(EnvironmentErrorCode.DATA_DIRECTORY_NEWER, message);
}

/** The bytes as an array of their own length, for they are kept. */
export function bytesOf(writer: Writer): Uint8Array {
  const [only = nothing, ...more] = writer.finish();
  assert(more.length === 0, 'records are written in one piece');
  return only.slice();
}
