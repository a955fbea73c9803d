/** A member of a share group (KIP-932) as the oracle's scenarios drive it, and what it reads. */

import { coordinated } from './oracle-group-member.mjs';
import {
  batchOf,
  create,
  hosted,
  newTopic,
  Operation,
  Resource,
  settled,
  timeoutMs,
  zeroUuid,
} from './oracle-requests.mjs';

export const Key = {
  PRODUCE: 0,
  LIST: 16,
  DELETE: 42,
  CONFIGS: 44,
  BEAT: 76,
  DESCRIBE: 77,
  FETCH: 78,
  ACKNOWLEDGE: 79,
};
export const Type = { GAP: 0, ACCEPT: 1, RELEASE: 2, REJECT: 3, RENEW: 4 };
export const noTopic = `${'A'.repeat(20)}Zg`;
export const idOf = (number) => `3f2504e0-4f89-11d3-9a0c-0305e82c330${number}`;

/** Kafka prepares partitions for a group once a member has joined, and begins another epoch when it has. */
const withoutEpoch = (answer) => ({ ...answer, memberEpoch: answer.memberEpoch > 0 ? '<epoch>' : answer.memberEpoch });
export const described = (answer) => ({
  ...answer,
  groups: answer.groups.map((group) => ({
    ...group,
    groupEpoch: group.groupEpoch > 0 ? '<epoch>' : group.groupEpoch,
    assignmentEpoch: group.assignmentEpoch > 0 ? '<epoch>' : group.assignmentEpoch,
    members: group.members.map(withoutEpoch),
  })),
});

/** A batch of the log comes as a whole, of which not all may be acquired: that it comes is compared. Topics have no order. */
export const withoutBytes = ({ responses, ...answer }) => ({
  ...answer,
  responses: responses
    .toSorted((a, b) => a.partitions[0].partitionIndex - b.partitions[0].partitionIndex)
    .map((topic) => ({
      ...topic,
      partitions: topic.partitions
        .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
        .map(({ acknowledgeErrorMessage: _sentence, ...partition }) => ({
          ...partition,
          records: partition.records.length > 0,
        })),
    })),
});

/** Where a range ends that goes on as the next hangs on what each broker keeps of batches that it has read. */
export const withJoinedRanges = (answer) => ({
  ...answer,
  responses: answer.responses.map((topic) => ({
    ...topic,
    partitions: topic.partitions.map(({ acquiredRecords, ...partition }) => ({
      ...partition,
      acquiredRecords: acquiredRecords.reduce((joined, range) => {
        const last = joined.at(-1);
        const goesOn = last?.lastOffset === range.firstOffset - 1 && last.deliveryCount === range.deliveryCount;
        return goesOn ? [...joined.slice(0, -1), { ...last, lastOffset: range.lastOffset }] : [...joined, range];
      }, []),
    })),
  })),
});

export class ShareMember {
  /** What of a fetch is compared. */
  part = withoutBytes;
  epoch = 0;
  sessionEpoch = 0;

  constructor(target, groupId, topics, number = 1) {
    Object.assign(this, { target, groupId, topics, memberId: idOf(number) });
  }

  get #who() {
    return { groupId: this.groupId, memberId: this.memberId };
  }

  /** Joins, and stays until it has something to read, which is not compared; then joins again. */
  async join(label) {
    const fields = { ...this.#who, memberEpoch: 0, rackId: null, subscribedTopicNames: this.topics };
    for (let tries = 0; tries < 100; tries++) {
      const { assignment } = await this.target.peek(Key.BEAT, 1, fields);
      if (assignment !== null && assignment.topicPartitions.length > 0) break;
      await settled();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return this.beat(label, { memberEpoch: 0, subscribedTopicNames: this.topics });
  }

  async beat(label, more = {}) {
    const fields = { ...this.#who, memberEpoch: this.epoch, rackId: null, subscribedTopicNames: null, ...more };
    const answer = await this.target.ask(label, Key.BEAT, 1, fields, withoutEpoch);
    if (answer.errorCode === 0) this.epoch = answer.memberEpoch;
    return answer;
  }

  async fetch(label, topics = [], more = {}, version = 2) {
    const fields = {
      ...this.#who,
      shareSessionEpoch: this.sessionEpoch,
      maxWaitMs: 0,
      minBytes: 0,
      maxBytes: 1_000_000,
      maxRecords: 500,
      batchSize: 500,
      shareAcquireMode: 0,
      isRenewAck: false,
      topics,
      forgottenTopicsData: [],
      ...more,
    };
    const answer = await this.target.ask(label, Key.FETCH, version, fields, this.part);
    if (answer.errorCode === 0) this.sessionEpoch++;
    return answer;
  }

  /** Kafka opens a share partition while the first fetch is answered: it is asked until there are records. */
  async begin(label, topics) {
    for (let tries = 0; tries < 100; tries++) {
      const fields = {
        ...this.#who,
        shareSessionEpoch: 0,
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 1_000_000,
        maxRecords: 1,
      };
      const more = { batchSize: 1, shareAcquireMode: 1, isRenewAck: false, topics, forgottenTopicsData: [] };
      const { responses } = await this.target.peek(Key.FETCH, 2, { ...fields, ...more });
      const partitions = responses.flatMap((topic) => topic.partitions);
      if (partitions.some(({ acquiredRecords }) => acquiredRecords.length > 0)) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // What was acquired meanwhile comes back with the session's end.
    await this.target.peek(Key.FETCH, 2, {
      ...{ ...this.#who, shareSessionEpoch: -1, maxWaitMs: 0, minBytes: 0, maxBytes: 0, maxRecords: 0, batchSize: 1 },
      ...{ shareAcquireMode: 0, isRenewAck: false, topics: [], forgottenTopicsData: [] },
    });
    this.sessionEpoch = 0;
    await settled();
    return this.fetch(label, topics);
  }

  async acknowledge(label, topics, more = {}, version = 2) {
    const fields = { ...this.#who, shareSessionEpoch: this.sessionEpoch, isRenewAck: false, topics, ...more };
    const answer = await this.target.ask(label, Key.ACKNOWLEDGE, version, fields);
    if (answer.errorCode === 0) this.sessionEpoch++;
    return answer;
  }
}

/** A topic with three records in its first partition, and a group that begins with the earliest. */
export async function prepared(target, name, partitionCount = 2, settings = {}) {
  const topic = target.topic(name);
  const groupId = target.topic(`${name}-group`);
  const { topics } = await create(target, 'before', [newTopic(topic, partitionCount, settings)]);
  await hosted(target, topic);
  await coordinated(target, groupId);
  const configs = [{ name: 'share.auto.offset.reset', configOperation: Operation.SET, value: 'earliest' }];
  await target.peek(Key.CONFIGS, 1, {
    resources: [{ resourceType: Resource.GROUP, resourceName: groupId, configs }],
    validateOnly: false,
  });
  await settled();
  const { topicId } = topics[0];
  const produce = (texts, index = 0) => {
    const partitionData = [{ index, records: batchOf(texts) }];
    const topicData = [{ topicId: zeroUuid, name: topic, partitionData }];
    return target.peek(Key.PRODUCE, 9, { transactionalId: null, acks: -1, timeoutMs, topicData });
  };
  await produce(['one', 'two', 'three']);
  const of = (acknowledgementBatches = [], partitionIndex = 0, id = topicId) => [
    { topicId: id, partitions: [{ partitionIndex, acknowledgementBatches }] },
  ];
  return { topic, topicId, groupId, produce, of };
}

export const batch = (firstOffset, lastOffset, ...acknowledgeTypes) => ({ firstOffset, lastOffset, acknowledgeTypes });
