/**
 * The frames of `millrace.v1`, JSON over WebSocket: what each may hold. Any thread. The AsyncAPI document is made of
 * these tables (`async-api.ts`), frames that come are checked against them, and those that leave have their types.
 *
 *   client                                            broker
 *   configure, publish, producer, subscribe, credit,  configured, ack, last, subscribed, records, assigned, revoked,
 *   pause, resume, seek, commit, release, unsubscribe, ping  done, sought, pong, error
 *
 * Whatever has an `id` is answered with that id: by what it asks for, or by an error.
 */

import type { Of, Schema } from './schema.ts';

const id = {
  description: 'Whatever the client likes; the answer has it as well.',
  oneOf: [{ type: 'string', maxLength: 98 }, { type: 'number' }],
} as const satisfies Schema;
const topic = { type: 'string', minLength: 1, maxLength: 249 } as const satisfies Schema;
const partition = { type: 'integer', minimum: 0, maximum: 2 ** 31 - 1 } as const satisfies Schema;
const offset = { type: 'integer', minimum: 0 } as const satisfies Schema;
const timestamp = {
  type: 'integer',
  minimum: 0,
  description: 'In milliseconds since 1970.',
} as const satisfies Schema;
const producer = {
  type: 'string',
  minLength: 1,
  maxLength: 200,
  description: 'Who numbers its records, strictly upwards in each partition: none of them is stored twice.',
} as const satisfies Schema;
const sequence = {
  type: 'integer',
  minimum: 0,
  description: "The record's number, where the frame names a producer.",
} as const satisfies Schema;
const subscription = {
  type: 'string',
  minLength: 1,
  maxLength: 100,
  description: 'The name that the client gave its subscription.',
} as const satisfies Schema;

const headerValue = {
  oneOf: [
    { type: 'string' },
    { type: 'null' },
    { type: 'object', properties: { base64: { type: 'string' } }, required: ['base64'] },
  ],
} as const satisfies Schema;
const headers = {
  type: 'object',
  description: 'Texts, null, or bytes as base64; a name that comes several times has an array.',
  additionalProperties: { oneOf: [...headerValue.oneOf, { type: 'array', items: headerValue, maxItems: 1000 }] },
} as const satisfies Schema;

/** The fields of a record, as a client hands it in. */
const recordFields = {
  key: { description: 'A text, or null.', oneOf: [{ type: 'string' }, { type: 'null' }] },
  keyBase64: { type: 'string', description: 'A key that is no text.' },
  value: { description: 'Any JSON: it is stored as it stands in the frame. Null is a record without a value.' },
  text: { type: 'string', description: 'A value that is a text.' },
  base64: { type: 'string', description: 'A value that is bytes.' },
  headers,
  partition: { ...partition, description: 'By default the key tells, or any.' },
  timestamp,
  sequence,
} as const satisfies Readonly<Record<string, Schema>>;

const partitionOf = {
  type: 'object',
  properties: { topic, partition },
  required: ['topic', 'partition'],
} as const satisfies Schema;
const position = {
  type: 'object',
  properties: { topic, partition, offset },
  required: ['topic', 'partition', 'offset'],
} as const satisfies Schema;
/** Some partitions, or all of a subscription. */
const partitions = {
  type: 'array',
  items: partitionOf,
  maxItems: 10_000,
  description: 'By default all.',
} as const satisfies Schema;

const start = {
  description:
    'The first record, those that come from now on, one offset, the first at or after a time, or what the group committed last.',
  oneOf: [
    { enum: ['earliest', 'latest', 'committed'] },
    { type: 'object', properties: { offset }, required: ['offset'] },
    { type: 'object', properties: { timestamp }, required: ['timestamp'] },
  ],
} as const satisfies Schema;

function frame<const Type extends string, const P extends Readonly<Record<string, Schema>>, const R extends string>(
  type: Type,
  description: string,
  properties: P,
  required: readonly R[],
) {
  return {
    type: 'object',
    description,
    properties: { type: { const: type }, ...properties },
    required: ['type' as const, ...required],
  } as const;
}

/** What clients send. */
export const clientFrames = {
  configure: frame(
    'configure',
    'Says before the first publish how to acknowledge.',
    {
      id,
      acks: {
        enum: ['all', '1', '0'],
        description: 'When a record counts as stored: on disk (all, the default), written (1), or taken (0).',
      },
      confirm: {
        enum: ['each', 'cumulative'],
        description:
          'each (the default): every publish that has an id is acknowledged. cumulative: once for many, up to a number; the client counts its records from 1.',
      },
    },
    [],
  ),
  publish: frame(
    'publish',
    'Stores a record, or each of `records`.',
    {
      id,
      topic,
      producer,
      ...recordFields,
      records: {
        type: 'array',
        items: { type: 'object', properties: recordFields, required: [] },
        description: 'Instead of one record: many. The fields of a record are in each then.',
      },
    },
    ['topic'],
  ),
  producer: frame(
    'producer',
    'Asks which number of a named producer was stored last in its partition of a topic.',
    {
      id,
      producer,
      topic,
      partition: { ...partition, description: 'By default the one that its name fixes.' },
      takeover: { type: 'boolean', description: 'Fences whoever uses the name so far.' },
    },
    ['producer', 'topic'],
  ),
  subscribe: frame(
    'subscribe',
    'Begins to read topics, under a name.',
    {
      id,
      subscription,
      topics: {
        type: 'array',
        items: topic,
        minItems: 1,
        maxItems: 1000,
        description: 'Names, or patterns in which * stands for any characters and ? for one; topics made later count.',
      },
      partitions: { type: 'array', items: partition, maxItems: 10_000, description: 'Only these of each topic.' },
      from: { ...start, description: `${start.description} By default latest, with a group committed.` },
      otherwise: {
        enum: ['earliest', 'latest'],
        description: 'Where the group has committed nothing yet; by default latest.',
      },
      positions: {
        type: 'array',
        items: position,
        maxItems: 10_000,
        description: 'Where to resume in these partitions; those that are not named begin as `from` says.',
      },
      group: {
        type: 'string',
        minLength: 1,
        maxLength: 255,
        description:
          'Become a member of this Kafka group: its members share the partitions. With `partitions` only positions are kept in it.',
      },
      credit: {
        type: 'integer',
        minimum: 0,
        description: 'So many records may come before more credit is given; by default as many as the socket takes.',
      },
      values: {
        enum: ['json', 'text', 'base64'],
        description:
          'json (the default): values that are JSON come as `value`, other texts as `text`, all else as `base64`.',
      },
      isolation: { enum: ['read_committed', 'read_uncommitted'] },
    },
    ['subscription', 'topics'],
  ),
  credit: frame(
    'credit',
    'Lets so many more records come.',
    { id, subscription, records: { type: 'integer', minimum: 1 } },
    ['subscription', 'records'],
  ),
  pause: frame('pause', 'Nothing more of these partitions comes.', { id, subscription, partitions }, ['subscription']),
  resume: frame('resume', 'It goes on.', { id, subscription, partitions }, ['subscription']),
  seek: frame(
    'seek',
    'Goes on reading from elsewhere; what comes behind `sought` comes from there.',
    { id, subscription, partitions, to: start },
    ['subscription', 'to'],
  ),
  commit: frame(
    'commit',
    "Keeps the group's position: the offset that is to be read next.",
    { id, subscription, positions: { type: 'array', items: position, minItems: 1, maxItems: 10_000 } },
    ['subscription', 'positions'],
  ),
  release: frame(
    'release',
    'Answers revoked: everything that is to be committed was. Without it, or a commit, the group waits a few seconds.',
    { id, subscription },
    ['subscription'],
  ),
  unsubscribe: frame('unsubscribe', 'Ends a subscription.', { id, subscription }, ['subscription']),
  ping: frame('ping', 'Is answered with a pong.', { id }, []),
} as const;

const run = {
  type: 'object',
  description: 'Records of the frame, in their order: so many in a row, from this offset on, or not stored at all.',
  properties: {
    count: { type: 'integer', minimum: 1 },
    partition,
    offset,
    error: { type: 'string' },
    message: { type: 'string' },
  },
  required: ['count'],
} as const satisfies Schema;

const record = {
  type: 'object',
  properties: {
    offset,
    timestamp: { type: 'integer', description: 'In milliseconds since 1970; -1 where there is none.' },
    key: { type: 'string', description: 'Left out where there is none.' },
    keyBase64: recordFields.keyBase64,
    value: { description: 'Any JSON, or null for a record without a value.' },
    text: recordFields.text,
    base64: recordFields.base64,
    headers,
  },
  required: ['offset', 'timestamp'],
} as const satisfies Schema;

/** What the broker sends. */
export const brokerFrames = {
  configured: frame('configured', 'Answers configure.', { id }, []),
  ack: frame(
    'ack',
    'Answers a publish of one record with its partition and offset, of many with runs; or tells how far all is settled.',
    {
      id,
      partition,
      offset,
      runs: { type: 'array', items: run },
      upTo: {
        type: 'integer',
        minimum: 0,
        description:
          'Cumulative: of all records up to this number the broker has told what became of them; stored, but for errors before.',
      },
      last: {
        type: 'array',
        items: { ...position, properties: { ...position.properties } },
        description: 'The last that was stored of each partition since the ack before.',
      },
    },
    [],
  ),
  last: frame(
    'last',
    'Answers producer.',
    {
      id,
      producer,
      topic,
      partition,
      last: {
        type: 'integer',
        minimum: -1,
        description: 'The number stored last; -1 where none is, or none is known any more.',
      },
    },
    ['producer', 'topic', 'partition', 'last'],
  ),
  subscribed: frame(
    'subscribed',
    'Answers subscribe: where reading begins. For a member of a group `assigned` says that.',
    { id, subscription, positions: { type: 'array', items: position } },
    ['subscription', 'positions'],
  ),
  records: frame(
    'records',
    'The next records of a partition.',
    { subscription, topic, partition, records: { type: 'array', items: record, minItems: 1 } },
    ['subscription', 'topic', 'partition', 'records'],
  ),
  assigned: frame(
    'assigned',
    'The partitions that this member of the group now reads, and from where.',
    { subscription, positions: { type: 'array', items: position } },
    ['subscription', 'positions'],
  ),
  revoked: frame(
    'revoked',
    'The group shares its partitions anew: this member reads none until `assigned`.',
    { subscription, partitions: { type: 'array', items: partitionOf } },
    ['subscription', 'partitions'],
  ),
  sought: frame('sought', 'Answers seek.', { id, subscription, positions: { type: 'array', items: position } }, [
    'subscription',
    'positions',
  ]),
  done: frame('done', 'Answers credit, pause, resume, commit, release and unsubscribe that have an id.', { id }, [
    'id',
  ]),
  pong: frame('pong', 'Answers ping.', { id, time: timestamp }, ['time']),
  error: frame(
    'error',
    'Something that was asked for was not done, or cannot go on.',
    {
      id,
      error: { type: 'string', description: "Kafka's name for it." },
      message: { type: 'string', description: 'What was wrong, in a sentence.' },
      subscription,
      topic,
      partition,
      from: { type: 'integer', description: 'Cumulative: the number of the first record that was not stored.' },
      count: { type: 'integer', description: 'Cumulative: how many in a row.' },
    },
    ['error', 'message'],
  ),
} as const;

export type ClientFrames = { [T in keyof typeof clientFrames]: Of<(typeof clientFrames)[T]> };
export type ClientFrame = ClientFrames[keyof ClientFrames];
export type BrokerFrame = { [T in keyof typeof brokerFrames]: Of<(typeof brokerFrames)[T]> }[keyof typeof brokerFrames];
export type FrameId = Of<typeof id>;
export type Position = Of<typeof position>;
export type Start = Of<typeof start>;
export type TopicPartition = Of<typeof partitionOf>;
