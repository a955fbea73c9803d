/**
 * A member of a group of one of the newer protocols in a simulated run, whatever it is given: joins, hears what it has, gives
 * up what it is told to, sometimes leaves for good or for a while, sleeps too long or vanishes. Single thread.
 *
 *   join ─► heartbeat … ─► fenced, unknown, cut off: give up all, join again
 *
 * Who owns what is judged by ownership-ledger.ts. What it says and is told is its protocol's (reconciling-actor.ts,
 * streams-actor.ts).
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { World } from './world.ts';

export const heartbeatIntervalMs = 100;

/** Whoever is answered so is no member any more. */
const fences: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.FENCED_MEMBER_EPOCH,
  ErrorCode.FENCED_INSTANCE_ID,
  ErrorCode.UNRELEASED_INSTANCE_ID,
]);

export interface EpochMemberOptions {
  /** Of groups, as counts have it. */
  readonly kind: 'consumer' | 'streams';
  readonly group: string;
  readonly name: string;
  readonly isStatic: boolean;
  /** As the world's settings have it. */
  readonly sessionTimeoutMs: number;
  /** Fences of this kind alone. */
  readonly otherFences?: readonly number[];
}

interface Heartbeat {
  readonly errorCode: number;
  readonly memberEpoch: number;
}

export abstract class EpochMember<Response extends Heartbeat> {
  protected readonly world: World;
  protected readonly options: EpochMemberOptions;
  protected epoch = 0;
  /** Whether the broker has not heard yet what the member has. */
  protected mustTell = false;
  /** Its last heartbeat was not answered: whatever the answer said, it has not heard. */
  protected isUnheard = false;
  #incarnation = 0;

  constructor(world: World, options: EpochMemberOptions) {
    this.world = world;
    this.options = options;
  }

  /** Sends a heartbeat with what is to be said. */
  protected abstract send(client: SimulatedClient, isJoining: boolean): Promise<Response | null>;

  /** Sends the heartbeat of a member that leaves. */
  protected abstract sayGoodbye(client: SimulatedClient, memberEpoch: number): Promise<unknown>;

  /** Takes over what it is assigned. What it has no more is given up before the broker hears of it. */
  protected abstract take(response: Response): void;

  /** What it owns, as the ledger knows it. */
  protected abstract places(): Iterable<string>;

  /** It owns nothing from here on. */
  protected abstract forget(): void;

  /** Something beside heartbeats; after one that was answered. */
  protected async work(_client: SimulatedClient): Promise<void> {}

  protected get memberId(): string {
    return `${this.options.name}-${this.#incarnation}`;
  }

  protected get instanceId(): string | null {
    return this.options.isStatic ? this.options.name : null;
  }

  /** Is a member, again and again, until the world ends. */
  async run(): Promise<void> {
    const { world } = this;
    const { name, sessionTimeoutMs } = this.options;
    const { random } = world.scheduler;
    let client: SimulatedClient | null = null;
    while (!world.isEnding) {
      if (client?.isOpen !== true) client = await world.connect(name);
      const isHeard = await this.beat(client);
      if (isHeard) await this.work(client);
      if (isHeard && random.chance(0.02)) await this.leave(client);
      else if (random.chance(0.01)) this.#vanish(client);
      await world.sleep(random.chance(0.02) ? sessionTimeoutMs * 2 : this.#pauseMs(), name);
    }
    client?.cut();
  }

  /** One heartbeat; whether the broker took it. */
  protected async beat(client: SimulatedClient): Promise<boolean> {
    const { world } = this;
    const { kind, sessionTimeoutMs } = this.options;
    const sentMs = world.scheduler.nowMs;
    const isJoining = this.epoch === 0;
    const response = await this.send(client, isJoining);
    this.isUnheard = response === null;
    if (response === null) return false;
    if (response.errorCode !== ErrorCode.NONE) {
      world.count(`${kind} heartbeat: ${errorName(response.errorCode as ErrorCode)}`);
      this.#refused(response.errorCode);
      return false;
    }
    if (isJoining) world.count(`joined a ${kind} group`);
    if (response.memberEpoch < this.epoch) world.breakPromise(`${this.memberId} went back to an earlier epoch`);
    this.epoch = response.memberEpoch;
    this.mustTell = false;
    this.take(response);
    for (const place of this.places()) {
      const untilMs = sentMs + sessionTimeoutMs;
      const problem = world.ownership.claim(place, this.memberId, untilMs, world.scheduler.nowMs);
      if (problem !== null) world.breakPromise(problem);
    }
    return true;
  }

  protected async leave(client: SimulatedClient): Promise<void> {
    const { world } = this;
    const { kind, isStatic, name } = this.options;
    const { random } = world.scheduler;
    const memberEpoch = isStatic && random.chance(0.7) ? -2 : -1;
    this.#giveUp();
    await this.sayGoodbye(client, memberEpoch);
    this.#incarnation++;
    world.count(memberEpoch === -2 ? `paused in a ${kind} group` : `left a ${kind} group`);
    await world.sleep(random.below(500), name);
  }

  #pauseMs(): number {
    return heartbeatIntervalMs / 2 + this.world.scheduler.random.below(heartbeatIntervalMs);
  }

  #refused(errorCode: number): void {
    if (!fences.has(errorCode) && this.options.otherFences?.includes(errorCode) !== true) return;
    this.#giveUp();
    if (errorCode === ErrorCode.FENCED_INSTANCE_ID || errorCode === ErrorCode.UNRELEASED_INSTANCE_ID) {
      this.#incarnation++;
    }
  }

  #giveUp(): void {
    for (const place of this.places()) this.world.ownership.release(place, this.memberId);
    this.forget();
    this.epoch = 0;
    this.mustTell = false;
  }

  /** It is gone without a word; another takes its place. */
  #vanish(client: SimulatedClient): void {
    this.#giveUp();
    client.cut();
    this.#incarnation++;
    this.world.count(`vanished from a ${this.options.kind} group`);
  }
}
