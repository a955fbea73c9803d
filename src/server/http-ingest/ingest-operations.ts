/**
 * The operations that take records: `POST /topics/{topic}` in all its shapes, the same for one partition, and the two
 * interfaces of Confluent's REST Proxy. I/O thread.
 *
 *   Content-Type ─► raw, binary CloudEvent ─► one record, answered by itself
 *                ─► JSON, envelopes, CloudEvents, REST Proxy v2 ─► whole body ─► answered at once
 *                ─► NDJSON, REST Proxy v3 ─► stream ─► answered as it goes
 */

import type { HttpRequest } from 'uWebSockets.js';
import { ErrorCode, errorName } from '../../base/error-code.ts';
import type { Offset } from '../../base/numbers.ts';
import { AclOperation } from '../../broker/authorizer.ts';
import type { Broker } from '../../broker/broker.ts';
import { isInternalTopic } from '../../broker/topic-name.ts';
import type { Caller } from '../../gateway/caller.ts';
import type { RecordPublisher } from '../../gateway/record-publisher.ts';
import { chargeCreation, problemOfMissing } from '../../gateway/topic-creation.ts';
import { shown, type Arguments } from '../http-api/arguments.ts';
import { throttledProblem } from '../http-api/callers.ts';
import type { Exchange } from '../http-api/exchange.ts';
import type { Operation } from '../http-api/operations-part.ts';
import { badRequest, problemOf, proxyCode, type Problem } from '../http-api/problem.ts';
import { binaryEvent, cloudEventShape } from './cloud-events.ts';
import {
  lineParameters,
  partitionPath,
  produceBody,
  produceResponses,
  proxyV3Body,
  proxyV3Parameters,
  proxyV3Responses,
  topicPath,
} from './ingest-shapes.ts';
import { LineIngest } from './line-ingest.ts';
import { bodyKindOf, type BodyKind } from './media-type.ts';
import { durabilityOf, recordArguments, recordParameters, type RecordArguments } from './record-arguments.ts';
import { begin, emptyDraft, envelopeShape, valueShape, type RecordShape } from './record-shape.ts';
import type { BodyReaders } from './request-body.ts';
import { proxyV2Answer, proxyV2Shape, proxyV2Type, recordsOf } from './rest-proxy-v2.ts';
import { ProxyV3Ingest } from './rest-proxy-v3.ts';
import { SingleRecords, type SingleListener } from './single-records.ts';
import { WholeBody } from './whole-body.ts';
import { checkJson, WholeIngest, type SettledRecord } from './whole-ingest.ts';

export interface IngestOptions {
  readonly broker: Broker;
  readonly publisher: RecordPublisher;
  readonly bodies: BodyReaders;
}

const ingestProblems = [404, 408, 409, 413, 415, 422];

export function ingestOperations(options: IngestOptions): Operation[] {
  const ingest = new Ingest(options);
  return [
    {
      method: 'post',
      path: '/topics/{topic}',
      id: 'produce',
      summary: 'Append records to a topic',
      parameters: [topicPath, ...recordParameters, ...lineParameters],
      body: produceBody,
      responses: produceResponses,
      problems: ingestProblems,
      serve: (exchange, request) => ingest.produce(exchange, request),
    },
    {
      method: 'post',
      path: '/topics/{topic}/partitions/{partition}',
      id: 'produceToPartition',
      summary: 'Append records to one partition',
      parameters: [
        topicPath,
        partitionPath,
        ...recordParameters.filter(({ name }) => !/^(Millrace-P|p)artition$/.test(name)),
        ...lineParameters,
      ],
      body: produceBody,
      responses: produceResponses,
      problems: ingestProblems,
      serve: (exchange, request) => ingest.produce(exchange, request),
    },
    {
      method: 'post',
      path: '/v3/clusters/{cluster_id}/topics/{topic_name}/records',
      id: 'produceV3',
      summary: "Append records, as version 3 of Confluent's REST Proxy takes them",
      parameters: proxyV3Parameters,
      body: proxyV3Body,
      responses: proxyV3Responses,
      problems: ingestProblems,
      serve: (exchange, request) => ingest.produceV3(exchange, request),
    },
  ];
}

class Ingest {
  readonly #broker: Broker;
  readonly #publisher: RecordPublisher;
  readonly #bodies: BodyReaders;
  readonly #singles: SingleRecords;
  readonly #draft = emptyDraft();
  /** What the last arguments say of records; mostly the next request has the same. */
  #lastArgs: Arguments | null = null;
  #lastRecords: RecordArguments | null = null;

  constructor({ broker, publisher, bodies }: IngestOptions) {
    this.#broker = broker;
    this.#publisher = publisher;
    this.#bodies = bodies;
    this.#singles = new SingleRecords(broker, publisher);
  }

  produce(exchange: Exchange, request: HttpRequest): void {
    const contentType = request.getHeader('content-type');
    const kind = bodyKindOf(contentType);
    if (kind === null) return exchange.fail(unknownType(contentType));
    if (kind === 'proxy-json' || kind === 'proxy-binary') exchange.proxyErrors = true;
    const records = this.#recordArguments(exchange.args);
    if ('status' in records) return exchange.fail(records);
    const topic = exchange.args.text('topic')!;
    const problem = this.#problemOf(topic, records.partition, exchange.caller);
    if (problem !== null) return exchange.fail(problem);
    switch (kind) {
      case 'raw':
        return this.#raw(exchange, request, topic, records);
      case 'lines':
        return this.#lines(exchange, request, topic, records, valueShape);
      case 'envelope-lines':
        return this.#lines(exchange, request, topic, records, envelopeShape);
      default:
        return this.#whole(exchange, request, topic, records, kind);
    }
  }

  produceV3(exchange: Exchange, request: HttpRequest): void {
    const { args } = exchange;
    exchange.proxyErrors = true;
    const topic = args.text('topic_name')!;
    const problem = this.#problemOf(topic, -1, exchange.caller);
    if (problem !== null) return exchange.fail(problem);
    const ingest = new ProxyV3Ingest({
      exchange,
      publisher: this.#publisher,
      clusterId: this.#broker.clusterId,
      topic,
      durability: durabilityOf(args.text('acks')),
      longestRecordBytes: this.#bodies.limits.largestBodyBytes,
      room: this.#bodies,
      nowMs: () => this.#broker.clock.nowMs(),
    });
    ingest.body = this.#bodies.stream(exchange, request, ingest.sink);
  }

  #recordArguments(args: Arguments): RecordArguments | Problem {
    if (args === this.#lastArgs && this.#lastRecords !== null) return this.#lastRecords;
    const records = recordArguments(args);
    if ('status' in records) return records;
    this.#lastArgs = args;
    this.#lastRecords = records;
    return records;
  }

  #raw(exchange: Exchange, request: HttpRequest, topic: string, records: RecordArguments): void {
    let { key, headers } = records;
    if (request.getHeader('ce-specversion') !== '') {
      const event = binaryEvent(request);
      if (typeof event === 'string') return exchange.fail(problemOf(ErrorCode.INVALID_RECORD, event));
      key ??= event.key;
      headers = [...(headers ?? []), ...event.headers];
    }
    exchange.wait({});
    this.#bodyOf(exchange, request, (body) => {
      const draft = this.#draft;
      begin(draft, records);
      draft.key = key;
      draft.headers = headers;
      draft.value = body;
      this.#single(exchange, topic, records);
    });
  }

  /** As `BodyReaders.whole`; whoever is above its quota is answered later. */
  #bodyOf(exchange: Exchange, request: HttpRequest, take: (body: Uint8Array) => void): void {
    const { caller } = exchange;
    if (!caller.isCharged) return this.#bodies.whole(exchange, request, take);
    exchange.holdAnswer(caller.heldMs('producer_byte_rate'));
    this.#bodies.whole(exchange, request, (body) => {
      caller.charge('producer_byte_rate', body.length);
      take(body);
    });
  }

  /** Publishes the draft as the one record of the exchange. */
  #single(exchange: Exchange, topic: string, records: RecordArguments): void {
    if (!this.#mayCreate(exchange, topic)) return;
    exchange.owing = true;
    this.#singles.publish(topic, records, this.#draft, new SingleAnswer(exchange));
  }

  /** Whether a topic that is missing is created for records that share a stream; false where the exchange was failed. */
  #mayCreate(exchange: Exchange, topic: string): boolean {
    const { caller } = exchange;
    if (!caller.isCharged || this.#broker.topics.topic(topic) !== null) return true;
    if (this.#publisher.target(topic).isMissing) return true;
    const problem = chargeCreation(this.#broker, caller);
    if (problem !== null) exchange.fail(problemOf(problem.errorCode, problem.message));
    return problem === null;
  }

  #lines(exchange: Exchange, request: HttpRequest, topic: string, records: RecordArguments, shape: RecordShape): void {
    const ingest = new LineIngest({
      exchange,
      publisher: this.#publisher,
      topic,
      shape,
      records,
      offsets: exchange.args.flag('offsets'),
      longestLineBytes: this.#bodies.limits.largestBodyBytes,
      room: this.#bodies,
    });
    ingest.body = this.#bodies.stream(exchange, request, ingest.sink);
  }

  #whole(exchange: Exchange, request: HttpRequest, topic: string, records: RecordArguments, kind: BodyKind): void {
    let whole: WholeBody | null = null;
    exchange.wait({ aborted: () => whole?.close() });
    this.#bodyOf(exchange, request, (body) => {
      const text = checkJson(body);
      if ('status' in text) return exchange.fail(text);
      let { start } = text;
      const isArray = body[start] === 0x5b;
      if (kind === 'proxy-json' || kind === 'proxy-binary') {
        const found = recordsOf(body, start);
        if (typeof found !== 'number') return exchange.fail(found);
        start = found;
      } else if (kind === 'json' && !isArray) {
        begin(this.#draft, records);
        this.#draft.value = body.subarray(start, text.end);
        return this.#single(exchange, topic, records);
      } else if (kind === 'cloud-events' && !isArray) return exchange.fail(noBatch);
      else if (kind === 'cloud-event' && isArray) return exchange.fail(aBatch);
      whole = new WholeBody({
        exchange,
        bodies: this.#bodies,
        shape: shapes[kind]!,
        begin: () => {
          if (!this.#mayCreate(exchange, topic)) return null;
          exchange.owing = true;
          return new WholeIngest(this.#publisher, topic, records, () => exchange.destroy());
        },
        settled: (settled) => {
          if (kind === 'proxy-json' || kind === 'proxy-binary') {
            exchange.answer(200, proxyV2Answer(settled), proxyV2Type);
          } else if (kind === 'cloud-event' || (kind === 'envelope' && !isArray)) {
            answerOne(exchange, topic, settled[0]!);
          } else answerMany(exchange, topic, settled);
        },
      });
      whole.take(body, start, text.end, records.producer === null);
    });
  }

  /** What can be said before there is a record; null where nothing can. */
  #problemOf(name: string, partition: number, caller: Caller): Problem | null {
    const forbidden = caller.problemOf(AclOperation.WRITE, name);
    if (forbidden !== null) return problemOf(forbidden.errorCode, forbidden.message);
    const throttled = throttledProblem(caller, 'producer_byte_rate');
    if (throttled !== null) return throttled;
    if (isInternalTopic(name)) return problemOf(ErrorCode.INVALID_TOPIC_EXCEPTION, `${name} is an internal topic.`);
    const topic = this.#broker.topics.topic(name);
    if (topic !== null) {
      if (partition < topic.partitionCount) return null;
      const detail = `The topic ${name} has ${topic.partitionCount} partitions, and none with the number ${partition}.`;
      return { ...problemOf(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, detail), proxyCode: proxyCode.partition };
    }
    const missing = problemOfMissing(this.#broker, name, caller);
    return missing === null ? null : problemOf(missing.errorCode, missing.message);
  }
}

const shapes: Readonly<Partial<Record<BodyKind, RecordShape>>> = {
  json: valueShape,
  envelope: envelopeShape,
  'cloud-event': cloudEventShape,
  'cloud-events': cloudEventShape,
  'proxy-json': proxyV2Shape('json'),
  'proxy-binary': proxyV2Shape('binary'),
};

const noBatch = badRequest('A batch of CloudEvents is an array.');
const aBatch = badRequest('One CloudEvent is an object; a batch of them is application/cloudevents-batch+json.');

function unknownType(contentType: string): Problem {
  return {
    status: 415,
    error: errorName(ErrorCode.INVALID_REQUEST),
    detail: `Bodies of the type ${shown(contentType)} are not taken; /openapi.json lists those that are.`,
  };
}

/** Answers a request that brought one record. */
class SingleAnswer implements SingleListener {
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  stored(topic: string, partition: number, offset: Offset): void {
    this.#exchange.answer(200, storedText(topic, partition, offset));
  }

  duplicate(topic: string, partition: number, offset: Offset): void {
    this.#exchange.answer(200, duplicateText(topic, partition, offset));
  }

  failed(errorCode: ErrorCode, message: string): void {
    this.#exchange.fail(problemOf(errorCode, message));
  }
}

/** The text of the answer to one record that was stored. */
function storedText(topic: string, partition: number, offset: Offset | number): string {
  // A topic's name needs no escapes.
  return `{"topic":"${topic}","partition":${partition},"offset":${offset}}`;
}

/** As `storedText`, of one that was stored before. */
function duplicateText(topic: string, partition: number, offset: Offset | number): string {
  return `{"topic":"${topic}","partition":${partition},"offset":${offset < 0 ? null : offset},"duplicate":true}`;
}

function answerOne(
  exchange: Exchange,
  topic: string,
  { errorCode, message, partition, offset, wasStored }: SettledRecord,
): void {
  if (wasStored) exchange.answer(200, duplicateText(topic, partition, offset));
  else if (errorCode === ErrorCode.NONE) exchange.answer(200, storedText(topic, partition, offset));
  else exchange.fail(problemOf(errorCode, message));
}

/** All stored: 200. Some: 207. None: the first one's problem, with what became of each. */
function answerMany(exchange: Exchange, topic: string, settled: readonly SettledRecord[]): void {
  const failures = settled.filter(({ errorCode }) => errorCode !== ErrorCode.NONE);
  const records = settled.map(({ errorCode, message, partition, offset, wasStored }) => {
    if (wasStored) return { partition, offset: offset < 0 ? null : offset, duplicate: true };
    return errorCode === ErrorCode.NONE ? { partition, offset } : { error: errorName(errorCode), detail: message };
  });
  const first = failures[0];
  if (first === undefined || failures.length < settled.length) {
    return exchange.answerJson(first === undefined ? 200 : 207, { topic, records });
  }
  const problem = problemOf(first.errorCode, first.message);
  exchange.fail({ ...problem, records });
}
