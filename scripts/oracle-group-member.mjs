/** What the oracle's members of consumer groups and of streams groups have in common, and what scenarios do with both. */

import { settled } from './oracle-requests.mjs';

/** Targets are made at most once in `group.consumer.assignment.interval.ms`, and so are those of streams groups. */
export const assignable = () => new Promise((resolve) => setTimeout(resolve, 1100));

/**
 * A member as a scenario drives it; it remembers its epoch and what it has. A kind of member has `key`, `part` (what of
 * an answer is compared), `absent` (the fields that say that nothing has changed), `joining`, `owned` and `take`.
 */
export class GroupMember {
  epoch = 0;

  constructor(target, version, groupId, memberId, described = {}) {
    Object.assign(this, { target, version, groupId, memberId, described });
  }

  join(label, more = {}) {
    this.epoch = 0;
    return this.beat(label, { ...this.joining, ...this.described, ...more });
  }

  /** With nothing but the member's epoch, or with what has changed. */
  async beat(label, more = {}) {
    const { target, version, groupId, memberId, epoch, described } = this;
    const { instanceId = null } = described;
    const fields = { groupId, memberId, memberEpoch: epoch, instanceId, ...this.absent, ...more };
    const answer = await target.ask(label, this.key, version, fields, this.part);
    if (answer.errorCode === 0) {
      this.epoch = answer.memberEpoch;
      this.take(answer);
    }
    return answer;
  }

  /** Says what it has: what it was told to have. */
  ack(label) {
    return this.beat(label, this.owned);
  }

  leave(label, epoch = -1) {
    return this.beat(label, { memberEpoch: epoch });
  }
}

/** Waits until the coordinator answers for the group: a fresh Kafka first makes the topic that its groups are kept in. */
export async function coordinated(target, groupId) {
  for (let tries = 0; tries < 100; tries++) {
    await target.peek(10, 0, { key: groupId });
    const { errorCode } = await target.peek(9, 7, { groupId, topics: [] });
    if (errorCode === 0) return;
    await settled();
  }
}

/** Member ids in the order in which assignors take them. */
export const idOf = (number) => `${'A'.repeat(20)}${number}A`;

/** Heartbeats of a member that has all, and of one that has not joined. */
export async function wrongEpochs(first, second) {
  await first.beat('nothing new');
  await first.beat('epoch ahead', { memberEpoch: 9 });
  await first.beat('epoch behind', { memberEpoch: 1 });
  await second.beat('unknown member', { memberEpoch: 2 });
  await second.leave('leave unknown member');
}

/** Two members go, one comes back, and their group is deleted. `describeGroup` asks what the group is like. */
export async function untilDeleted(first, second, describeGroup) {
  await first.leave('first leaves');
  await describeGroup('first left');
  await second.beat('second hears');
  await second.ack('second has all');
  await second.leave('second leaves');
  await describeGroup('empty');
  await first.join('first joins the empty group');
  await first.join('first joins again');
  await first.leave('first leaves at last');
  await first.target.ask(`deleted, ${first.version}`, 42, 3, { groupsNames: [first.groupId] });
  await describeGroup('deleted');
}
