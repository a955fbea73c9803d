import { describe, expect, it } from 'vitest';
import { ErrorCode, errorName } from '../../../src/base/error-code.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import type { TopicImage } from '../../../src/broker/metadata-image.ts';
import { stateLogConfig } from '../../../src/broker/state-log.ts';
import { stateLogTopics } from '../../../src/broker/topic-name.ts';
import type { JoinGroupResponse } from '../../../src/protocol/generated/index.ts';
import { lastOffsetAt } from '../../../src/records/record-batch.ts';
import { BrokerHarness } from '../broker-harness.ts';
import { settle, TestMember } from './test-member.ts';

/**
 * Members that behave as consumers do, while time passes, members come, leave, crash, hang and are replaced, and the
 * broker crashes and starts again on what was durable. Whatever happens: a generation has one leader, one protocol and
 * one set of members, an assignment has one owner, an old generation commits nothing, and what a group committed is
 * what is read. When it becomes quiet, all members are in one stable generation.
 */

const tickMs = 500;
const heartbeatMs = 3000;
const partitionCount = 4;

/** What was told to members about one generation; a broker that starts anew may use its number again. */
interface Generation {
  leaderId: string | null;
  protocolName: string | null;
  readonly memberIds: Set<string>;
  readonly assignedTo: Map<number, string>;
}

class World {
  readonly random: SeededRandom;
  readonly members = new Set<RandomMember>();
  /** The offset that each partition has for sure, and those that a commit without an answer may have left. */
  readonly committed = new Map<number, Set<number>>();
  readonly failures: string[] = [];
  harness!: BrokerHarness;
  topic!: TopicImage;
  epoch = 0;
  nextOffset = 1;
  newestGeneration = 0;
  isQuiet = false;
  generations = new Map<number, Generation>();
  #nowMs = 0;
  #endConnections: () => void = () => {};
  #connectionsEnd: Promise<never> = new Promise(() => {});
  readonly #sleeping: { readonly atMs: number; readonly wake: () => void }[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  async start(): Promise<void> {
    this.#connect();
    this.harness = await BrokerHarness.open();
    this.topic = await this.harness.createTopic('topic', partitionCount);
  }

  /** The broker is gone as with a power cut, and another starts on its store; the members' connections end. */
  async crash(): Promise<void> {
    this.epoch++;
    const { store } = this.harness;
    this.#endConnections();
    this.#connect();
    for (const member of this.members) member.member.connection.close();
    store.held = null;
    const log = store.open(stateLogTopics.groups, `${'A'.repeat(21)}g`, 0, stateLogConfig);
    log.batches = log.batches.filter((batch) => lastOffsetAt(batch, 0) < log.highWatermark);
    log.endOffset = log.highWatermark;
    this.harness = await BrokerHarness.open({ store, seed: this.random.nextUint32() });
    this.generations = new Map();
    this.newestGeneration = 0;
    for (const member of this.members) {
      member.member.harness = this.harness;
      member.member.connection = this.harness.connect();
    }
    await settle();
  }

  /** The response, unless the broker crashes before. */
  answer<Response>(response: Promise<Response>): Promise<Response> {
    return Promise.race([response, this.#connectionsEnd]);
  }

  #connect(): void {
    this.#connectionsEnd = new Promise((_, reject) => {
      this.#endConnections = () => reject(new Error('the connection has ended'));
    });
    this.#connectionsEnd.catch(() => {});
  }

  sleep(ms: number): Promise<void> {
    return new Promise((wake) => this.#sleeping.push({ atMs: this.#nowMs + ms, wake }));
  }

  async tick(): Promise<void> {
    this.#nowMs += tickMs;
    this.harness.clock.advance(tickMs);
    for (const sleeper of this.#sleeping.splice(0)) {
      if (sleeper.atMs <= this.#nowMs) sleeper.wake();
      else this.#sleeping.push(sleeper);
    }
    await settle();
    await settle();
  }

  add(instanceId?: string): void {
    const member = new RandomMember(this, instanceId);
    this.members.add(member);
    void member.live();
  }

  generationOf(number: number): Generation {
    let generation = this.generations.get(number);
    if (generation === undefined) {
      generation = { leaderId: null, protocolName: null, memberIds: new Set(), assignedTo: new Map() };
      this.generations.set(number, generation);
    }
    return generation;
  }

  fail(what: string): void {
    this.failures.push(what);
  }
}

type MemberState = 'alive' | 'hanging' | 'gone';

class RandomMember {
  readonly member: TestMember;
  readonly #world: World;
  state: MemberState = 'alive';
  isStable = false;
  assignment = -1;

  constructor(world: World, instanceId?: string) {
    this.#world = world;
    const protocolNames = world.random.chance(0.5) ? ['range', 'sticky'] : ['sticky', 'range'];
    const options = { sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 15_000, protocolNames };
    this.member = new TestMember(
      world.harness,
      'group',
      instanceId === undefined ? options : { ...options, instanceId },
    );
  }

  /** As a consumer: joins, syncs, beats and commits, until it is gone. A connection that ends makes it start again. */
  async live(): Promise<void> {
    while (!this.#isGone()) {
      const { epoch } = this.#world;
      this.isStable = false;
      try {
        if (await this.#joinAndSync(epoch)) await this.#work(epoch);
      } catch (error) {
        // The response was given up with the connection; anything else is a defect.
        if (this.#world.epoch === epoch && this.state === 'alive') this.#world.fail(String(error));
      }
      if (!this.#isGone()) await this.#world.sleep(tickMs);
    }
  }

  async crash(): Promise<void> {
    this.state = 'gone';
    this.isStable = false;
    this.member.connection.close();
  }

  async leave(): Promise<void> {
    this.state = 'gone';
    this.isStable = false;
    const errorCode = await this.#world.answer(this.member.leave()).catch(() => ErrorCode.NONE);
    if (errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.UNKNOWN_MEMBER_ID) {
      if (errorCode !== ErrorCode.FENCED_INSTANCE_ID) this.#world.fail(`leave: ${errorName(errorCode)}`);
    }
  }

  async #joinAndSync(epoch: number): Promise<boolean> {
    const joined = await this.#world.answer(this.member.join());
    if (this.#isOver(epoch)) return false;
    if (joined.errorCode !== ErrorCode.NONE) return this.#refused('join', joined.errorCode);
    this.#checkGeneration(joined);
    if (!this.#world.isQuiet && this.#world.random.chance(0.1))
      await this.#world.sleep(this.#world.random.below(20_000));
    if (this.#isOver(epoch)) return false;
    const synced = await this.#world.answer(this.member.sync());
    if (this.#isOver(epoch)) return false;
    if (synced.errorCode !== ErrorCode.NONE) return this.#refused('sync', synced.errorCode);
    if (synced.protocolName !== joined.protocolName) this.#world.fail('the protocol changed between join and sync');
    this.assignment = synced.assignment[0] ?? -1;
    const { assignedTo } = this.#world.generationOf(this.member.generation);
    const owner = assignedTo.get(this.assignment);
    // A static member that came back has the place of the one it replaced.
    const isReplaced = this.member.options.instanceId !== undefined;
    if (this.assignment >= 0 && owner !== undefined && owner !== this.member.id && !isReplaced) {
      this.#world.fail(`${owner} and ${this.member.id} both own ${this.assignment}`);
    }
    assignedTo.set(this.assignment, this.member.id);
    this.isStable = true;
    return true;
  }

  #checkGeneration({ generationId, leader, protocolName, members }: JoinGroupResponse): void {
    const world = this.#world;
    world.newestGeneration = Math.max(world.newestGeneration, generationId);
    const generation = world.generationOf(generationId);
    const hasStatic = [...world.members].some(({ member }) => member.options.instanceId !== undefined);
    generation.leaderId ??= leader;
    generation.protocolName ??= protocolName;
    if (generation.leaderId !== leader && !hasStatic) world.fail(`two leaders in generation ${generationId}`);
    if (generation.protocolName !== protocolName) world.fail(`two protocols in generation ${generationId}`);
    if (members.length === 0) return;
    if (new Set(members.map(({ memberId }) => memberId)).size !== members.length) world.fail('a member twice');
    for (const { memberId } of members) generation.memberIds.add(memberId);
    if (!members.some(({ memberId }) => memberId === this.member.id)) world.fail('the leader is no member');
  }

  async #work(epoch: number): Promise<void> {
    for (;;) {
      await this.#world.sleep(this.state === 'hanging' ? 20_000 : heartbeatMs);
      if (this.#isOver(epoch)) return;
      if (this.#world.random.chance(0.5)) await this.#commit();
      if (this.#isOver(epoch)) return;
      if (this.#world.random.chance(0.1)) await this.#speakOutOfTurn();
      if (this.#isOver(epoch)) return;
      const errorCode = await this.#world.answer(this.member.heartbeat());
      if (this.#isOver(epoch)) return;
      if (errorCode !== ErrorCode.NONE) {
        this.#refused('heartbeat', errorCode);
        return;
      }
    }
  }

  /** Says something in the name of the generation before, as a client whose parts do not agree. */
  async #speakOutOfTurn(): Promise<void> {
    const { member } = this;
    const world = this.#world;
    const { generation } = member;
    member.generation = generation - 1;
    const speak = [
      () => member.heartbeat(),
      async () => (await member.sync()).errorCode,
      () => member.commit(world.topic, 0, 0),
    ];
    const speaking = speak[world.random.below(speak.length)]!();
    member.generation = generation;
    const errorCode = await world.answer(speaking);
    if (errorCode === ErrorCode.NONE) world.fail(`generation ${generation - 1} was heard in generation ${generation}`);
  }

  async #commit(): Promise<void> {
    const world = this.#world;
    const partition = world.random.below(partitionCount);
    const offset = world.nextOffset++;
    const possible = world.committed.get(partition) ?? new Set([-1]);
    world.committed.set(partition, possible.add(offset));
    const isOld = this.member.generation !== world.newestGeneration;
    const errorCode = await world.answer(this.member.commit(world.topic, partition, offset));
    if (errorCode !== ErrorCode.NONE) {
      if (!retriable.has(errorCode)) world.fail(`commit: ${errorName(errorCode)}`);
      world.committed.get(partition)!.delete(offset);
      return;
    }
    // Commits come one after the other here, so this one replaced what was there; those that came since are possible.
    const since = [...world.committed.get(partition)!].filter((other) => other >= offset);
    world.committed.set(partition, new Set(since));
    if (isOld) world.fail(`generation ${this.member.generation} commits in generation ${world.newestGeneration}`);
  }

  #refused(what: string, errorCode: number): false {
    this.isStable = false;
    if (!retriable.has(errorCode)) this.#world.fail(`${what}: ${errorName(errorCode)}`);
    const isStatic = this.member.options.instanceId !== undefined;
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.member.id = '';
    // Another took its instance id, which is then its own no more.
    if (isStatic && errorCode === ErrorCode.FENCED_INSTANCE_ID) {
      this.state = 'gone';
      this.#world.members.delete(this);
    }
    return false;
  }

  #isGone(): boolean {
    return this.state === 'gone';
  }

  #isOver(epoch: number): boolean {
    return this.#isGone() || this.#world.epoch !== epoch;
  }
}

const retriable: ReadonlySet<number> = new Set([
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.FENCED_INSTANCE_ID,
  ErrorCode.NOT_COORDINATOR,
]);

async function chaos(world: World, steps: number, crashes: boolean): Promise<void> {
  const { random } = world;
  for (let step = 0; step < steps; step++) {
    const any = [...world.members][random.below(Math.max(world.members.size, 1))];
    const dice = random.below(100);
    if (dice < 12 && world.members.size < 8) world.add(random.chance(0.3) ? `i${random.below(3)}` : undefined);
    else if (dice < 16) remove(world, any, 'crash');
    else if (dice < 20) remove(world, any, 'leave');
    else if (dice < 23 && any !== undefined) any.state = any.state === 'alive' ? 'hanging' : any.state;
    else if (dice < 30 && any?.state === 'hanging') any.state = 'alive';
    else if (dice < 34) world.harness.store.held ??= [];
    else if (dice < 36 && crashes) await world.crash();
    await world.tick();
    if (random.chance(0.5)) world.harness.store.finishHeld();
    await settle();
  }
}

function remove(world: World, member: RandomMember | undefined, how: 'crash' | 'leave'): void {
  if (member === undefined) return;
  world.members.delete(member);
  void member[how]();
}

async function becomeQuiet(world: World): Promise<void> {
  world.isQuiet = true;
  world.harness.store.finishHeld();
  for (const member of world.members) if (member.state === 'hanging') member.state = 'alive';
  if (world.members.size === 0) world.add();
  for (let i = 0; i < 240; i++) {
    await world.tick();
    world.harness.store.finishHeld();
  }
}

describe.each([
  { crashes: false, first: 1 },
  { crashes: true, first: 1001 },
])('random members, broker crashes: $crashes', ({ crashes, first }) => {
  it.each(Array.from({ length: 30 }, (_, i) => first + i))('seed %i', async (seed) => {
    const world = new World(seed);
    await world.start();
    await chaos(world, 250, crashes);
    await becomeQuiet(world);
    expect(world.failures).toEqual([]);
    const members = [...world.members];
    expect(members.map(({ isStable }) => isStable)).toEqual(members.map(() => true));
    expect(new Set(members.map(({ member }) => member.generation)).size).toBe(1);
    const owned = members.map(({ assignment }) => assignment).toSorted((a, b) => a - b);
    expect(owned).toEqual(members.map((_, i) => i));
    for (const [partition, possible] of world.committed) {
      const place = { topicId: world.topic.id, partition };
      expect(possible).toContain(world.harness.broker.groups.commits.get('group', place)?.offset ?? -1);
    }
    for (const { member } of members) expect(await member.leave()).toBe(ErrorCode.NONE);
    expect(world.harness.broker.groups.find('group')?.group.state).toBe('Empty');
    await world.harness.broker.close();
    expect(world.harness.clock.pendingCount).toBe(0);
  });
});
