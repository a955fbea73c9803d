/** What the operations that take records tell of themselves: their parameters, bodies and responses. Any thread; only data. */

import type { JsonSchema, OperationShape, Parameter } from '../http-api/operation.ts';
import { bodyKinds, type BodyKind } from './media-type.ts';
import { largestPartition } from './record-arguments.ts';

export const topicPath: Parameter = {
  name: 'topic',
  in: 'path',
  required: true,
  description: 'The name of a topic: letters, digits, dots, underscores and hyphens.',
  schema: { type: 'string' },
};

export const partitionPath: Parameter = {
  name: 'partition',
  in: 'path',
  required: true,
  description: 'The number of a partition.',
  schema: { type: 'integer', minimum: 0, maximum: largestPartition },
};

export const lineParameters: readonly Parameter[] = [
  {
    name: 'offsets',
    in: 'query',
    description: 'For NDJSON: whether the response tells partitions and offsets.',
    schema: { type: 'boolean', default: false },
  },
];

const integer: JsonSchema = { type: 'integer', minimum: 0 };
const text: JsonSchema = { type: 'string' };
const base64: JsonSchema = { type: 'string', format: 'byte' };
const time: JsonSchema = {
  oneOf: [{ type: 'integer', minimum: 0 }, { type: 'string', format: 'date-time' }, { type: 'null' }],
};
const partition: JsonSchema = { type: ['integer', 'null'], minimum: 0, maximum: largestPartition };
const headerValue: JsonSchema = {
  oneOf: [
    text,
    { type: 'null' },
    { type: 'object', properties: { base64 }, required: ['base64'], additionalProperties: false },
  ],
};

/** A record with key and the rest, as it is sent and read. */
export const envelopeSchema: JsonSchema = {
  type: 'object',
  description: 'A record: at most one of key and keyBase64, and of value, text and base64.',
  properties: {
    key: { description: 'A text stands for its UTF-8, another value for its JSON text, null for none.' },
    keyBase64: base64,
    value: { description: 'Stands for its JSON text, byte for byte; null for none.' },
    text,
    base64,
    headers: {
      type: ['object', 'null'],
      additionalProperties: { oneOf: [...headerValue.oneOf!, { type: 'array', items: headerValue }] },
    },
    partition,
    timestamp: time,
    offset: { description: 'Where the record was read; passed over.' },
  },
  additionalProperties: false,
};

const cloudEvent: JsonSchema = {
  type: 'object',
  description: 'A CloudEvent in its JSON format.',
  properties: {
    specversion: { enum: ['1.0'] },
    id: { type: 'string', minLength: 1 },
    source: { type: 'string', minLength: 1 },
    type: { type: 'string', minLength: 1 },
    partitionkey: text,
  },
  required: ['specversion', 'id', 'source', 'type'],
};

function proxyV2Schema(content: JsonSchema): JsonSchema {
  const record: JsonSchema = {
    type: 'object',
    properties: { key: content, value: content, partition, timestamp: time },
  };
  return { type: 'object', properties: { records: { type: 'array', items: record } }, required: ['records'] };
}

const schemas: Readonly<Record<BodyKind, JsonSchema>> = {
  json: { description: 'A record, or an array of records; each value is stored byte for byte.' },
  lines: { type: 'string', description: 'A record a line, of any number.' },
  envelope: { oneOf: [envelopeSchema, { type: 'array', items: envelopeSchema }] },
  'envelope-lines': { type: 'string', description: 'A record with key and the rest a line, of any number.' },
  'cloud-event': cloudEvent,
  'cloud-events': { type: 'array', items: cloudEvent },
  'proxy-json': proxyV2Schema({}),
  'proxy-binary': proxyV2Schema({ type: ['string', 'null'], format: 'byte' }),
  raw: { type: 'string', format: 'binary', description: 'One record; with the header ce-specversion a CloudEvent.' },
};

export const produceBody: NonNullable<OperationShape['body']> = {
  description: 'Records. Any type that is not listed is one record, byte for byte. Content-Encoding: gzip or zstd.',
  content: {
    ...Object.fromEntries([...bodyKinds].map(([type, kind]) => [type, schemas[kind]])),
    'application/octet-stream': schemas.raw,
  },
};

const place = {
  partition: integer,
  offset: { type: ['integer', 'null'], minimum: 0 } satisfies JsonSchema,
  duplicate: { type: 'boolean' } satisfies JsonSchema,
};
const stored: JsonSchema = {
  type: 'object',
  properties: { topic: text, ...place },
  required: ['topic', 'partition', 'offset'],
  additionalProperties: false,
};
const settled: JsonSchema = {
  oneOf: [
    { type: 'object', properties: place, required: ['partition', 'offset'], additionalProperties: false },
    {
      type: 'object',
      properties: { error: text, detail: text },
      required: ['error', 'detail'],
      additionalProperties: false,
    },
  ],
};
const storedMany: JsonSchema = {
  type: 'object',
  properties: { topic: text, records: { type: 'array', items: settled } },
  required: ['topic', 'records'],
  additionalProperties: false,
};
const proxyV2Stored: JsonSchema = {
  type: 'object',
  properties: {
    key_schema_id: { type: 'null' },
    value_schema_id: { type: 'null' },
    offsets: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          partition: { type: ['integer', 'null'] },
          offset: { type: ['integer', 'null'] },
          error_code: { type: ['integer', 'null'] },
          error: { type: ['string', 'null'] },
        },
        required: ['partition', 'offset', 'error_code', 'error'],
      },
    },
  },
  required: ['offsets'],
};

export const produceResponses: OperationShape['responses'] = {
  200: {
    description: 'All is stored; for NDJSON, a line for each piece of news.',
    content: {
      'application/json': { oneOf: [stored, storedMany] },
      'application/x-ndjson': { type: 'string' },
      'application/vnd.kafka.v2+json': proxyV2Stored,
    },
  },
  207: { description: 'Some records are stored, others are not.', content: { 'application/json': storedMany } },
};

const proxyV3Content: JsonSchema = {
  type: ['object', 'null'],
  properties: { type: { enum: ['BINARY', 'JSON', 'STRING'] }, data: {} },
};

export const proxyV3Parameters: readonly Parameter[] = [
  {
    name: 'cluster_id',
    in: 'path',
    required: true,
    description: 'Any; there is one cluster here.',
    schema: { type: 'string' },
  },
  { ...topicPath, name: 'topic_name' },
  {
    name: 'acks',
    in: 'query',
    description: 'As for other records.',
    schema: { type: 'string', enum: ['all', '-1', '1', '0'], default: 'all' },
  },
];

export const proxyV3Body: NonNullable<OperationShape['body']> = {
  description: 'Objects, a record each, one after the other.',
  content: {
    'application/json': {
      type: 'object',
      properties: {
        partition_id: partition,
        headers: {
          type: ['array', 'null'],
          items: {
            type: 'object',
            properties: { name: text, value: { type: ['string', 'null'], format: 'byte' } },
            required: ['name'],
          },
        },
        key: proxyV3Content,
        value: proxyV3Content,
        timestamp: time,
      },
    },
  },
};

export const proxyV3Responses: OperationShape['responses'] = {
  200: {
    description: 'A report for each record, in their order; error_code 200 says that it is stored.',
    content: {
      'application/json': {
        type: 'object',
        properties: {
          error_code: { type: 'integer' },
          message: text,
          cluster_id: text,
          topic_name: text,
          partition_id: integer,
          offset: integer,
          timestamp: { type: 'string', format: 'date-time' },
        },
        required: ['error_code'],
      },
    },
  },
};
