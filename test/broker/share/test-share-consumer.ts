/**
 * A member of a share group as a test drives it, request by request. It remembers its epochs and what it has.
 */

import { randomUUID } from 'node:crypto';
import { ErrorCode } from '../../../src/base/error-code.ts';
import type { Uuid } from '../../../src/base/uuid.ts';
import {
  shareAcknowledgeApi,
  shareFetchApi,
  shareGroupHeartbeatApi,
  type ShareAcknowledgeRequest,
  type ShareFetchRequest,
  type ShareFetchResponse,
  type ShareGroupHeartbeatRequest,
  type ShareGroupHeartbeatResponse,
} from '../../../src/protocol/generated/index.ts';
import { RecordReader } from '../../../src/records/record-reader.ts';
import { attributesAt, batchSizeAt, isControl } from '../../../src/records/record-batch.ts';
import type { FakeConnection } from '../broker-harness.ts';
import type { Requester } from './wire-requester.ts';

/** A record that was given out. */
export interface Given {
  readonly partition: number;
  readonly offset: number;
  readonly value: string;
  readonly count: number;
}

export type Batch = readonly [first: number, last: number, ...types: number[]];

export class TestShareConsumer {
  readonly id: string = randomUUID();
  readonly groupId: string;
  readonly topics: readonly string[];
  harness: Requester;
  connection: FakeConnection;
  epoch = 0;
  sessionEpoch = 0;
  assigned: { topicId: Uuid; partitions: number[] }[] = [];

  constructor(harness: Requester, groupId = 'group', topics: readonly string[] = ['topic']) {
    this.harness = harness;
    this.groupId = groupId;
    this.topics = topics;
    this.connection = harness.connect();
  }

  join(): Promise<ShareGroupHeartbeatResponse> {
    this.epoch = 0;
    return this.beat({ subscribedTopicNames: [...this.topics] });
  }

  async beat(fields: Partial<ShareGroupHeartbeatRequest> = {}): Promise<ShareGroupHeartbeatResponse> {
    const { groupId, id: memberId, epoch: memberEpoch } = this;
    const request = { groupId, memberId, memberEpoch, subscribedTopicNames: null, rackId: null, ...fields };
    const response = await this.harness.request(shareGroupHeartbeatApi, 1, request, this.connection);
    if (response.errorCode !== ErrorCode.NONE) return response;
    this.epoch = response.memberEpoch;
    if (response.assignment !== null) this.assigned = response.assignment.topicPartitions;
    return response;
  }

  leave(): Promise<ShareGroupHeartbeatResponse> {
    return this.beat({ memberEpoch: -1 });
  }

  /** One fetch, with what it names; of the partitions that the member has where it begins a session. */
  async fetchResponse(fields: Partial<ShareFetchRequest> = {}): Promise<ShareFetchResponse> {
    const { groupId, id: memberId, sessionEpoch: shareSessionEpoch } = this;
    const topics = this.assigned.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map((partitionIndex) => ({ partitionIndex, acknowledgementBatches: [] })),
    }));
    const response = await this.harness.request(
      shareFetchApi,
      2,
      {
        groupId,
        memberId,
        shareSessionEpoch,
        maxWaitMs: 0,
        minBytes: 1,
        maxBytes: 1_000_000,
        maxRecords: 500,
        batchSize: 500,
        shareAcquireMode: 0,
        isRenewAck: false,
        topics: shareSessionEpoch === 0 ? topics : [],
        forgottenTopicsData: [],
        ...fields,
      },
      this.connection,
    );
    if (response.errorCode === ErrorCode.NONE) this.sessionEpoch++;
    return response;
  }

  async fetch(fields: Partial<ShareFetchRequest> = {}): Promise<Given[]> {
    return givenIn(await this.fetchResponse(fields));
  }

  /** Acknowledges batches of one partition; the partition's error code, or the request's. */
  async acknowledge(
    batches: readonly Batch[],
    partitionIndex = 0,
    fields: Partial<ShareAcknowledgeRequest> = {},
  ): Promise<number> {
    const { groupId, id: memberId, sessionEpoch: shareSessionEpoch } = this;
    const acknowledgementBatches = batches.map(([firstOffset, lastOffset, ...acknowledgeTypes]) => ({
      firstOffset,
      lastOffset,
      acknowledgeTypes,
    }));
    const topicId = this.assigned[0]!.topicId;
    const topics = [{ topicId, partitions: [{ partitionIndex, acknowledgementBatches }] }];
    const isRenewAck = batches.some(([, , ...types]) => types.includes(4));
    const request = { groupId, memberId, shareSessionEpoch, isRenewAck, topics, ...fields };
    const response = await this.harness.request(shareAcknowledgeApi, 2, request, this.connection);
    if (response.errorCode !== ErrorCode.NONE) return response.errorCode;
    this.sessionEpoch++;
    return response.responses[0]?.partitions[0]?.errorCode ?? ErrorCode.NONE;
  }
}

/** The records that a response gives out, with their texts; markers of transactions are none. */
export function givenIn(response: ShareFetchResponse): Given[] {
  const given: Given[] = [];
  for (const { partitions } of response.responses) {
    for (const { partitionIndex, records, acquiredRecords } of partitions) {
      for (let at = 0, size = 0; (size = batchSizeAt(records, at, records.length)) > 0; at += size) {
        if (isControl(attributesAt(records, at))) continue;
        const reader = new RecordReader(records, at, at + size);
        while (reader.next()) {
          const { offset } = reader;
          const range = acquiredRecords.find((each) => each.firstOffset <= offset && offset <= each.lastOffset);
          if (range === undefined) continue;
          const value = Buffer.from(reader.value ?? []).toString();
          given.push({ partition: partitionIndex, offset, value, count: range.deliveryCount });
        }
      }
    }
  }
  return given;
}
