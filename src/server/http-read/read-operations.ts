/** The operations that read: pages of records, events as they come, and what topics there are. I/O thread. */

import type { HttpRequest } from 'uWebSockets.js';
import type { Clock } from '../../base/clock.ts';
import { ErrorCode } from '../../base/error-code.ts';
import { AclOperation } from '../../broker/authorizer.ts';
import type { Broker } from '../../broker/broker.ts';
import type { TopicImage } from '../../broker/metadata-image.ts';
import { isStateLogTopic } from '../../broker/topic-name.ts';
import type { RecordFeeds } from '../../gateway/record-feeds.ts';
import type { PartitionLog } from '../../storage/partition-log.ts';
import { shown } from '../http-api/arguments.ts';
import { throttledProblem } from '../http-api/callers.ts';
import type { Exchange } from '../http-api/exchange.ts';
import type { JsonSchema, OperationShape, Parameter } from '../http-api/operation.ts';
import type { Operation } from '../http-api/operations-part.ts';
import { badRequest, problemOf } from '../http-api/problem.ts';
import { partitionPath, topicPath } from '../http-ingest/ingest-shapes.ts';
import { EventStreams } from './event-stream.ts';
import { parsePositions } from './positions.ts';
import { RecordPage } from './record-page.ts';
import { readParameters, topicReading } from './topic-reading.ts';

export interface ReadOptions {
  readonly broker: Broker;
  readonly feeds: RecordFeeds;
  readonly clock: Clock;
  /** How often a stream of events with nothing to tell shows that it lives, in milliseconds. */
  readonly heartbeatMs?: number | undefined;
}

/** Within what uWebSockets.js gives a client that takes nothing. */
const defaultHeartbeatMs = 5000;

const text: JsonSchema = { type: 'string' };
const integer: JsonSchema = { type: 'integer', minimum: 0 };
const headerValue: JsonSchema = { type: ['string', 'null', 'object'] };
const record: JsonSchema = {
  type: 'object',
  properties: {
    partition: integer,
    offset: integer,
    timestamp: { type: 'integer' },
    key: { type: ['string', 'null'] },
    keyBase64: text,
    value: {},
    text,
    base64: text,
    headers: {
      type: 'object',
      additionalProperties: { oneOf: [headerValue, { type: 'array', items: headerValue }] },
    },
  },
  required: ['partition', 'offset', 'timestamp'],
  additionalProperties: false,
};

const pageParameters: readonly Parameter[] = [
  ...readParameters,
  {
    name: 'limit',
    in: 'query',
    description: 'How many records at most.',
    schema: { type: 'integer', minimum: 1, maximum: 10_000, default: 500 },
  },
  {
    name: 'maxBytes',
    in: 'query',
    description: 'How many bytes of keys and values at most; one record comes in any case.',
    schema: { type: 'integer', minimum: 1, maximum: 16_777_216, default: 1_048_576 },
  },
  {
    name: 'wait',
    in: 'query',
    description: 'How long to wait for the first record, in milliseconds.',
    schema: { type: 'integer', minimum: 0, maximum: 60_000, default: 0 },
  },
  {
    name: 'format',
    in: 'query',
    description: 'A JSON object, or a record a line; the header Accept says so as well.',
    schema: { type: 'string', enum: ['json', 'ndjson'] },
  },
];

const eventParameters: readonly Parameter[] = [
  ...readParameters,
  {
    name: 'lastEventId',
    in: 'query',
    description: 'As the header Last-Event-ID, for clients that cannot set it.',
    schema: text,
  },
  {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'The id of the last event that came: goes on exactly behind it, whatever offset and timestamp say.',
    schema: text,
  },
];

const pageResponses: OperationShape['responses'] = {
  200: {
    description: 'Records, and the position from which to read on.',
    content: {
      'application/json': {
        type: 'object',
        properties: { topic: text, records: { type: 'array', items: record }, next: text },
        required: ['topic', 'records', 'next'],
        additionalProperties: false,
      },
      'application/x-ndjson': text,
    },
  },
};
const eventResponses: OperationShape['responses'] = {
  200: { description: 'Events without end, each a record.', content: { 'text/event-stream': text } },
};
const topicSummary: JsonSchema = {
  type: 'object',
  properties: { name: text, id: text, partitions: integer },
  required: ['name', 'id', 'partitions'],
  additionalProperties: false,
};
const topicDescription: JsonSchema = {
  type: 'object',
  properties: {
    name: text,
    id: text,
    settings: { type: 'object', additionalProperties: text },
    partitions: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          partition: integer,
          logStartOffset: integer,
          highWatermark: integer,
          lastStableOffset: integer,
          refusal: { type: ['string', 'null'] },
        },
        required: ['partition', 'logStartOffset', 'highWatermark', 'lastStableOffset', 'refusal'],
        additionalProperties: false,
      },
    },
  },
  required: ['name', 'id', 'settings', 'partitions'],
  additionalProperties: false,
};

const readProblems = [404, 416];

export function readOperations(options: ReadOptions): Operation[] {
  const { broker, feeds, clock, heartbeatMs = defaultHeartbeatMs } = options;
  const streams = new EventStreams(broker, feeds, clock, heartbeatMs);
  const readPage = (exchange: Exchange, request: HttpRequest): void => servePage(options, exchange, request);
  const readEvents = (exchange: Exchange): void => serveEvents(streams, exchange);
  return [
    {
      method: 'get',
      path: '/topics',
      id: 'listTopics',
      summary: 'List the topics',
      parameters: [],
      responses: {
        200: {
          description: 'The topics, by name.',
          content: {
            'application/json': {
              type: 'object',
              properties: { topics: { type: 'array', items: topicSummary } },
              required: ['topics'],
              additionalProperties: false,
            },
          },
        },
      },
      problems: [],
      serve: (exchange) => {
        const { caller } = exchange;
        const topics = [...broker.topics.image.topics()].filter(
          ({ name }) => !isStateLogTopic(name) && caller.allows(AclOperation.DESCRIBE, name),
        );
        topics.sort((a, b) => (a.name < b.name ? -1 : 1));
        exchange.answerJson(200, { topics: topics.map(summaryOf) });
      },
    },
    {
      method: 'get',
      path: '/topics/{topic}',
      id: 'describeTopic',
      summary: 'Describe a topic and its partitions',
      parameters: [topicPath],
      responses: { 200: { description: 'The topic.', content: { 'application/json': topicDescription } } },
      problems: [404],
      serve: (exchange) => serveTopic(broker, exchange),
    },
    {
      method: 'get',
      path: '/topics/{topic}/records',
      id: 'readTopic',
      summary: 'Read records of all partitions',
      parameters: [topicPath, ...pageParameters],
      responses: pageResponses,
      problems: readProblems,
      serve: readPage,
    },
    {
      method: 'get',
      path: '/topics/{topic}/partitions/{partition}/records',
      id: 'readPartition',
      summary: 'Read records of one partition',
      parameters: [topicPath, partitionPath, ...pageParameters],
      responses: pageResponses,
      problems: readProblems,
      serve: readPage,
    },
    {
      method: 'get',
      path: '/topics/{topic}/events',
      id: 'followTopic',
      summary: 'Follow all partitions as server-sent events',
      parameters: [topicPath, ...eventParameters],
      responses: eventResponses,
      problems: readProblems,
      serve: readEvents,
    },
    {
      method: 'get',
      path: '/topics/{topic}/partitions/{partition}/events',
      id: 'followPartition',
      summary: 'Follow one partition as server-sent events',
      parameters: [topicPath, partitionPath, ...eventParameters],
      responses: eventResponses,
      problems: readProblems,
      serve: readEvents,
    },
  ];
}

function summaryOf({ name, id, partitionCount }: TopicImage): object {
  return { name, id, partitions: partitionCount };
}

function serveTopic(broker: Broker, exchange: Exchange): void {
  const { args, caller } = exchange;
  const name = args.text('topic')!;
  const forbidden = caller.problemOf(AclOperation.DESCRIBE, name);
  if (forbidden !== null) return exchange.fail(problemOf(forbidden.errorCode, forbidden.message));
  const topic = isStateLogTopic(name) ? null : broker.topics.topic(name);
  if (topic === null) {
    return exchange.fail(problemOf(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `There is no topic ${shown(name)}.`));
  }
  const partitions = Array.from({ length: topic.partitionCount }, (_, partition) => {
    const { logStartOffset, highWatermark, lastStableOffset, refusal } = broker.topics.partition(topic, partition)!;
    return { partition, logStartOffset, highWatermark, lastStableOffset, refusal };
  });
  const configs = caller.allows(AclOperation.DESCRIBE_CONFIGS, name) ? topic.configs : [];
  exchange.answerJson(200, { name, id: topic.id, settings: Object.fromEntries(configs), partitions });
}

function servePage({ broker, feeds, clock }: ReadOptions, exchange: Exchange, request: HttpRequest): void {
  const { args, caller } = exchange;
  const reading = topicReading(broker, caller, args, args.number('partition'), 'earliest');
  if ('status' in reading) return exchange.fail(reading);
  const throttled = throttledProblem(caller, 'consumer_byte_rate');
  if (throttled !== null) return exchange.fail(throttled);
  const format = args.text('format');
  const asLines =
    format === undefined ? /\bapplication\/(x-)?ndjson\b/.test(request.getHeader('accept')) : format === 'ndjson';
  new RecordPage({
    exchange,
    feeds,
    clock,
    reading,
    limit: args.number('limit')!,
    maxBytes: args.number('maxBytes')!,
    waitMs: args.number('wait')!,
    asLines,
  }).begin();
}

/** An event's id comes back in a header, for which proxies have 8 KiB. */
const longestIdBytes = 7000;
const tooManyPositions = badRequest(
  `The positions of so many partitions are more than an event's id has room for: follow them partition by partition.`,
);

/** How long the id of an event over `logs` gets for a while, in bytes. */
function longestId(logs: readonly PartitionLog[]): number {
  let sizeBytes = 0;
  for (const { partition, highWatermark } of logs) sizeBytes += `${partition}:${highWatermark},`.length;
  return sizeBytes;
}

function serveEvents(streams: EventStreams, exchange: Exchange): void {
  const { args, caller } = exchange;
  const id = args.text('Last-Event-ID') ?? args.text('lastEventId');
  if (id !== undefined && parsePositions(id) === null) {
    return exchange.fail(badRequest(`The last event's id is ${shown(id)}, which no event here has.`));
  }
  const reading = topicReading(streams.broker, caller, args, args.number('partition'), 'latest', id);
  if ('status' in reading) return exchange.fail(reading);
  if (longestId([...reading.starts.keys()]) > longestIdBytes) return exchange.fail(tooManyPositions);
  streams.open(exchange, reading);
}
