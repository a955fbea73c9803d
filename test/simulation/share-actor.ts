/**
 * A member of a share group in a simulated run: joins, fetches, says what became of what it has, now and then renews it,
 * keeps it too long, says something of it that it must not, begins its session anew, leaves, or vanishes. Single thread.
 *
 *   heartbeat ─► fetch (with acknowledgements of before, or without) ─► acknowledge some, keep the others …
 *
 * What it was promised is judged by share-ledger.ts. `drain` is a member that accepts all that there is.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import {
  shareAcknowledgeApi,
  shareFetchApi,
  shareGroupHeartbeatApi,
  type ShareFetchResponse,
} from '../../src/protocol/generated/index.ts';
import { batchSizeAt } from '../../src/records/record-batch.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { shareLockMs, type Hold, type Settlement, type ShareOutcome } from './share-ledger.ts';
import { sharePartitionCount, type ShareStream } from './share-stream.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { World } from './world.ts';

/** As the world's settings have it. */
const sessionTimeoutMs = 1000;
const heartbeatEveryMs = 150;
const firstVersionWithRenewal = 2;
const joiningEpoch = 0;
const leavingEpoch = -1;
const firstSessionEpoch = 0;
const Type = { accept: 1, release: 2, reject: 3, renew: 4 } as const;

/** A record that the member has, or had. */
interface Held extends Hold {
  readonly partition: number;
  readonly offset: number;
}

interface Batch {
  readonly partition: number;
  readonly held: readonly Held[];
  readonly what: Settlement | 'renew';
}

type PartitionAcknowledgements = {
  partitionIndex: number;
  acknowledgementBatches: { firstOffset: number; lastOffset: number; acknowledgeTypes: number[] }[];
};

export class ShareActor {
  readonly #world: World;
  readonly #stream: ShareStream;
  readonly #name: string;
  #incarnation = 0;
  #memberEpoch = joiningEpoch;
  #sessionEpoch = firstSessionEpoch;
  /** When the last heartbeat was sent that was answered, in virtual milliseconds. */
  #beatMs = 0;
  #nextBeatMs = 0;
  #held: Held[] = [];
  #lastGivenMs = 0;
  #drains = false;

  constructor(world: World, stream: ShareStream, name: string) {
    this.#world = world;
    this.#stream = stream;
    this.#name = name;
  }

  /** Is a member, again and again, until the world ends. */
  async run(): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    let client: SimulatedClient | null = null;
    while (!world.isEnding) {
      client = await this.#connected(client);
      const isMember = await this.#beatWhereDue(client);
      if (isMember) {
        if (!(await this.#fetch(client))) this.#sessionEpoch = firstSessionEpoch;
        else if (random.chance(0.7)) await this.#acknowledge(client);
      }
      if (isMember && random.chance(0.01)) await this.#leave(client);
      else if (random.chance(0.01)) this.#vanish(client);
      await world.sleep(random.chance(0.05) ? shareLockMs + random.below(200) : random.below(60), this.#name);
    }
    client?.cut();
  }

  /** Accepts all that is given out, until nothing has come for longer than a lock lasts. */
  async drain(): Promise<void> {
    const world = this.#world;
    this.#drains = true;
    let client: SimulatedClient | null = null;
    this.#lastGivenMs = world.scheduler.nowMs;
    while (world.scheduler.nowMs < this.#lastGivenMs + shareLockMs * 2) {
      client = await this.#connected(client);
      if ((await this.#beatWhereDue(client)) && (await this.#fetch(client))) await this.#acknowledge(client);
      else this.#sessionEpoch = firstSessionEpoch;
      await world.sleep(50, this.#name);
    }
    client?.cut();
  }

  get #memberId(): string {
    return `${this.#name}-${this.#incarnation}`;
  }

  async #connected(client: SimulatedClient | null): Promise<SimulatedClient> {
    if (client?.isOpen === true) return client;
    // What it had it may still say something of; whether it still has it is another matter.
    this.#sessionEpoch = firstSessionEpoch;
    return this.#world.connect(this.#name);
  }

  async #beatWhereDue(client: SimulatedClient): Promise<boolean> {
    const world = this.#world;
    const { nowMs } = world.scheduler;
    if (this.#memberEpoch !== joiningEpoch && nowMs < this.#nextBeatMs) return true;
    const isJoining = this.#memberEpoch === joiningEpoch;
    const response = await client.request(
      shareGroupHeartbeatApi,
      {
        groupId: this.#stream.name,
        memberId: this.#memberId,
        memberEpoch: this.#memberEpoch,
        rackId: null,
        subscribedTopicNames: isJoining ? [this.#stream.topicName] : null,
      },
      client.version(shareGroupHeartbeatApi),
    );
    if (response === null) return false;
    if (response.errorCode !== ErrorCode.NONE) {
      world.count(`share heartbeat: ${errorName(response.errorCode)}`);
      // Whoever is no member any more has nothing; a group that is not there yet is joined.
      this.#giveUp();
      return false;
    }
    if (isJoining) world.count('joined a share group');
    if (response.memberEpoch < this.#memberEpoch) {
      world.breakPromise(`${this.#memberId} went back to an earlier epoch`);
    }
    this.#memberEpoch = response.memberEpoch;
    this.#beatMs = nowMs;
    this.#nextBeatMs = nowMs + heartbeatEveryMs;
    return true;
  }

  /** One fetch, at times with acknowledgements; false where the session is to begin anew. */
  async #fetch(client: SimulatedClient): Promise<boolean> {
    const world = this.#world;
    const { random, nowMs: askedMs } = world.scheduler;
    const version = client.version(shareFetchApi);
    const isFirst = this.#sessionEpoch === firstSessionEpoch;
    const batches = isFirst || this.#drains || random.chance(0.6) ? [] : this.#choose(false);
    const tell = this.#tellLedger(batches, askedMs);
    const acknowledged = this.#partitionsOf(batches);
    const every = Array.from({ length: sharePartitionCount }, (_, partitionIndex) => ({
      partitionIndex,
      acknowledgementBatches: [],
    }));
    const partitions = isFirst ? every : acknowledged;
    const response = await client.request(
      shareFetchApi,
      {
        groupId: this.#stream.name,
        memberId: this.#memberId,
        shareSessionEpoch: this.#sessionEpoch,
        maxWaitMs: random.below(100),
        minBytes: 1,
        maxBytes: random.chance(0.2) ? 200 : 10_000,
        maxRecords: 1 + random.below(10),
        batchSize: 1 + random.below(10),
        shareAcquireMode: version >= 2 ? random.below(2) : 0,
        isRenewAck: false,
        topics: partitions.length === 0 ? [] : [{ topicId: this.#stream.topicId, partitions }],
        forgottenTopicsData: [],
      },
      version,
    );
    if (response === null) this.#stream.ledger.answerLost();
    if (response === null || response.errorCode !== ErrorCode.NONE) {
      tell(() => (response === null ? 'unknown' : 'refused'));
      if (response !== null) world.count(`share fetch: ${errorName(response.errorCode)}`);
      return false;
    }
    this.#sessionEpoch++;
    tell((partition) => outcomeOf(acknowledgeErrorIn(response, partition)));
    this.#take(response, client, askedMs);
    return true;
  }

  async #acknowledge(client: SimulatedClient): Promise<void> {
    const world = this.#world;
    const { random, nowMs: sentMs } = world.scheduler;
    const version = client.version(shareAcknowledgeApi);
    const mayRenew = version >= firstVersionWithRenewal && !this.#drains && random.chance(0.2);
    const batches = this.#choose(mayRenew);
    if (batches.length === 0) return;
    // Out of turn now and then: nothing of that may be taken.
    const isForged = !this.#drains && random.chance(0.03);
    const tell = this.#tellLedger(isForged ? [] : batches, sentMs);
    const response = await client.request(
      shareAcknowledgeApi,
      {
        groupId: this.#stream.name,
        memberId: this.#memberId,
        shareSessionEpoch: isForged ? this.#sessionEpoch + 7 : this.#sessionEpoch,
        isRenewAck: mayRenew,
        topics: [{ topicId: this.#stream.topicId, partitions: this.#partitionsOf(batches) }],
      },
      version,
    );
    if (isForged) {
      if (response?.errorCode === ErrorCode.NONE)
        world.breakPromise(`${this.#memberId} may use an epoch that it forged`);
      return;
    }
    if (response === null || response.errorCode !== ErrorCode.NONE) {
      tell(() => (response === null ? 'unknown' : 'refused'));
      if (response !== null) world.count(`share acknowledge: ${errorName(response.errorCode)}`);
      this.#sessionEpoch = firstSessionEpoch;
      return;
    }
    this.#sessionEpoch++;
    const results = response.responses[0]?.partitions ?? [];
    tell((partition) => {
      const errorCode = results.find(({ partitionIndex }) => partitionIndex === partition)?.errorCode;
      if (errorCode !== ErrorCode.NONE && errorCode !== undefined) {
        world.count(`share acknowledge: ${errorName(errorCode)}`);
      }
      return outcomeOf(errorCode ?? ErrorCode.NONE);
    });
  }

  /** What is to be said now, of some of what the member has: one thing of all that it has of a partition, or of a part. */
  #choose(mayRenew: boolean): Batch[] {
    const { random } = this.#world.scheduler;
    const batches: Batch[] = [];
    for (let partition = 0; partition < sharePartitionCount; partition++) {
      const all = this.#held.filter((held) => held.partition === partition).toSorted((a, b) => a.offset - b.offset);
      const isPrefix = random.chance(0.5);
      const held = this.#drains
        ? all
        : isPrefix
          ? all.slice(0, random.below(all.length + 1))
          : all.filter(() => random.chance(0.3));
      if (held.length === 0) continue;
      const what = mayRenew ? 'renew' : this.#drains || random.chance(0.65) ? 'accept' : this.#chooseOther();
      batches.push({ partition, held, what });
      if (what !== 'renew') this.#held = this.#held.filter((one) => !held.includes(one));
    }
    return batches;
  }

  #chooseOther(): Settlement {
    return this.#world.scheduler.random.chance(0.7) ? 'release' : 'reject';
  }

  /** Says the ledger what is being said; the returned function says it what came of that, by partition. */
  #tellLedger(
    batches: readonly Batch[],
    sentMs: number,
  ): (outcomeOfPartition: (partition: number) => ShareOutcome) => void {
    const { ledger } = this.#stream;
    const telling = batches.map(({ partition, held, what }) => {
      if (what !== 'renew') return { partition, held, what, tell: ledger.settles(held, what, sentMs) };
      // From here on the lock may be the old or the new one.
      for (const hold of held) hold.overMs = Infinity;
      return { partition, held, what, tell: null };
    });
    return (outcomeOfPartition) => {
      const { nowMs } = this.#world.scheduler;
      for (const { partition, held, what, tell } of telling) {
        const outcome = outcomeOfPartition(partition);
        this.#world.count(`share ${what}: ${outcome}`);
        this.#world.scheduler.note(`${what} of ${held.map(({ value }) => value).join(' ')}: ${outcome}`);
        if (tell !== null) tell(outcome, nowMs);
        else if (outcome === 'answered')
          for (const hold of held) ledger.renewed(hold, sentMs, this.#untilMs(sentMs), nowMs);
      }
    };
  }

  #partitionsOf(batches: readonly Batch[]): PartitionAcknowledgements[] {
    return batches.map(({ partition, held, what }) => ({
      partitionIndex: partition,
      acknowledgementBatches: held.map(({ offset }) => ({
        firstOffset: offset,
        lastOffset: offset,
        acknowledgeTypes: [Type[what]],
      })),
    }));
  }

  #take(response: ShareFetchResponse, client: SimulatedClient, askedMs: number): void {
    const { nowMs } = this.#world.scheduler;
    const memberId = this.#memberId;
    for (const { partitions } of response.responses) {
      for (const { partitionIndex: partition, errorCode, records, acquiredRecords } of partitions) {
        if (errorCode !== ErrorCode.NONE) this.#world.count(`share fetch of a partition: ${errorName(errorCode)}`);
        for (const { offset, value } of recordsIn(records)) {
          const range = acquiredRecords.find((one) => one.firstOffset <= offset && offset <= one.lastOffset);
          if (range === undefined) continue;
          const held: Held = {
            member: memberId,
            value,
            partition,
            offset,
            count: range.deliveryCount,
            askedMs,
            sinceMs: nowMs,
            untilMs: this.#untilMs(askedMs),
            overMs: nowMs + shareLockMs,
            isCertain: true,
            isOpen: () => client.isOpen && this.#memberId === memberId,
          };
          this.#stream.ledger.given(held);
          // What it had of the record before does not count any more.
          this.#held = this.#held.filter((one) => one.partition !== partition || one.offset !== offset);
          this.#held.push(held);
          this.#world.scheduler.note(`${memberId} is given ${value}×${held.count}`);
          this.#lastGivenMs = nowMs;
          this.#world.count(range.deliveryCount > 1 ? 'share records given again' : 'share records given');
        }
      }
    }
  }

  /** Until when nobody else may have what was asked for then: its lock, or the member's session, may end. */
  #untilMs(askedMs: number): number {
    return Math.min(askedMs + shareLockMs, this.#beatMs + sessionTimeoutMs);
  }

  async #leave(client: SimulatedClient): Promise<void> {
    const world = this.#world;
    const memberId = this.#memberId;
    this.#giveUp();
    const leaving = { groupId: this.#stream.name, memberId, memberEpoch: leavingEpoch };
    await client.request(
      shareGroupHeartbeatApi,
      { ...leaving, rackId: null, subscribedTopicNames: null },
      client.version(shareGroupHeartbeatApi),
    );
    world.count('left a share group');
    await world.sleep(world.scheduler.random.below(500), this.#name);
  }

  /** It is gone without a word; another takes its place. */
  #vanish(client: SimulatedClient): void {
    this.#giveUp();
    client.cut();
    this.#world.count('vanished from a share group');
  }

  #giveUp(): void {
    for (const held of this.#held) held.isCertain = false;
    this.#held = [];
    this.#memberEpoch = joiningEpoch;
    this.#sessionEpoch = firstSessionEpoch;
    this.#incarnation++;
  }
}

function acknowledgeErrorIn({ responses }: ShareFetchResponse, partition: number): number {
  const found = responses[0]?.partitions.find(({ partitionIndex }) => partitionIndex === partition);
  return found?.acknowledgeErrorCode ?? ErrorCode.NONE;
}

/** What an error says of an acknowledgement: one that is not taken changes nothing, a log that fails leaves it open. */
function outcomeOf(errorCode: number): ShareOutcome {
  if (errorCode === ErrorCode.NONE) return 'answered';
  return errorCode === ErrorCode.INVALID_RECORD_STATE || errorCode === ErrorCode.INVALID_REQUEST
    ? 'refused'
    : 'unknown';
}

function recordsIn(bytes: Uint8Array): { readonly offset: number; readonly value: string }[] {
  const records: { offset: number; value: string }[] = [];
  for (let at = 0, size = 0; (size = batchSizeAt(bytes, at, bytes.length)) > 0; at += size) {
    const reader = new RecordReader(bytes, at, at + size);
    while (reader.next()) {
      records.push({ offset: reader.offset, value: Buffer.from(reader.value ?? []).toString('latin1') });
    }
  }
  return records;
}
