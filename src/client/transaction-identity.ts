/**
 * The producer's side of the transaction coordinator: who it is, and the requests that begin with the transactional id.
 * Any thread; owned by a `TransactionalProducer`.
 *
 *   InitProducerId ─► id, epoch ─► (batches and offsets carry them) ─► EndTxn ─► id, next epoch ─► …
 *
 * It speaks the second generation of the protocol (KIP-890) alone: writes add their partitions themselves, and every end
 * gives the next epoch, so that an end which was not answered can simply be asked for again.
 */

import { ErrorCode } from '../base/error-code.ts';
import { zeroUuid } from '../base/uuid.ts';
import { defaultInitProducerIdRequest, initProducerIdClientApi } from '../protocol/generated/22-init-producer-id.ts';
import { endTxnClientApi } from '../protocol/generated/26-end-txn.ts';
import { defaultTxnOffsetCommitRequest, txnOffsetCommitClientApi } from '../protocol/generated/28-txn-offset-commit.ts';
import { type Cluster, mainLane } from './cluster.ts';
import type { Connection } from './connection.ts';
import { KafkaError, throwUnlessNone } from './kafka-error.ts';
import { byTopic, type CommittedOffset, type Committer, placeName } from './offsets.ts';

/** From these versions on a broker has transactions of the second generation. */
const firstEndTxn = 5;
const firstTxnOffsetCommit = 5;

export class TransactionIdentity {
  readonly transactionalId: string;
  readonly #cluster: Cluster;
  readonly #timeoutMs: number;
  /** -1 until `begin` resolved once. */
  producerId = -1;
  producerEpoch = -1;

  constructor(cluster: Cluster, transactionalId: string, timeoutMs: number) {
    this.#cluster = cluster;
    this.transactionalId = transactionalId;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Takes the transactional id over, where that has not been done: whoever had it is fenced, and what it left open is
   * aborted. Retries. Rejects with a `KafkaError`, UNSUPPORTED_VERSION where the broker has no such transactions.
   */
  async init(signal?: AbortSignal): Promise<void> {
    if (this.producerId >= 0) return;
    const request = {
      ...defaultInitProducerIdRequest(),
      transactionalId: this.transactionalId,
      transactionTimeoutMs: this.#timeoutMs,
    };
    await this.#asking(signal, async (connection) => {
      const response = await connection.request(initProducerIdClientApi, request, { signal });
      throwUnlessNone(response.errorCode, `the transactional id ${this.transactionalId}`);
      this.#take(response);
    });
  }

  /** Ends the transaction. Retries. Rejects with a `KafkaError`: PRODUCER_FENCED where another has the id by now. */
  async end(committed: boolean, signal?: AbortSignal): Promise<void> {
    const { transactionalId, producerId, producerEpoch } = this;
    await this.#asking(signal, async (connection) => {
      const request = { transactionalId, producerId, producerEpoch, committed };
      const response = await connection.request(endTxnClientApi, request, { signal });
      const what = `to ${committed ? 'commit' : 'abort'} the transaction of ${transactionalId}`;
      throwUnlessNone(response.errorCode, what);
      this.#take(response);
    });
  }

  /** Commits `offsets` for `group` with the transaction. Retries. Rejects with a `KafkaError`. */
  async commitOffsets(
    group: string,
    committer: Committer,
    offsets: readonly CommittedOffset[],
    signal?: AbortSignal,
  ): Promise<void> {
    const topics = [...byTopic(offsets)].map(([name, own]) => ({
      topicId: zeroUuid,
      name,
      partitions: own.map(({ partition, offset, leaderEpoch = -1, metadata = null }) => ({
        partitionIndex: partition,
        committedOffset: offset,
        committedLeaderEpoch: leaderEpoch,
        committedMetadata: metadata,
      })),
    }));
    const request = {
      ...defaultTxnOffsetCommitRequest(),
      transactionalId: this.transactionalId,
      producerId: this.producerId,
      producerEpoch: this.producerEpoch,
      groupId: group,
      generationIdOrMemberEpoch: committer.generationId,
      memberId: committer.memberId,
      groupInstanceId: committer.groupInstanceId,
      topics,
    };
    await this.#cluster.retrying(
      async () => {
        const nodeId = await this.#cluster.coordinatorId(group, signal);
        const connection = await this.#cluster.connection(nodeId, mainLane, signal);
        const options = { signal, maxVersion: firstTxnOffsetCommit };
        const response = await connection.request(txnOffsetCommitClientApi, request, options);
        for (const { name, partitions } of response.topics) {
          for (const { partitionIndex, errorCode } of partitions) {
            const place = placeName({ topic: name, partition: partitionIndex });
            throwUnlessNone(errorCode, `group ${group}'s offset of ${place}`);
          }
        }
      },
      { signal },
    );
  }

  /** Asks the coordinator, wherever it is, until it answers. */
  #asking(signal: AbortSignal | undefined, ask: (connection: Connection) => Promise<void>): Promise<void> {
    return this.#cluster.retrying(
      async () => {
        const nodeId = await this.#cluster.coordinatorId(this.transactionalId, signal, 'transaction');
        const connection = await this.#cluster.connection(nodeId, mainLane, signal);
        if (connection.versionOf(endTxnClientApi) < firstEndTxn) {
          throw new KafkaError(
            ErrorCode.UNSUPPORTED_VERSION,
            'the broker has no transactions of the second generation (KIP-890); Kafka has them from 4.0 on',
          );
        }
        await ask(connection);
      },
      { signal },
    );
  }

  #take({ producerId, producerEpoch }: { producerId: number; producerEpoch: number }): void {
    this.producerId = producerId;
    this.producerEpoch = producerEpoch;
  }
}
