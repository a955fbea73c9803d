/**
 * Members of a share group against the real program, which is killed while they work: what was accepted never comes again,
 * what was not does, and nothing is lost.
 */

import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { zeroUuid, type Uuid } from '../../src/base/uuid.ts';
import {
  defaultMetadataRequest,
  incrementalAlterConfigsApi,
  metadataApi,
  produceApi,
  shareAcknowledgeApi,
  shareFetchApi,
  shareGroupHeartbeatApi,
} from '../../src/protocol/generated/index.ts';
import { batchSizeAt } from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { batchOf } from '../broker/broker-harness.ts';
import { ProgramProcess } from '../program/program-process.ts';
import { WireClient } from '../program/wire-client.ts';

const rounds = Number(process.env.CRASH_ROUNDS ?? 3);
const partitionCount = 2;
const recordsPerRound = 300;
const groupResource = 32;
const Type = { ACCEPT: 1, RELEASE: 2 } as const;

interface Record {
  readonly partition: number;
  readonly offset: number;
  readonly value: string;
  readonly count: number;
}

/** What the group has accepted, and whether the broker said so. */
class Outcome {
  readonly accepted = new Set<string>();
  /** Accepted, but the broker was gone before it said so: they may come again. */
  readonly unsure = new Set<string>();
  readonly released = new Map<string, number>();
}

class Worker {
  readonly memberId: string = randomUUID();
  readonly outcome: Outcome;
  #client: WireClient | null = null;
  #epoch = 0;
  #sessionEpoch = 0;
  #topicId: Uuid | null = null;

  constructor(outcome: Outcome) {
    this.outcome = outcome;
  }

  /** Works until there is nothing more for `idleFetches` fetches, or the connection ends. */
  async work(port: number, random: SeededRandom, idleFetches: number): Promise<void> {
    const client = await WireClient.connect(port);
    this.#client = client;
    this.#sessionEpoch = 0;
    await this.#join();
    for (let idle = 0; idle < idleFetches;) {
      const records = await this.#fetch();
      idle = records.length === 0 ? idle + 1 : 0;
      for (const record of records) await this.#settle(record, random);
    }
    client.socket.destroy();
  }

  async #join(): Promise<void> {
    const response = await this.#client!.request(shareGroupHeartbeatApi, 1, {
      groupId: 'workers',
      memberId: this.memberId,
      memberEpoch: this.#epoch,
      rackId: null,
      subscribedTopicNames: ['work'],
    });
    expect(response.errorCode).toBe(ErrorCode.NONE);
    this.#epoch = response.memberEpoch;
    const topics = [{ topicId: zeroUuid, name: 'work' }];
    const described = { topics, allowAutoTopicCreation: false, includeTopicAuthorizedOperations: false };
    const metadata = await this.#client!.request(metadataApi, 12, { ...defaultMetadataRequest(), ...described });
    this.#topicId = metadata.topics[0]!.topicId;
  }

  async #fetch(): Promise<Record[]> {
    const partitions = Array.from({ length: partitionCount }, (_, partitionIndex) => ({
      partitionIndex,
      acknowledgementBatches: [],
    }));
    const response = await this.#client!.request(shareFetchApi, 2, {
      groupId: 'workers',
      memberId: this.memberId,
      shareSessionEpoch: this.#sessionEpoch,
      maxWaitMs: 50,
      minBytes: 1,
      maxBytes: 100_000,
      maxRecords: 20,
      batchSize: 20,
      shareAcquireMode: 1,
      isRenewAck: false,
      topics: this.#sessionEpoch === 0 ? [{ topicId: this.#topicId!, partitions }] : [],
      forgottenTopicsData: [],
    });
    expect(response.errorCode).toBe(ErrorCode.NONE);
    this.#sessionEpoch++;
    return response.responses.flatMap((topic) =>
      topic.partitions.flatMap(({ partitionIndex, records, acquiredRecords }) =>
        recordsIn(records).flatMap(({ offset, value }) => {
          const range = acquiredRecords.find(
            ({ firstOffset, lastOffset }) => firstOffset <= offset && offset <= lastOffset,
          );
          return range === undefined ? [] : [{ partition: partitionIndex, offset, value, count: range.deliveryCount }];
        }),
      ),
    );
  }

  async #settle({ partition, offset, value, count }: Record, random: SeededRandom): Promise<void> {
    const { accepted, unsure, released } = this.outcome;
    expect(accepted.has(value), `${value} was accepted, and came again`).toBe(false);
    expect(count, `${value} has been released`).toBeGreaterThan(released.get(value) ?? 0);
    const isAccepted = count > 1 || random.chance(0.8);
    if (isAccepted) unsure.add(value);
    const acknowledgeTypes = [isAccepted ? Type.ACCEPT : Type.RELEASE];
    const batch = { firstOffset: offset, lastOffset: offset, acknowledgeTypes };
    const response = await this.#client!.request(shareAcknowledgeApi, 2, {
      groupId: 'workers',
      memberId: this.memberId,
      shareSessionEpoch: this.#sessionEpoch,
      isRenewAck: false,
      topics: [
        { topicId: this.#topicId!, partitions: [{ partitionIndex: partition, acknowledgementBatches: [batch] }] },
      ],
    });
    expect(response.errorCode).toBe(ErrorCode.NONE);
    expect(response.responses[0]!.partitions[0]!.errorCode).toBe(ErrorCode.NONE);
    this.#sessionEpoch++;
    if (isAccepted) accepted.add(value);
    else released.set(value, count);
  }
}

function recordsIn(bytes: Uint8Array): { offset: number; value: string }[] {
  const records: { offset: number; value: string }[] = [];
  for (let at = 0, size = 0; (size = batchSizeAt(bytes, at, bytes.length)) > 0; at += size) {
    const reader = new RecordReader(bytes, at, at + size);
    while (reader.next()) records.push({ offset: reader.offset, value: Buffer.from(reader.value!).toString() });
  }
  return records;
}

async function produce(client: WireClient, round: number): Promise<string[]> {
  const texts = Array.from({ length: recordsPerRound }, (_, i) => `${round}/${i}`);
  for (let index = 0; index < partitionCount; index++) {
    const records = batchOf(texts.filter((_, i) => i % partitionCount === index));
    const topicData = [{ name: 'work', topicId: zeroUuid, partitionData: [{ index, records }] }];
    const request = { transactionalId: null, acks: -1, timeoutMs: 10_000, topicData };
    const { responses } = await client.request(produceApi, 9, request);
    expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE);
  }
  return texts;
}

it('gives every record out until it is accepted, and never again, through kills', { timeout: 120_000 }, async () => {
  const data = mkdtempSync(join(tmpdir(), 'millrace-share-'));
  try {
    const random = new SeededRandom(7);
    const outcome = new Outcome();
    const workers = [new Worker(outcome), new Worker(outcome), new Worker(outcome)];
    const produced: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const program = await ProgramProcess.serving(data);
      const client = await WireClient.connect(program.kafkaPort);
      if (round === 0) {
        await client.createTopics([{ name: 'work', numPartitions: partitionCount }]);
        const configs = [{ name: 'share.auto.offset.reset', configOperation: 0, value: 'earliest' }];
        const resources = [{ resourceType: groupResource, resourceName: 'workers', configs }];
        await client.request(incrementalAlterConfigsApi, 1, { resources, validateOnly: false });
      }
      produced.push(...(await produce(client, round)));
      const working = workers.map((worker) =>
        worker.work(program.kafkaPort, random, Infinity).then(
          () => null,
          (error: unknown) => error,
        ),
      );
      await sleep(40 + random.below(120));
      await program.stop('SIGKILL');
      for (const error of await Promise.all(working)) {
        // What a read of a connection that has ended says; anything else is a defect.
        if (!/ended|closed|not open/.test(String(error))) throw error;
      }
      client.socket.destroy();
    }
    const program = await ProgramProcess.serving(data);
    await Promise.all(workers.map((worker) => worker.work(program.kafkaPort, random, 5)));
    await program.stop();
    const missing = produced.filter((value) => !outcome.unsure.has(value));
    expect(missing).toEqual([]);
    expect(outcome.accepted.size).toBeGreaterThan(0);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
});
