/** A member of a classic group as the oracle's scenarios drive it, and what such members say of themselves in bytes. */

/** A classic member as a scenario drives it; its id, which the broker makes up, is masked in what is compared. */
export class ClassicMember {
  memberId = '';
  generation = -1;
  #ids = new Map();

  constructor(target, groupId, topics, { instanceId = null, name = 'classic' } = {}) {
    Object.assign(this, { target, groupId, topics, instanceId, name });
  }

  /** The ids are those of all members, where several are in the answers. */
  get mask() {
    return (answer) => masked(answer, this.#ids);
  }

  async join(label, { owned = [], version = 9, protocols = ['cooperative-sticky'] } = {}) {
    const fields = {
      groupId: this.groupId,
      memberId: this.memberId,
      groupInstanceId: this.instanceId,
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 30_000,
      protocolType: 'consumer',
      protocols: protocols.map((name) => ({ name, metadata: subscriptionOf(this.topics, owned) })),
      reason: null,
    };
    const answer = await this.target.ask(label, 11, version, fields, (given) => {
      if (given.memberId !== '') this.#ids.set(given.memberId, `<${this.name}>`);
      return masked(given, this.#ids);
    });
    if (answer.memberId !== '') this.memberId = answer.memberId;
    if (answer.errorCode === 0) this.generation = answer.generationId;
    return answer.errorCode === 79 ? this.join(`${label}, with id`, { owned, version, protocols }) : answer;
  }

  sync(label, assignments = [], version = 5) {
    return this.#ask(label, 14, version, {
      generationId: this.generation,
      protocolType: 'consumer',
      protocolName: 'cooperative-sticky',
      assignments,
    });
  }

  heartbeat(label, generationId = this.generation) {
    return this.#ask(label, 12, 4, { generationId });
  }

  leave(label) {
    const members = [{ memberId: this.memberId, groupInstanceId: this.instanceId, reason: null }];
    return this.target.ask(label, 13, 5, { groupId: this.groupId, members }, this.mask);
  }

  #ask(label, apiKey, version, fields) {
    const { groupId, memberId, instanceId: groupInstanceId } = this;
    return this.target.ask(label, apiKey, version, { groupId, memberId, groupInstanceId, ...fields }, this.mask);
  }
}

/** Bytes as text, and made up ids by their names. */
export function masked(value, ids) {
  if (value instanceof Uint8Array)
    return Buffer.from(value)
      .toString('latin1')
      .replaceAll(/oracle-\w+-/g, '');
  if (Array.isArray(value)) return value.map((item) => masked(item, ids));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, masked(item, ids)]));
  }
  return ids.get(value) ?? value;
}

const text = (value) => {
  const bytes = Buffer.from(value);
  const size = Buffer.alloc(2);
  size.writeInt16BE(bytes.length);
  return Buffer.concat([size, bytes]);
};
const int32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const partitionList = (all) =>
  Buffer.concat([
    int32(all.length),
    ...all.flatMap(([topic, partitions]) => [text(topic), int32(partitions.length), ...partitions.map(int32)]),
  ]);

/** A subscription of version 1; `owned` are pairs of topic and partitions. */
export const subscriptionOf = (topics, owned = []) =>
  Buffer.concat([Buffer.from([0, 1]), int32(topics.length), ...topics.map(text), int32(-1), partitionList(owned)]);

export const assignmentOf = (all) => Buffer.concat([Buffer.from([0, 1]), partitionList(all), int32(-1)]);
