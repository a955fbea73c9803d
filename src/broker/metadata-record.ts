/**
 * How the metadata log's keys and values are written and read: JSON in UTF-8, values with a version. I/O thread.
 * It does not know which kinds of records there are (metadata-image.ts).
 */

import { EnvironmentError, EnvironmentErrorCode } from '../base/environment-error.ts';
import type { KeyedRecord } from './keyed-batch.ts';

/** Stands in every value; a release that writes what an older one would misread raises it. */
export const recordVersion = 1;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** One kind of the metadata log's records and what they come to. */
export interface ImagePart {
  /** Stands first in the keys of its records. */
  readonly kind: string;
  /** Takes over one record: what stands in its key behind the kind, and the value, or null where that key is gone. */
  apply(names: readonly string[], value: Fields | null): void;
  /** The records that rebuild it. */
  snapshot(): Iterable<KeyedRecord>;
}

/** The record of an image part that sets, or with null takes away, what `names` stand for. */
export function partRecord({ kind }: ImagePart, names: readonly string[], value: Fields | null): KeyedRecord {
  return { key: json([kind, ...names]), value: value === null ? null : json({ version: recordVersion, ...value }) };
}

export type Fields = Readonly<Record<string, unknown>>;

/** `value` as the bytes of a record's key or value. */
export function json(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (error) {
    throw corrupt('a record', error);
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The fields of a record's value, of a version that is known. */
export function fieldsOf(bytes: Uint8Array): Fields {
  const value = parseJson(bytes);
  if (!isFields(value)) throw corrupt('a value');
  if (integerField(value, 'version') > recordVersion) throw newer(`version ${String(value['version'])} of a record`);
  return value;
}

export function integerField(value: Fields, name: string): number {
  const field = value[name];
  if (typeof field !== 'number' || !Number.isSafeInteger(field) || field < 0) throw corrupt(`the field ${name}`);
  return field;
}

export function textsField(value: Fields, name: string): ReadonlyMap<string, string> {
  const field = value[name];
  if (!isFields(field)) throw corrupt(`the field ${name}`);
  const texts = new Map<string, string>();
  for (const [key, text] of Object.entries(field)) {
    if (typeof text !== 'string') throw corrupt(`the field ${name}`);
    texts.set(key, text);
  }
  return texts;
}

export function corrupt(what: string, cause?: unknown): EnvironmentError {
  const message = `The metadata log cannot be read: ${what} is damaged. Restore the data directory from a copy.`;
  return new EnvironmentError(EnvironmentErrorCode.DATA_CORRUPT, message, cause);
}

export function newer(what: string): EnvironmentError {
  const message = `The metadata log holds ${what}, written by a newer Millrace. Start that version on this directory.`;
  return new EnvironmentError(EnvironmentErrorCode.DATA_DIRECTORY_NEWER, message);
}

export function textField(value: Fields, name: string): string {
  const field = value[name];
  if (typeof field !== 'string') throw corrupt(`the field ${name}`);
  return field;
}
