/**
 * The codecs against two clients written by others: what kafkajs (versions that are not flexible) and
 * @platformatic/kafka (flexible ones) write is read here, and what is written here they read.
 */

import {
  consumerGroupHeartbeatV1,
  createTopicsV7,
  fetchV17,
  joinGroupV9,
  metadataV12,
  Reader as TheirReader,
} from '@platformatic/kafka';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { uuidFromBytes } from '../../src/base/uuid.ts';
import * as codecs from '../../src/protocol/generated/index.ts';
import { Reader } from '../../src/protocol/reader.ts';
import { Writer } from '../../src/protocol/writer.ts';

const require = createRequire(import.meta.url);
const hexUuid = '01234567-89ab-4def-8123-456789abcdef';
const uuid = uuidFromBytes(Buffer.from(hexUuid.replaceAll('-', ''), 'hex'), 0);

/** Decodes the whole of `bytes`. */
function read<T>(decode: (reader: Reader, version: number) => T, bytes: Uint8Array, version: number): T {
  const reader = new Reader(bytes);
  const message = decode(reader, version);
  reader.expectEnd();
  return message;
}

function write<T>(
  encode: (writer: Writer, message: T, version: number) => void,
  message: T,
  version: number,
): Buffer<ArrayBuffer> {
  const writer = new Writer(false);
  encode(writer, message, version);
  return Buffer.concat(writer.finish());
}

describe('kafkajs', () => {
  interface Protocol {
    request: { encode(): Promise<{ buffer: Buffer }> };
    response: { decode(bytes: Buffer): Promise<unknown> };
  }
  const protocol = (api: string, version: number, args: object): Protocol =>
    (require(`kafkajs/src/protocol/requests/${api}`) as { protocol(_: object): (_: object) => Protocol }).protocol({
      version,
    })(args);

  it('JoinGroup 5', async () => {
    const { request, response } = protocol('joinGroup', 5, {
      groupId: 'g',
      sessionTimeout: 1000,
      rebalanceTimeout: 2000,
      memberId: 'mé',
      groupInstanceId: null,
      protocolType: 'consumer',
      groupProtocols: [{ name: 'range', metadata: Buffer.from([1, 2]) }],
    });
    expect(read(codecs.decodeJoinGroupRequest, (await request.encode()).buffer, 5)).toEqual({
      groupId: 'g',
      sessionTimeoutMs: 1000,
      rebalanceTimeoutMs: 2000,
      memberId: 'mé',
      groupInstanceId: null,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Uint8Array.of(1, 2) }],
      reason: null,
    });
    const answer = {
      ...codecs.defaultJoinGroupResponse(),
      generationId: 4,
      protocolName: 'range',
      leader: 'm',
      memberId: 'm',
      members: [{ memberId: 'm', groupInstanceId: null, metadata: Uint8Array.of(7) }],
    };
    expect(await response.decode(write(codecs.encodeJoinGroupResponse, answer, 5))).toMatchObject({
      generationId: 4,
      groupProtocol: 'range',
      leaderId: 'm',
      members: [{ memberId: 'm', groupInstanceId: null, memberMetadata: Buffer.of(7) }],
    });
  });

  it('Fetch 11', async () => {
    const { request, response } = protocol('fetch', 11, {
      replicaId: -1,
      maxWaitTime: 5,
      minBytes: 1,
      maxBytes: 1000,
      isolationLevel: 1,
      rackId: 'r',
      topics: [{ topic: 't', partitions: [{ partition: 3, fetchOffset: '9007199254740991', maxBytes: 100 }] }],
    });
    expect(read(codecs.decodeFetchRequest, (await request.encode()).buffer, 11)).toEqual({
      ...codecs.defaultFetchRequest(),
      maxWaitMs: 5,
      minBytes: 1,
      maxBytes: 1000,
      isolationLevel: 1,
      rackId: 'r',
      topics: [
        {
          ...codecs.defaultFetchRequestTopics(),
          topic: 't',
          partitions: [
            {
              ...codecs.defaultFetchRequestTopicsPartitions(),
              partition: 3,
              fetchOffset: Number.MAX_SAFE_INTEGER,
              partitionMaxBytes: 100,
            },
          ],
        },
      ],
    });
    const partition = {
      ...codecs.defaultFetchResponseResponsesPartitions(),
      partitionIndex: 3,
      highWatermark: 12,
      lastStableOffset: 11,
      abortedTransactions: [{ producerId: 5, firstOffset: 6 }],
      records: new Uint8Array(0),
    };
    const answer = {
      ...codecs.defaultFetchResponse(),
      sessionId: 8,
      responses: [{ ...codecs.defaultFetchResponseResponses(), topic: 't', partitions: [partition] }],
    };
    expect(await response.decode(write(codecs.encodeFetchResponse, answer, 11))).toMatchObject({
      sessionId: 8,
      responses: [
        {
          topicName: 't',
          partitions: [
            {
              partition: 3,
              highWatermark: '12',
              lastStableOffset: '11',
              lastStartOffset: '-1',
              abortedTransactions: [{ producerId: '5', firstOffset: '6' }],
              preferredReadReplica: -1,
            },
          ],
        },
      ],
    });
  });
});

describe('@platformatic/kafka', () => {
  /** Has them parse a response, of which they leave only `left` bytes: the counts of tagged fields at the end. */
  function theyRead<T>(
    parse: (correlationId: number, apiKey: number, apiVersion: number, reader: TheirReader) => T,
    bytes: Buffer<ArrayBuffer>,
    left = 1,
  ): T {
    const reader = TheirReader.from(bytes);
    const message = parse(1, 0, 0, reader);
    expect(reader.remaining).toBe(left);
    return message;
  }

  it('JoinGroup 9', () => {
    const bytes = joinGroupV9.createRequest('g', 1, 2, '', 'static', 'consumer', [{ name: 'range' }], 'why').buffer;
    expect(read(codecs.decodeJoinGroupRequest, bytes, 9)).toEqual({
      groupId: 'g',
      sessionTimeoutMs: 1,
      rebalanceTimeoutMs: 2,
      memberId: '',
      groupInstanceId: 'static',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: new Uint8Array(0) }],
      reason: 'why',
    });
  });

  it('Metadata 12', () => {
    expect(read(codecs.decodeMetadataRequest, metadataV12.createRequest(['t'], true, false).buffer, 12)).toMatchObject({
      topics: [{ name: 't' }],
      allowAutoTopicCreation: true,
    });
    expect(read(codecs.decodeMetadataRequest, metadataV12.createRequest(null).buffer, 12).topics).toBeNull();
    const answer: codecs.MetadataResponse = {
      ...codecs.defaultMetadataResponse(),
      brokers: [{ nodeId: 1, host: 'localhost', port: 9092, rack: null }],
      clusterId: 'c',
      controllerId: 1,
      topics: [
        {
          ...codecs.defaultMetadataResponseTopics(),
          name: 't'.repeat(200),
          topicId: uuid,
          partitions: [
            { ...codecs.defaultMetadataResponseTopicsPartitions(), leaderId: 1, replicaNodes: [1], isrNodes: [1] },
          ],
        },
      ],
    };
    expect(theyRead(metadataV12.parseResponse, write(codecs.encodeMetadataResponse, answer, 12))).toMatchObject({
      brokers: [{ nodeId: 1, host: 'localhost', port: 9092, rack: null }],
      clusterId: 'c',
      controllerId: 1,
      topics: [
        {
          name: 't'.repeat(200),
          topicId: hexUuid,
          topicAuthorizedOperations: -(2 ** 31),
          partitions: [{ leaderId: 1, leaderEpoch: -1, replicaNodes: [1], isrNodes: [1], offlineReplicas: [] }],
        },
      ],
    });
  });

  it('Fetch 17', () => {
    const topics = [
      {
        topicId: hexUuid,
        partitions: [
          { partition: 1, currentLeaderEpoch: 2, fetchOffset: 3n, lastFetchedEpoch: 4, partitionMaxBytes: 5 },
        ],
      },
    ];
    const bytes = fetchV17.createRequest(1, 2, 3, 1, 0, -1, topics, [], '').buffer;
    expect(read(codecs.decodeFetchRequest, bytes, 17)).toMatchObject({
      topics: [
        {
          topicId: uuid,
          partitions: [
            { partition: 1, currentLeaderEpoch: 2, fetchOffset: 3, lastFetchedEpoch: 4, logStartOffset: -1 },
          ],
        },
      ],
    });
    const partition = { ...codecs.defaultFetchResponseResponsesPartitions(), highWatermark: 70, records: null };
    const answer = {
      ...codecs.defaultFetchResponse(),
      responses: [{ topicId: uuid, topic: '', partitions: [partition] }],
    };
    expect(theyRead(fetchV17.parseResponse, write(codecs.encodeFetchResponse, answer, 17)).responses).toMatchObject([
      { topicId: hexUuid, partitions: [{ highWatermark: 70n, lastStableOffset: -1n, preferredReadReplica: -1 }] },
    ]);
  });

  it('ConsumerGroupHeartbeat 1, with its nullable struct', () => {
    const assigned = { ...codecs.defaultConsumerGroupHeartbeatResponse(), memberId: 'm', memberEpoch: 3 };
    const parse = (assignment: codecs.ConsumerGroupHeartbeatResponse['assignment']) =>
      theyRead(
        consumerGroupHeartbeatV1.parseResponse,
        write(codecs.encodeConsumerGroupHeartbeatResponse, { ...assigned, assignment }, 1),
        // The count in the struct at the end, where there is one, and that of the message.
        assignment === null ? 1 : 2,
      );
    expect(parse({ topicPartitions: [] })).toMatchObject({ memberId: 'm', memberEpoch: 3 });
    expect(parse(null).assignment).toBeNull();
  });

  it('CreateTopics 7', () => {
    const topic = {
      name: 't',
      numPartitions: 2,
      replicationFactor: 1,
      assignments: [{ partitionIndex: 0, brokerIds: [1] }],
      configs: [{ name: 'a', value: 'b' }],
    };
    const bytes = createTopicsV7.createRequest([topic], 500, true).buffer;
    expect(read(codecs.decodeCreateTopicsRequest, bytes, 7)).toEqual({
      topics: [topic],
      timeoutMs: 500,
      validateOnly: true,
    });
  });
});
