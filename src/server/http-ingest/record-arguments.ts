/**
 * What a request says of all its records beside its body: key, partition, time, headers, and what an acknowledgement
 * means. Any thread. Where a record says so itself, that counts.
 */

import type { RecordHeader } from '../../records/record-reader.ts';
import type { Durability } from '../../storage/partition-log.ts';
import { shown, type Arguments } from '../http-api/arguments.ts';
import type { Parameter } from '../http-api/operation.ts';
import { badRequest, type Problem } from '../http-api/problem.ts';

/** Whose records a request brings, and their numbers. */
export interface ProducerArguments {
  readonly name: string;
  readonly epoch: number;
  /** Of the body's first record; those after it have the numbers that follow. */
  readonly firstNumber: number;
  /** The number that the producer takes for the last one stored, -1 for none; null where it does not say. */
  readonly previousNumber: number | null;
}

export interface RecordArguments {
  readonly key: Uint8Array | null;
  /** -1: chosen by the key, else one after the other. */
  readonly partition: number;
  /** -1: now. */
  readonly timestampMs: number;
  readonly headers: readonly RecordHeader[] | null;
  readonly durability: Durability;
  /** Null where no producer is named. */
  readonly producer: ProducerArguments | null;
}

const base64Pattern = '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$';
export const timestampPattern =
  '^(?:\\d{1,15}|\\d{4}-\\d{2}-\\d{2}[Tt]\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{1,9})?(?:[Zz]|[+-]\\d{2}:\\d{2}))$';

/** Each part ends in one way alone: with another that fits, a text that fits nowhere could be tried for ever. */
const headersPattern = '^[^=&]+=[^=&]*(?:&[^=&]+=[^=&]*)*&?$';
export const largestPartition = 2_147_483_647;
export const producerNamePattern = '^[\\x21-\\x7e]{1,128}$';

const acksParameter: Parameter = {
  name: 'acks',
  in: 'query',
  description:
    'What an acknowledgement means: all, the record is on disk; 1, it is written and survives the end of the process; 0, the broker took it.',
  schema: { type: 'string', enum: ['all', '-1', '1', '0'], default: 'all' },
};

/** Parameters of every operation that takes records. */
export const recordParameters: readonly Parameter[] = [
  acksParameter,
  {
    name: 'key',
    in: 'query',
    description: 'The key of each record, a text.',
    schema: { type: 'string' },
  },
  {
    name: 'keyBase64',
    in: 'query',
    description: 'The key of each record, bytes in base64.',
    schema: { type: 'string', pattern: base64Pattern },
  },
  {
    name: 'partition',
    in: 'query',
    description: 'The partition; chosen by the key where there is one, else one after the other.',
    schema: { type: 'integer', minimum: 0, maximum: largestPartition },
  },
  {
    name: 'timestamp',
    in: 'query',
    description: 'The time of each record: milliseconds since 1970 or as RFC 3339 has it; now, unless given.',
    schema: { type: 'string', pattern: timestampPattern },
  },
  {
    name: 'header',
    in: 'query',
    repeated: true,
    description: 'A header of each record, as name:value.',
    schema: { type: 'array', items: { type: 'string', pattern: '^[^:]+:' } },
  },
  {
    name: 'Millrace-Key',
    in: 'header',
    description: 'As key.',
    schema: { type: 'string' },
  },
  {
    name: 'Millrace-Partition',
    in: 'header',
    description: 'As partition.',
    schema: { type: 'integer', minimum: 0, maximum: largestPartition },
  },
  {
    name: 'Millrace-Timestamp',
    in: 'header',
    description: 'As timestamp.',
    schema: { type: 'string', pattern: timestampPattern },
  },
  {
    name: 'Millrace-Headers',
    in: 'header',
    description: 'Headers of each record, as name=value&name=value, percent-encoded.',
    schema: { type: 'string', pattern: headersPattern },
  },
  {
    name: 'Millrace-Producer',
    in: 'header',
    description:
      'Whose the records are: each number of a name is stored once in a partition, however often it is sent.',
    schema: { type: 'string', pattern: producerNamePattern },
  },
  {
    name: 'Millrace-Sequence',
    in: 'header',
    description: 'The number of the first record; the others have those that follow. It comes with Millrace-Producer.',
    schema: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  },
  {
    name: 'Millrace-Previous-Sequence',
    in: 'header',
    description: 'The number that is the last stored, -1 for none: where another is, nothing is stored.',
    schema: { type: 'integer', minimum: -1, maximum: Number.MAX_SAFE_INTEGER },
  },
  {
    name: 'Millrace-Epoch',
    in: 'header',
    description: 'What taking over the name gave.',
    schema: { type: 'integer', minimum: 0, maximum: 32_767, default: 0 },
  },
];

const encoder = new TextEncoder();
const durabilities: Readonly<Record<string, Durability>> = {
  all: 'synced',
  '-1': 'synced',
  '1': 'written',
  '0': 'none',
};

/** What acks=`acks` asks for. */
export function durabilityOf(acks: string | undefined): Durability {
  return durabilities[acks ?? 'all']!;
}

/** What `args`, read by `recordParameters`, say of records. */
export function recordArguments(args: Arguments): RecordArguments | Problem {
  const key = args.text('key') ?? args.text('Millrace-Key');
  const keyBase64 = args.text('keyBase64');
  if (key !== undefined && keyBase64 !== undefined) return badRequest('There is a key twice: as a text and in base64.');
  const time = args.text('timestamp') ?? args.text('Millrace-Timestamp');
  const timestampMs = time === undefined ? -1 : parseTime(time);
  if (timestampMs === null) return badRequest(`The timestamp ${shown(time ?? '')} is no time that there is.`);
  const headers = headersOf(args);
  if (headers !== null && 'status' in headers) return headers;
  const producer = producerOf(args);
  if (producer !== null && 'status' in producer) return producer;
  return {
    key: key !== undefined ? encoder.encode(key) : keyBase64 !== undefined ? Buffer.from(keyBase64, 'base64') : null,
    partition: args.number('partition') ?? args.number('Millrace-Partition') ?? -1,
    timestampMs,
    headers,
    durability: durabilityOf(args.text('acks')),
    producer,
  };
}

function producerOf(args: Arguments): ProducerArguments | Problem | null {
  const name = args.text('Millrace-Producer');
  const firstNumber = args.number('Millrace-Sequence');
  const previousNumber = args.number('Millrace-Previous-Sequence') ?? null;
  if (name === undefined && firstNumber === undefined && previousNumber === null) return null;
  if (name === undefined || firstNumber === undefined) {
    return badRequest('Millrace-Producer and Millrace-Sequence come together.');
  }
  return { name, epoch: args.number('Millrace-Epoch') ?? 0, firstNumber, previousNumber };
}

function headersOf(args: Arguments): RecordHeader[] | Problem | null {
  const pairs = args.texts('header');
  const form = args.text('Millrace-Headers');
  if (pairs.length === 0 && form === undefined) return null;
  const headers = pairs.map((pair) => {
    const colon = pair.indexOf(':');
    return { key: pair.slice(0, colon), value: encoder.encode(pair.slice(colon + 1)) };
  });
  if (form === undefined) return headers;
  try {
    for (const pair of form.split('&')) {
      if (pair === '') continue;
      const [name, value] = pair.split('=').map(decodeURIComponent) as [string, string];
      headers.push({ key: name, value: encoder.encode(value) });
    }
  } catch {
    return badRequest('The header Millrace-Headers is not percent-encoded UTF-8.');
  }
  return headers;
}

/** Milliseconds since 1970 as digits, or RFC 3339; null where it is neither or no time that there is. */
export function parseTime(text: string): number | null {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  if (!new RegExp(timestampPattern, 'u').test(text)) return null;
  const timeMs = Date.parse(text.toUpperCase());
  return Number.isNaN(timeMs) || timeMs < 0 ? null : timeMs;
}
