/**
 * Conversations between clients and a group coordinator: with Millrace they must read as with Apache Kafka
 * (facts/kafka-4.4-group-answers.txt was taken from its version 4.4.0, with group.initial.rebalance.delay.ms=0).
 */

import { Transcript, type Fields } from './transcript.ts';

/** A client's connection to either broker. */
export interface Peer {
  /** Sends a request; fields that are left out have their defaults. */
  call(api: string, version: number, fields: Fields): Promise<Fields>;
  /** Returns once what was sent has been served as far as it can be. */
  pause(): Promise<void>;
}

/** A partition with its offset, metadata and leader epoch. */
type Commit = readonly [partition: number, offset: number, metadata?: string | null, leaderEpoch?: number];

const zeroId = 'A'.repeat(22);
const longText = 'x'.repeat(4096);

/** A consumer's subscription, version 0. */
export function subscription(...topics: string[]): Uint8Array {
  const texts = topics.map((topic) => Buffer.from(topic));
  const parts = texts.map((text) => Buffer.concat([Buffer.from([text.length >> 8, text.length]), text]));
  return new Uint8Array(Buffer.concat([Buffer.from([0, 0, 0, 0, 0, topics.length]), ...parts, Buffer.alloc(4)]));
}

const protocols = (...names: string[]): Fields[] => names.map((name) => ({ name, metadata: subscription('topic') }));

export class Conversation {
  readonly #transcript: Transcript;
  readonly #open: () => Promise<Peer>;
  readonly #prefix: string;
  readonly #topic: string;
  readonly #missingTopic: string;
  #topicId = zeroId;

  /** `prefix` makes the names of groups and topics unique in a broker that has others. */
  constructor(open: () => Promise<Peer>, prefix: string) {
    this.#open = open;
    this.#prefix = prefix;
    this.#transcript = new Transcript(prefix);
    this.#topic = `${prefix}topic`;
    this.#missingTopic = `${prefix}missing`;
  }

  async run(): Promise<string[]> {
    const peer = await this.#open();
    await this.#makeTopic(peer);
    await this.#refusals(peer);
    for (const version of [0, 1, 3, 4, 5, 7, 9]) await this.#alone(peer, version);
    for (const version of [2, 5, 7, 9, 10]) await this.#withoutMembers(peer, version);
    await this.#together(peer);
    for (const version of [5, 8, 9]) await this.#staticMembers(peer, version);
    await this.#offsetsInUse(peer);
    return this.#transcript.lines;
  }

  async #makeTopic(peer: Peer): Promise<void> {
    const name = this.#topic;
    const topics = [{ name, numPartitions: 3, replicationFactor: 1, assignments: [], configs: [] }];
    await peer.call('createTopics', 7, { topics, timeoutMs: 5000 });
    for (;;) {
      const asked = { topics: [{ topicId: zeroId, name }], allowAutoTopicCreation: false };
      const response = await peer.call('metadata', 12, asked);
      const [found] = response['topics'] as { errorCode: number; topicId: string }[];
      this.#topicId = found!.topicId;
      this.#transcript.name(found!.topicId, 'TOPIC ID');
      if (found!.errorCode === 0) return;
      await peer.pause();
    }
  }

  async #refusals(peer: Peer): Promise<void> {
    for (const version of [0, 1, 3, 5, 7, 9]) {
      const [syncVersion, otherVersion] = [Math.min(version, 5), Math.min(version, 4)];
      this.#transcript.title(`refusals, version ${version}`);
      this.#transcript.say('join, empty group', await this.#join(peer, version, { groupId: '' }));
      this.#transcript.say(
        'join, short session',
        await this.#join(peer, version, { groupId: 'a', sessionTimeoutMs: 10 }),
      );
      this.#transcript.say(
        'join, long session',
        await this.#join(peer, version, { groupId: 'a', sessionTimeoutMs: 1e8 }),
      );
      this.#transcript.say('join, unknown member', await this.#join(peer, version, { groupId: 'a', memberId: 'who' }));
      this.#transcript.say(
        'join, no protocols',
        await this.#join(peer, version, { groupId: `b${version}`, protocols: [] }),
      );
      this.#transcript.say(
        'join, no type',
        await this.#join(peer, version, { groupId: `c${version}`, protocolType: '' }),
      );
      const who = { groupId: 'a', memberId: 'who', generationId: 1 };
      this.#transcript.say('sync', await this.#sync(peer, syncVersion, who));
      this.#transcript.say('sync, empty group', await this.#sync(peer, syncVersion, { ...who, groupId: '' }));
      this.#transcript.say('heartbeat', await this.#heartbeat(peer, otherVersion, who));
      this.#transcript.say(
        'heartbeat, empty group',
        await this.#heartbeat(peer, otherVersion, { ...who, groupId: '' }),
      );
      this.#transcript.say('leave', await this.#leave(peer, syncVersion, 'a', ['who'], ['', 'instance']));
      this.#transcript.say('leave, empty group', await this.#leave(peer, syncVersion, '', ['who']));
    }
    const noType = { groupId: '', memberId: 'who', generationId: 1, protocolType: null };
    this.#transcript.say('sync without protocol type', await this.#sync(peer, 5, noType));
    this.#transcript.say('delete offsets, empty group', await this.#deleteOffsets(peer, ''));
    this.#transcript.say('delete offsets, no group', await this.#deleteOffsets(peer, 'a'));
    this.#transcript.say('describe, version 5', await this.#describe(peer, 'a', 5));
    this.#transcript.say('describe, version 6', await this.#describe(peer, 'a', 6));
    this.#transcript.say('list by an unknown type', await this.#list(peer, 5, { typesFilter: ['bogus'] }));
    this.#transcript.say('list by an unknown state', await this.#list(peer, 4, { statesFilter: ['bogus'] }));
  }

  /** One dynamic member, from its first JoinGroup to the deletion of its group. */
  async #alone(peer: Peer, version: number): Promise<void> {
    const groupId = `alone${version}`;
    const [sync, beat, commit] = [Math.min(version, 5), Math.min(version, 4), Math.max(version, 2)];
    this.#transcript.title(`alone, version ${version}`);
    let joined = this.#transcript.say('join', await this.#join(peer, version, { groupId }));
    let memberId = joined['memberId'] as string;
    if (joined['errorCode'] === 79) {
      const early = { groupId, memberId, generationId: 0 };
      this.#transcript.say('heartbeat before joining', await this.#heartbeat(peer, 4, early));
      joined = this.#transcript.say('join with the id', await this.#join(peer, version, { groupId, memberId }));
      memberId = joined['memberId'] as string;
    }
    const me = { groupId, memberId, generationId: 1 };
    const mine = { memberId, generationIdOrMemberEpoch: 1 };
    this.#transcript.say('describe', await this.#describe(peer, groupId));
    this.#transcript.say('heartbeat', await this.#heartbeat(peer, beat, me));
    this.#transcript.say('heartbeat, other generation', await this.#heartbeat(peer, beat, { ...me, generationId: 9 }));
    this.#transcript.say('heartbeat, other member', await this.#heartbeat(peer, beat, { ...me, memberId: 'x' }));
    this.#transcript.say('commit', await this.#commit(peer, commit, groupId, [[0, 1]], mine));
    this.#transcript.say('sync, other generation', await this.#sync(peer, sync, { ...me, generationId: 9 }));
    this.#transcript.say('sync, other member', await this.#sync(peer, sync, { ...me, memberId: 'x' }));
    if (sync === 5) {
      this.#transcript.say('sync, other type', await this.#sync(peer, sync, { ...me, protocolType: 'x' }));
      this.#transcript.say('sync, other protocol', await this.#sync(peer, sync, { ...me, protocolName: 'x' }));
    }
    this.#transcript.say('join again', await this.#join(peer, version, { groupId, memberId }));
    const assignments = [
      { memberId, assignment: new Uint8Array([1, 2, 3]) },
      { memberId: 'ghost', assignment: new Uint8Array([9]) },
    ];
    this.#transcript.say('sync', await this.#sync(peer, sync, { ...me, assignments }));
    this.#transcript.say('sync again', await this.#sync(peer, sync, me));
    this.#transcript.say('describe', await this.#describe(peer, groupId));
    this.#transcript.say(
      'list stable',
      await this.#list(peer, 5, { statesFilter: [' stable'], typesFilter: ['Classic'] }, groupId),
    );
    this.#transcript.say('list empty', await this.#list(peer, 4, { statesFilter: ['Empty'] }, groupId));
    this.#transcript.say('heartbeat', await this.#heartbeat(peer, beat, me));
    const some: Commit[] = [
      [0, 5, 'metadata', 3],
      [7, 1],
      [1, 9],
    ];
    this.#transcript.say('commit', await this.#commit(peer, commit, groupId, some, mine, true));
    this.#transcript.say('commit, nobody', await this.#commit(peer, commit, groupId, [[0, 6]]));
    const other = { ...mine, generationIdOrMemberEpoch: 9 };
    this.#transcript.say('commit, other generation', await this.#commit(peer, commit, groupId, [[0, 6]], other));
    this.#transcript.say('commit, no generation', await this.#commit(peer, commit, groupId, [[0, 6]], { memberId }));
    this.#transcript.say(
      'commit, other member',
      await this.#commit(peer, commit, groupId, [[0, 6]], { ...mine, memberId: 'x' }),
    );
    for (const fetch of [1, 2, 5, 7, 8, 9, 10]) {
      this.#transcript.say(`fetch, version ${fetch}`, await this.#fetch(peer, fetch, groupId, [0, 1, 2]));
      if (fetch > 1) this.#transcript.say('fetch all', await this.#fetch(peer, fetch, groupId, null));
    }
    this.#transcript.say('delete', await peer.call('deleteGroups', 2, { groupsNames: [this.#prefix + groupId] }));
    this.#transcript.say('delete offsets', await this.#deleteOffsets(peer, groupId));
    this.#transcript.say('join, as leader', await this.#join(peer, version, { groupId, memberId }));
    this.#transcript.say('leave', await this.#leave(peer, sync, groupId, [memberId], ['x']));
    this.#transcript.say('describe', await this.#describe(peer, groupId));
    this.#transcript.say('heartbeat', await this.#heartbeat(peer, beat, { ...me, generationId: 2 }));
    this.#transcript.say('sync', await this.#sync(peer, sync, { ...me, generationId: 2 }));
    this.#transcript.say('join', await this.#join(peer, version, { groupId, memberId }));
    const long: Commit[] = [
      [2, 42, longText],
      [1, 7, `${longText}x`],
    ];
    this.#transcript.say('commit, nobody', await this.#commit(peer, commit, groupId, long));
    this.#transcript.say('commit, old member', await this.#commit(peer, commit, groupId, [[2, 43]], mine));
    this.#transcript.say('delete offsets', await this.#deleteOffsets(peer, groupId));
    this.#transcript.say('delete offsets again', await this.#deleteOffsets(peer, groupId));
    this.#transcript.say('fetch', await this.#fetch(peer, 8, groupId, [0, 1]));
    const names = [groupId, groupId, 'a'].map((name) => this.#prefix + name);
    this.#transcript.say('delete', await peer.call('deleteGroups', 2, { groupsNames: names }));
    this.#transcript.say('fetch', await this.#fetch(peer, 8, groupId, null));
    this.#transcript.say('describe', await this.#describe(peer, groupId));
  }

  /** Offsets of somebody who is in no group. */
  async #withoutMembers(peer: Peer, version: number): Promise<void> {
    const groupId = `offsets${version}`;
    const member = { memberId: 'm', generationIdOrMemberEpoch: 3 };
    this.#transcript.title(`without members, version ${version}`);
    this.#transcript.say('commit, member', await this.#commit(peer, version, groupId, [[0, 1]], member));
    const generation = { generationIdOrMemberEpoch: 0 };
    this.#transcript.say('commit, generation 0', await this.#commit(peer, version, groupId, [[0, 1]], generation));
    this.#transcript.say(
      'commit, no such partition',
      await this.#commit(
        peer,
        version,
        groupId,
        [
          [7, 1],
          [-1, 1],
        ],
        member,
        true,
      ),
    );
    this.#transcript.say('commit nothing', await this.#commit(peer, version, groupId, [], member));
    this.#transcript.say(
      'commit',
      await this.#commit(peer, version, groupId, [
        [0, 1, null, 7],
        [1, -5],
      ]),
    );
    this.#transcript.say(
      'commit, named',
      await this.#commit(peer, version, groupId, [[2, 2, '']], { memberId: 'somebody' }),
    );
    if (version >= 7) {
      const instance = { groupInstanceId: 'somebody' };
      this.#transcript.say('commit, instance', await this.#commit(peer, version, groupId, [[2, 3]], instance));
    }
    this.#transcript.say('commit, generation 0', await this.#commit(peer, version, groupId, [[0, 9]], generation));
    this.#transcript.say('fetch', await this.#fetch(peer, 7, groupId, null));
    this.#transcript.say('fetch', await this.#fetch(peer, 10, groupId, [0, 1, 2]));
    this.#transcript.say('describe', await this.#describe(peer, groupId));
    this.#transcript.say('list', await this.#list(peer, 5, {}, groupId));
    this.#transcript.say('delete', await peer.call('deleteGroups', 3, { groupsNames: [this.#prefix + groupId] }));
  }

  /** Two dynamic members. */
  async #together(peer: Peer): Promise<void> {
    const groupId = 'together';
    const other = await this.#open();
    const join = (from: Peer, fields: Fields): Promise<Fields> => this.#join(from, 5, { groupId, ...fields });
    const beat = (memberId: string, generationId: number): Promise<Fields> =>
      this.#heartbeat(peer, 3, { groupId, memberId, generationId });
    const sync = (from: Peer, memberId: string, generationId: number, ...to: string[]): Promise<Fields> =>
      this.#sync(from, 3, { groupId, memberId, generationId, assignments: assignTo(to) });
    this.#transcript.title('together');
    const one = (await join(peer, {}))['memberId'] as string;
    this.#transcript.say('one joins', await join(peer, { memberId: one }));
    await sync(peer, one, 1, one);
    this.#transcript.say('another type', await join(other, { protocolType: 'connect' }));
    this.#transcript.say('another protocol', await join(other, { protocols: protocols('other') }));
    const two = (await join(other, {}))['memberId'] as string;
    this.#transcript.say('describe', await this.#describe(peer, groupId));
    const both = { memberId: two, protocols: protocols('roundrobin', 'range') };
    const joining = join(other, both);
    await peer.pause();
    this.#transcript.say('one beats', await beat(one, 1));
    this.#transcript.say('one syncs', await sync(peer, one, 1));
    const mine = { memberId: one, generationIdOrMemberEpoch: 1 };
    this.#transcript.say('one commits', await this.#commit(peer, 7, groupId, [[0, 11]], mine));
    this.#transcript.say('describe', await this.#describe(peer, groupId));
    this.#transcript.say('one joins again', await join(peer, { memberId: one }));
    this.#transcript.say('two has joined', await joining);
    this.#transcript.say('two beats', await beat(two, 2));
    const syncing = sync(other, two, 2);
    await peer.pause();
    this.#transcript.say('one syncs', await sync(peer, one, 2, one, two));
    this.#transcript.say('two has synced', await syncing);
    this.#transcript.say('two joins unchanged', await join(other, both));
    const changed = join(other, { memberId: two });
    await peer.pause();
    this.#transcript.say('one beats', await beat(one, 2));
    this.#transcript.say('one joins', await join(peer, { memberId: one }));
    this.#transcript.say('two has joined', await changed);
    const interrupted = sync(other, two, 3);
    await peer.pause();
    const metadata = subscription('topic', 'another');
    const leader = join(peer, { memberId: one, protocols: [{ name: 'range', metadata }] });
    this.#transcript.say('two is interrupted', await interrupted);
    this.#transcript.say('two joins', await join(other, { memberId: two }));
    this.#transcript.say('one has joined', await leader);
    this.#transcript.say('two leaves twice', await this.#leave(peer, 4, groupId, [two], [two]));
    this.#transcript.say('one beats', await beat(one, 4));
    this.#transcript.say('one joins', await join(peer, { memberId: one }));
    const three = (await join(other, {}))['memberId'] as string;
    this.#transcript.say('an id with an instance', await join(other, { memberId: three, groupInstanceId: 'i' }));
    this.#transcript.say('the id leaves', await this.#leave(other, 4, groupId, [three]));
    this.#transcript.say('the id joins', await join(other, { memberId: three }));
  }

  async #staticMembers(peer: Peer, version: number): Promise<void> {
    const groupId = `static${version}`;
    const [other, third] = [await this.#open(), await this.#open()];
    const join = (from: Peer, groupInstanceId: string, memberId = '', fields: Fields = {}): Promise<Fields> =>
      this.#join(from, version, { groupId, groupInstanceId, memberId, ...fields });
    const sync = (from: Peer, groupInstanceId: string, joined: Fields, ...to: string[]): Promise<Fields> => {
      const { memberId, generationId } = joined as { memberId: string; generationId: number };
      const fields = { groupId, groupInstanceId, memberId, generationId, assignments: assignTo(to) };
      return this.#sync(from, Math.min(version, 5), fields);
    };
    const idOf = (joined: Fields): string => joined['memberId'] as string;
    this.#transcript.title(`static members, version ${version}`);
    this.#transcript.say('unknown id', await join(peer, 'i', 'who'));
    const first = this.#transcript.say('i joins', await join(peer, 'i'));
    this.#transcript.say('another instance', await join(peer, 'other', idOf(first)));
    this.#transcript.say('i syncs', await sync(peer, 'i', first, idOf(first)));
    const second = this.#transcript.say('i is back', await join(other, 'i'));
    this.#transcript.say('describe', await this.#describe(peer, groupId));
    const old = { groupId, memberId: idOf(first), generationId: 1 };
    this.#transcript.say('old id beats', await this.#heartbeat(peer, 4, { ...old, groupInstanceId: 'i' }));
    this.#transcript.say('old id beats alone', await this.#heartbeat(peer, 4, old));
    this.#transcript.say('old id joins', await join(peer, 'i', idOf(first)));
    this.#transcript.say('old id syncs', await sync(peer, 'i', first));
    const mine = { memberId: idOf(first), groupInstanceId: 'i', generationIdOrMemberEpoch: 1 };
    this.#transcript.say('old id commits', await this.#commit(peer, 7, groupId, [[0, 1]], mine));
    this.#transcript.say(
      'old id leaves',
      await this.#leave(peer, 4, groupId, [idOf(first), 'i'], ['', 'nobody'], ['']),
    );
    this.#transcript.say('i syncs', await sync(other, 'i', second));
    const joining = join(third, 'j');
    await peer.pause();
    const i2 = this.#transcript.say('i is back in a rebalance', await join(other, 'i'));
    const j2 = this.#transcript.say('j has joined', await joining);
    const syncing = sync(third, 'j', j2);
    await peer.pause();
    const back = join(peer, 'j');
    this.#transcript.say('j is fenced', await syncing);
    const again = join(third, 'j');
    this.#transcript.say('j is fenced again', await back);
    const i3 = this.#transcript.say('i joins', await join(other, 'i', idOf(i2)));
    const j3 = this.#transcript.say('j has joined', await again);
    const waiting = sync(third, 'j', j3);
    await peer.pause();
    this.#transcript.say('i syncs', await sync(other, 'i', i3, idOf(i3), idOf(j3)));
    this.#transcript.say('j has synced', await waiting);
    this.#transcript.say('j is back', await join(peer, 'j'));
    this.#transcript.say('both are taken out', await this.#leave(peer, 5, groupId, ['', 'i'], ['', 'j']));
    this.#transcript.say('describe', await this.#describe(peer, groupId));
  }

  async #offsetsInUse(peer: Peer): Promise<void> {
    this.#transcript.title('offsets in use');
    const connect = await this.#join(peer, 3, { groupId: 'connect', protocolType: 'connect' });
    this.#transcript.say('delete offsets', await this.#deleteOffsets(peer, 'connect'));
    const worker = { groupId: 'connect', memberId: connect['memberId'], generationId: 1 };
    this.#transcript.say('sync', await this.#sync(peer, 3, worker));
    this.#transcript.say('describe', await this.#describe(peer, 'connect'));
    this.#transcript.say('delete offsets', await this.#deleteOffsets(peer, 'connect'));
    const protocol = { name: 'range', metadata: subscription('another', this.#topic) };
    const { memberId } = await this.#join(peer, 3, { groupId: 'consumers', protocols: [protocol] });
    this.#transcript.say('delete offsets', await this.#deleteOffsets(peer, 'consumers'));
    await this.#sync(peer, 3, { groupId: 'consumers', memberId, generationId: 1 });
    this.#transcript.say('delete offsets', await this.#deleteOffsets(peer, 'consumers'));
    const garbage = { name: 'range', metadata: new Uint8Array([0, 0, 0, 0, 0, 9]) };
    await this.#join(peer, 3, { groupId: 'unreadable', protocols: [garbage] });
    this.#transcript.say('delete offsets', await this.#deleteOffsets(peer, 'unreadable'));
  }

  #join(peer: Peer, version: number, { groupId, ...fields }: Fields): Promise<Fields> {
    const defaults = { sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000, groupInstanceId: null, reason: null };
    const request = { ...defaults, memberId: '', protocolType: 'consumer', protocols: protocols('range'), ...fields };
    return peer.call('joinGroup', version, { ...request, groupId: this.#named(groupId) });
  }

  #sync(peer: Peer, version: number, { groupId, ...fields }: Fields): Promise<Fields> {
    const defaults = { protocolType: 'consumer', protocolName: 'range', groupInstanceId: null };
    return peer.call('syncGroup', version, { ...defaults, ...fields, groupId: this.#named(groupId) });
  }

  #heartbeat(peer: Peer, version: number, { groupId, ...fields }: Fields): Promise<Fields> {
    return peer.call('heartbeat', version, { groupInstanceId: null, ...fields, groupId: this.#named(groupId) });
  }

  #leave(peer: Peer, version: number, groupId: string, ...who: [id: string, instance?: string][]): Promise<Fields> {
    const members = who.map(([memberId, groupInstanceId = null]) => ({ memberId, groupInstanceId, reason: null }));
    return peer.call('leaveGroup', version, { groupId: this.#named(groupId), memberId: who[0]![0], members });
  }

  #commit(
    peer: Peer,
    version: number,
    groupId: string,
    commits: readonly Commit[],
    committer: Fields = {},
    withMissing = false,
  ): Promise<Fields> {
    const partitions = commits.map(([partitionIndex, committedOffset, metadata = null, committedLeaderEpoch = -1]) => ({
      partitionIndex,
      committedOffset,
      committedMetadata: metadata,
      committedLeaderEpoch,
    }));
    const topics = [{ name: this.#topic, topicId: this.#topicId, partitions }];
    const missing = { name: this.#missingTopic, topicId: `${'A'.repeat(19)}BBA`, partitions };
    const defaults = { generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null, retentionTimeMs: -1 };
    const all = commits.length === 0 ? [] : withMissing ? [...topics, missing] : topics;
    return peer.call('offsetCommit', version, {
      ...defaults,
      ...committer,
      groupId: this.#named(groupId),
      topics: all,
    });
  }

  #fetch(peer: Peer, version: number, group: string, partitionIndexes: number[] | null): Promise<Fields> {
    const groupId = this.#named(group);
    const names = [
      { name: this.#topic, topicId: this.#topicId, partitionIndexes },
      { name: this.#missingTopic, topicId: `${'A'.repeat(19)}BBA`, partitionIndexes },
    ];
    const topics = partitionIndexes === null ? null : names;
    if (version < 8) return peer.call('offsetFetch', version, { groupId, topics });
    const groups = [{ groupId, memberId: null, memberEpoch: -1, topics }];
    return peer.call('offsetFetch', version, { groups, requireStable: true });
  }

  #describe(peer: Peer, groupId: string, version = 6): Promise<Fields> {
    return peer.call('describeGroups', version, { groups: [this.#named(groupId)], includeAuthorizedOperations: true });
  }

  async #list(peer: Peer, version: number, filters: Fields, only = ''): Promise<Fields> {
    const response = await peer.call('listGroups', version, filters);
    const groups = response['groups'] as { groupId: string }[];
    return { ...response, groups: groups.filter(({ groupId }) => groupId === this.#named(only)) };
  }

  #deleteOffsets(peer: Peer, groupId: string): Promise<Fields> {
    const partitions = [{ partitionIndex: 0 }, { partitionIndex: 9 }];
    const topics = [this.#topic, this.#missingTopic].map((name) => ({ name, partitions }));
    return peer.call('offsetDelete', 0, { groupId: this.#named(groupId), topics });
  }

  #named(groupId: unknown): string {
    return groupId === '' ? '' : `${this.#prefix}${String(groupId)}`;
  }
}

function assignTo(memberIds: readonly string[]): Fields[] {
  return memberIds.map((memberId, i) => ({ memberId, assignment: new Uint8Array([i + 1]) }));
}
