/**
 * The shapes of Confluent's REST Proxy, version 2 of its interface, for records as JSON and as base64: its clients can send
 * here as they are. Any thread. Source: the public reference of that interface.
 *
 *   {"records": [{"key": …, "value": …, "partition": 0, "timestamp": 0}]}
 *   ─► {"key_schema_id": null, "value_schema_id": null,
 *       "offsets": [{"partition": 0, "offset": 5, "error_code": null, "error": null}]}
 */

import { ErrorCode, isRetriable } from '../../base/error-code.ts';
import { badRequest, type Problem } from '../http-api/problem.ts';
import { JsonWalker, kindAt } from '../json/json-walker.ts';
import { bytesOf, cameBefore, jsonOf, takePartition, takeTimestamp, twice, type RecordShape } from './record-shape.ts';
import type { SettledRecord } from './whole-ingest.ts';

export const proxyV2Type = 'application/vnd.kafka.v2+json';

/** Whether keys and values come as JSON or as bytes in base64. */
export type EmbeddedFormat = 'json' | 'binary';

/** What the interface says of a record that was not stored: whether sending it again may help. */
const proxyError = { final: 1, retriable: 2 } as const;

/** Where the records of a checked body stand; the array's position. */
export function recordsOf(body: Uint8Array, start: number): number | Problem {
  if (kindAt(body, start) !== 'object') return noRecords;
  const walker = new JsonWalker(body, start);
  let found = -1;
  while (walker.next()) {
    // Schemas and their ids mean nothing to records of JSON and bytes.
    if (walker.name !== 'records') continue;
    if (found >= 0) return twoArrays;
    found = walker.kind === 'array' ? walker.start : -1;
    if (found < 0) return noRecords;
  }
  return found < 0 ? noRecords : found;
}

const twoArrays = badRequest('The body has records twice.');
const noRecords = badRequest('The body is an object with an array called records.');

export function proxyV2Shape(format: EmbeddedFormat): RecordShape {
  const contentOf = format === 'json' ? jsonOf : bytesOf;
  return (bytes, start, _end, draft) => {
    if (kindAt(bytes, start) !== 'object') return 'A record is an object with key, value and partition.';
    const walker = new JsonWalker(bytes, start);
    const seen: string[] = [];
    while (walker.next()) {
      const { name } = walker;
      if (name === 'key' || name === 'value') {
        if (cameBefore(seen, name)) return twice(name);
        const content = contentOf(walker);
        if (content === undefined) return `The ${name} of a record is a string in base64.`;
        draft[name] = content;
      } else if (name === 'partition' || name === 'timestamp') {
        if (cameBefore(seen, name)) return twice(name);
        const problem = name === 'partition' ? takePartition(walker, draft) : takeTimestamp(walker, draft);
        if (problem !== null) return problem;
      }
    }
    return null;
  };
}

/** The response to records that are settled. */
export function proxyV2Answer(records: readonly SettledRecord[]): string {
  const offsets = records.map(({ errorCode, message, partition, offset }) =>
    errorCode === ErrorCode.NONE
      ? { partition, offset, error_code: null, error: null }
      : {
          partition: null,
          offset: null,
          error_code: isRetriable(errorCode) ? proxyError.retriable : proxyError.final,
          error: message,
        },
  );
  return JSON.stringify({ key_schema_id: null, value_schema_id: null, offsets });
}
