/** A transactional producer as the oracle's scenarios drive it, and where it writes. */

import { batchOf, create, hosted, newTopic, timeoutMs, zeroUuid } from './oracle-requests.mjs';

export const Key = {
  PRODUCE: 0,
  FETCH: 1,
  LIST_OFFSETS: 2,
  OFFSET_FETCH: 9,
  INIT: 22,
  ADD_PARTITIONS: 24,
  ADD_OFFSETS: 25,
  END: 26,
  WRITE_MARKERS: 27,
  TXN_OFFSET_COMMIT: 28,
  DELETE_GROUPS: 42,
  OFFSET_DELETE: 47,
  DESCRIBE_PRODUCERS: 61,
  DESCRIBE: 65,
  LIST: 66,
};

export const timeoutOf = 60_000;

/** One producer of a transactional id, and the requests that it sends. */
export class Producer {
  constructor(target, id) {
    this.target = target;
    this.transactionalId = target.topic(id);
    this.producerId = -1;
    this.producerEpoch = -1;
  }

  get identity() {
    const { transactionalId, producerId, producerEpoch } = this;
    return { transactionalId, producerId, producerEpoch };
  }

  async init(label, version = 5, more = {}) {
    const fields = { transactionalId: this.transactionalId, transactionTimeoutMs: timeoutOf, ...more };
    const answer = await this.target.ask(label, Key.INIT, version, fields);
    if (answer.errorCode === 0)
      Object.assign(this, { producerId: answer.producerId, producerEpoch: answer.producerEpoch });
    return answer;
  }

  /** Whatever is under way has ended when this returns. */
  async complete() {
    for (let i = 0; i < 200; i++) {
      const answer = await this.target.peek(Key.DESCRIBE, 0, { transactionalIds: [this.transactionalId] });
      if (!answer.transactionStates[0].transactionState.startsWith('Prepare')) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error(`the transaction of ${this.transactionalId} does not end`);
  }

  async reinit(label) {
    await this.complete();
    return this.init(label);
  }

  describe(label) {
    return this.target.ask(`${label}, described`, Key.DESCRIBE, 0, { transactionalIds: [this.transactionalId] });
  }

  add(label, version, topics, more = {}) {
    const { transactionalId, producerId, producerEpoch } = { ...this.identity, ...more };
    const fields =
      version < 4
        ? {
            v3AndBelowTransactionalId: transactionalId,
            v3AndBelowProducerId: producerId,
            v3AndBelowProducerEpoch: producerEpoch,
            v3AndBelowTopics: topics,
          }
        : {
            transactions: [
              { transactionalId, producerId, producerEpoch, verifyOnly: more.verifyOnly ?? false, topics },
            ],
          };
    return this.target.ask(label, Key.ADD_PARTITIONS, version, fields);
  }

  addOffsets(label, version, groupId, more = {}) {
    return this.target.ask(label, Key.ADD_OFFSETS, version, { ...this.identity, groupId, ...more });
  }

  async end(label, version, committed, more = {}) {
    const answer = await this.target.ask(label, Key.END, version, { ...this.identity, committed, ...more });
    if (version >= 5 && answer.errorCode === 0) {
      Object.assign(this, { producerId: answer.producerId, producerEpoch: answer.producerEpoch });
    }
    await this.complete();
    return answer;
  }

  produce(
    label,
    version,
    place,
    { sequence = 0, epoch = this.producerEpoch, transactionalId = this.transactionalId } = {},
  ) {
    const records = batchOf(['a record'], () => {}, {
      producerId: this.producerId,
      producerEpoch: epoch,
      baseSequence: sequence,
      transactional: true,
    });
    const topic = version >= 13 ? { topicId: place.id } : { name: place.name };
    const topicData = [{ topicId: zeroUuid, name: '', ...topic, partitionData: [{ index: 0, records }] }];
    return this.target.ask(label, Key.PRODUCE, version, { transactionalId, acks: -1, timeoutMs, topicData });
  }

  commitOffsets(label, version, groupId, place, more = {}) {
    const topic = version >= 6 ? { topicId: place.id, name: '' } : { topicId: zeroUuid, name: place.name };
    const partition = { partitionIndex: 0, committedOffset: 7, committedLeaderEpoch: -1, committedMetadata: 'mark' };
    return this.target.ask(label, Key.TXN_OFFSET_COMMIT, version, {
      ...this.identity,
      groupId,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      groupInstanceId: null,
      topics: [{ ...topic, partitions: [partition] }],
      ...more,
    });
  }
}

/** A topic that is there. */
export async function place(target, topic, partitionCount = 2, configs = {}) {
  const name = target.topic(topic);
  const { topics } = await create(target, `before ${topic}`, [newTopic(name, partitionCount, configs)]);
  await hosted(target, name);
  return { name, id: topics[0].topicId };
}

/** A topic's partitions as AddPartitionsToTxn names them. */
export const partitionsOf = (name, ...partitions) => [{ name, partitions }];
