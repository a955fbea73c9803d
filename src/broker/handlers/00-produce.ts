/**
 * Produce: appends one batch per partition and answers as acks asks. I/O thread.
 *
 *   acks   0: no response   1: once written   -1: once synced
 *
 * All appends happen before anything more of the connection is served, in the request's order, so what one connection sends
 * lands in order; while batches wait for their transaction, or for another turn, the connection waits as well.
 * A request that outlives its timeout is answered with REQUEST_TIMED_OUT where it waits; its writes still count.
 * It does not look into batches beyond what decides who handles them; the log checks them.
 */

import { Deadline } from '../../base/deadline-lists.ts';
import { ErrorCode, errorName } from '../../base/error-code.ts';
import { Later } from '../../base/later.ts';
import { noOffset } from '../../base/numbers.ts';
import {
  defaultProduceResponse,
  defaultProduceResponseResponsesPartitionResponses,
  type ProduceRequest,
  type ProduceRequestTopicData,
  type ProduceResponse,
  type ProduceResponseResponses,
  type ProduceResponseResponsesPartitionResponses,
} from '../../protocol/generated/index.ts';
import {
  attributesAt,
  batchField,
  batchHeaderSizeBytes,
  batchPrefixSizeBytes,
  Compression,
  compressionOf,
  currentMagic,
  isTransactional,
} from '../../records/record-batch.ts';
import { readInt32 } from '../../records/big-endian.ts';
import type { AppendListener, AppendOptions, AppendResult, Durability } from '../../storage/partition-log.ts';
import { AclOperation, AclResource, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import type { TopicImage } from '../metadata-image.ts';
import { alignmentBytes } from '../produce-turns.ts';
import {
  ConnectionMustClose,
  type ApiHandler,
  type ConnectionContext,
  type RequestContext,
} from '../request-context.ts';
import { isInternalTopic } from '../topic-name.ts';
import { TransactionalBatches, type Refusal } from '../transactions/transactional-batches.ts';

const firstVersionWithIds = 13;
const firstVersionWithZstd = 7;
/** The smallest batch of any format: an empty record of magic 0. */
const smallestBatchBytes = 26;

const durabilityByAcks: ReadonlyMap<number, Durability> = new Map([
  [-1, 'synced'],
  [0, 'none'],
  [1, 'written'],
]);

interface Problem {
  readonly errorCode: ErrorCode;
  readonly message: string | null;
}

export const produceHandler: ApiHandler<ProduceRequest, ProduceResponse> = {
  apiKey: 0,
  handle(request, context, broker) {
    const durability = durabilityByAcks.get(request.acks);
    const problem =
      problemOfTransaction(request, context, broker) ??
      (durability === undefined ? invalidAcks : problemOfSize(request, broker));
    const pending = new PendingProduce(request, context, broker);
    const turn = broker.produceTurns.begin(context.connection);
    const options: AppendOptions = { durability: durability ?? 'none', origin: 'client' };
    let transactional: TransactionalBatches | null = null;
    for (const topicData of request.topicData) {
      const topic = topicOf(topicData, context, broker);
      const topicProblem = problemOfTopic(topic, topicData.name, context, broker);
      const responses = pending.startTopic(topicData);
      for (const { index, records } of topicData.partitionData) {
        const response = defaultProduceResponseResponsesPartitionResponses();
        response.index = index;
        responses.push(response);
        const refusal = problem ?? problemOfRecords(records, context.apiVersion) ?? topicProblem;
        const found = refusal === null ? broker.findPartition(topic, index) : null;
        if (refusal !== null) refuse(response, refusal);
        else if (found === null || records === null) refuse(response, unknownPartition);
        else if (isTransactional(attributesAt(records, 0))) {
          const place = { topicId: found.topic.id, topic: found.topic.name, partition: index };
          transactional ??= new TransactionalBatches(broker, turn, context.apiVersion, options);
          transactional.add(place, found.log, records, ...pending.endsFor(response));
        } else {
          const listener = pending.listenerFor(response);
          if (!turn.append(found.log, records, options, listener)) listener(tooMuchWaits);
        }
      }
    }
    transactional?.append(request.transactionalId ?? '');
    return pending.outcome();
  },
};

/** The response in the making: filled by the logs as they finish, given out once all have or time is up. */
class PendingProduce extends Deadline {
  readonly #response: ProduceResponse = defaultProduceResponse();
  /** Partitions whose log has not answered; until it does they say that time is up. */
  #waiting = 0;
  readonly #withIds: boolean;
  readonly #request: ProduceRequest;
  readonly #connection: ConnectionContext;
  readonly #broker: Broker;
  /** Where the response goes if it is not there with the handler's return. */
  #later: Later<ProduceResponse> | null = null;
  #given = false;

  constructor(request: ProduceRequest, { apiVersion, connection }: RequestContext, broker: Broker) {
    super();
    this.#withIds = apiVersion >= firstVersionWithIds;
    this.#request = request;
    this.#connection = connection;
    this.#broker = broker;
  }

  startTopic({ topicId, name }: ProduceRequestTopicData): ProduceResponseResponsesPartitionResponses[] {
    const responses: ProduceResponseResponses = { topicId, name: this.#withIds ? '' : name, partitionResponses: [] };
    this.#response.responses.push(responses);
    return responses.partitionResponses;
  }

  listenerFor(response: ProduceResponseResponsesPartitionResponses): AppendListener {
    if (this.#request.acks === 0) return (result) => this.#takeUnasked(response, result);
    this.#waiting++;
    refuse(response, timedOut);
    return (result) => {
      // After a timeout the response has left; what the log says then is nobody's any more.
      if (this.#given) return;
      this.#waiting--;
      take(response, result);
      if (this.#waiting === 0) this.#finish();
    };
  }

  /** For what may be refused later, instead of being appended. */
  endsFor(response: ProduceResponseResponsesPartitionResponses): [listener: AppendListener, refuse: Refusal] {
    const listener = this.listenerFor(response);
    return [listener, (errorCode, errorMessage) => listener({ ...notAppended, errorCode, errorMessage })];
  }

  outcome(): ProduceResponse | null | Later<ProduceResponse> {
    const { acks, timeoutMs } = this.#request;
    if (acks === 0) {
      this.#given = true;
      this.#closeIfFailed();
      return null;
    }
    if (this.#waiting === 0) return this.#response;
    this.#later = new Later();
    this.#broker.produceDeadlines.add(this, Math.max(timeoutMs, 0));
    return this.#later;
  }

  override timeIsUp(): void {
    this.#finish();
  }

  /** Gives the response to who has been promised one. */
  #finish(): void {
    if (this.#given || this.#later === null) return;
    this.#given = true;
    this.#broker.produceDeadlines.remove(this);
    this.#later.settle(this.#response);
  }

  /** With acks=0 a failure ends the connection, also where it comes after the request. */
  #takeUnasked(response: ProduceResponseResponsesPartitionResponses, result: AppendResult): void {
    take(response, result);
    if (this.#given && result.errorCode !== ErrorCode.NONE) this.#connection.drop(failureWithoutAcks(result.errorCode));
  }

  /** Without a response only a closed connection tells the producer that its metadata or batches are wrong. */
  #closeIfFailed(): void {
    for (const { partitionResponses } of this.#response.responses) {
      for (const { errorCode } of partitionResponses) {
        if (errorCode !== ErrorCode.NONE) {
          throw new ConnectionMustClose(failureWithoutAcks(errorCode));
        }
      }
    }
  }
}

const notAppended: AppendResult = {
  errorCode: ErrorCode.NONE,
  baseOffset: noOffset,
  logAppendTimeMs: -1,
  logStartOffset: noOffset,
  errorMessage: null,
  recordErrors: [],
};

const invalidAcks: Problem = {
  errorCode: ErrorCode.INVALID_REQUIRED_ACKS,
  message: 'The acks of a Produce are -1, 0 or 1.',
};
const tooMuchWaits: AppendResult = {
  ...notAppended,
  errorCode: ErrorCode.REQUEST_TIMED_OUT,
  errorMessage: 'Too much waits for batches that take long to check; send this one again.',
};
const timedOut: Problem = { errorCode: ErrorCode.REQUEST_TIMED_OUT, message: null };
const unknownPartition: Problem = { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: null };

function failureWithoutAcks(errorCode: number): string {
  return `a Produce with acks=0 failed: ${errorName(errorCode)}`;
}

function topicOf(topicData: ProduceRequestTopicData, context: RequestContext, broker: Broker): TopicImage | null {
  return context.apiVersion >= firstVersionWithIds
    ? broker.topics.topicById(topicData.topicId)
    : broker.topics.topic(topicData.name);
}

function problemOfTopic(
  topic: TopicImage | null,
  name: string,
  context: RequestContext,
  broker: Broker,
): Problem | null {
  const { apiVersion } = context;
  if (!allowsOnTopic(broker.authorizer, context, AclOperation.WRITE, topic?.name ?? name)) return forbidden;
  if (topic === null) {
    return apiVersion >= firstVersionWithIds
      ? { errorCode: ErrorCode.UNKNOWN_TOPIC_ID, message: null }
      : unknownPartition;
  }
  if (!isInternalTopic(topic.name)) return null;
  return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, message: `Cannot append to internal topic ${topic.name}` };
}

/** Transactional batches come with the transactional id of their producer, who may use it: else nothing is taken. */
function problemOfTransaction(
  { transactionalId, topicData }: ProduceRequest,
  context: RequestContext,
  { authorizer }: Broker,
): Problem | null {
  if (!topicData.some(({ partitionData }) => partitionData.some(isTransactionalData))) return null;
  const errorCode = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
  if (transactionalId === null) {
    return { errorCode, message: 'Transactional batches come with the transactional id of their producer.' };
  }
  const isAllowed = authorizer.allows(context, AclOperation.WRITE, AclResource.TRANSACTIONAL_ID, transactionalId);
  return isAllowed ? null : { errorCode, message: null };
}

function isTransactionalData({ records }: { readonly records: Uint8Array | null }): boolean {
  return records !== null && records.length >= batchHeaderSizeBytes && isTransactional(attributesAt(records, 0));
}

/** A request that the ring could never take at once. Others came here once it had room (dispatcher.ts). */
function problemOfSize(request: ProduceRequest, broker: Broker): Problem | null {
  let sizeBytes = 0;
  for (const { partitionData } of request.topicData) {
    for (const { records } of partitionData) sizeBytes += (records?.length ?? 0) + alignmentBytes;
  }
  if (sizeBytes <= broker.store.maxRequestBytes) return null;
  const message = `The request's batches are larger than ${broker.store.maxRequestBytes} bytes together.`;
  return { errorCode: ErrorCode.MESSAGE_TOO_LARGE, message };
}

/** What Kafka checks, in its order, before a log sees the records: one whole batch, of a format and codec that the version allows. */
function problemOfRecords(records: Uint8Array | null, apiVersion: number): Problem | null {
  if (records === null || records.length === 0) return invalidRecord('A Produce carries one record batch a partition.');
  if (records.length < batchPrefixSizeBytes) return notWhole;
  const sizeBytes = batchPrefixSizeBytes + readInt32(records, batchField.length);
  if (sizeBytes < smallestBatchBytes) return corrupt;
  const magic = records[batchField.magic];
  if (magic === undefined) return notWhole;
  if (magic > currentMagic) return corrupt;
  if (sizeBytes > records.length) return notWhole;
  if (magic < currentMagic) return invalidRecord(`Record batches have magic ${currentMagic}, not ${magic}.`);
  if (sizeBytes < batchHeaderSizeBytes) return corrupt;
  if (sizeBytes < records.length) return invalidRecord('A Produce carries exactly one record batch a partition.');
  const attributes = attributesAt(records, 0);
  if (compressionOf(attributes) === Compression.ZSTD && apiVersion < firstVersionWithZstd) {
    const message = `Produce version ${apiVersion} does not know zstd.`;
    return { errorCode: ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, message };
  }
  return null;
}

const forbidden: Problem = { errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED, message: null };
const corrupt: Problem = {
  errorCode: ErrorCode.CORRUPT_MESSAGE,
  message: 'The header of the record batch says what no batch can be.',
};
const notWhole = invalidRecord('A Produce carries one whole record batch a partition; this one is cut short.');

function invalidRecord(message: string): Problem {
  return { errorCode: ErrorCode.INVALID_RECORD, message };
}

function refuse(response: ProduceResponseResponsesPartitionResponses, { errorCode, message }: Problem): void {
  response.errorCode = errorCode;
  response.errorMessage = message;
  response.baseOffset = -1;
  response.logAppendTimeMs = -1;
  response.logStartOffset = -1;
}

function take(response: ProduceResponseResponsesPartitionResponses, result: AppendResult): void {
  response.errorCode = result.errorCode;
  response.errorMessage = result.errorMessage;
  response.baseOffset = result.baseOffset;
  response.logAppendTimeMs = result.logAppendTimeMs;
  response.logStartOffset = result.logStartOffset;
  if (result.recordErrors.length === 0) return;
  response.recordErrors = result.recordErrors.map(({ index, message }) => ({
    batchIndex: index,
    batchIndexErrorMessage: message,
  }));
}
