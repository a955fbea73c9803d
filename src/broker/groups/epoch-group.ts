/**
 * What groups of the newer protocols are made of alike (KIP-848, KIP-932, KIP-1071): members, a target for each, and the
 * epochs of both, as plain data that keeps its counts consistent. I/O thread. How they run stands in member-run.ts.
 */

import { assert, present } from '../../base/assert.ts';
import type { MemberMemory } from './classic-group.ts';

/** What the group's own record says, at least. */
export interface TargetEpochs {
  readonly epoch: number;
  /** Of the target assignment; never ahead of `epoch`. */
  readonly assignmentEpoch: number;
}

export abstract class EpochGroup<Member extends { readonly id: string }, Target, Epochs extends TargetEpochs> {
  readonly id: string;
  /** What the group holds, for as long as it is used. */
  protected readonly memory: MemberMemory;
  readonly #members = new Map<string, Member>();
  readonly #targets = new Map<string, Target>();
  readonly #noTarget: Target;
  #epochs: Epochs;
  /** The version of the topics (`TopicView.version`) of which the metadata hash was taken; -1 for one of an earlier run. */
  hashedVersion = -1;

  protected constructor(id: string, memory: MemberMemory, epochs: Epochs, noTarget: Target) {
    this.id = id;
    this.memory = memory;
    this.#epochs = epochs;
    this.#noTarget = noTarget;
  }

  /** What a member takes in memory, in bytes, roughly. */
  protected abstract sizeOf(member: Member): number;

  /** The member is in from here on, as it is. */
  protected abstract entered(member: Member): void;

  /** The member, as it was, is not in any more. */
  protected abstract left(member: Member): void;

  get members(): ReadonlyMap<string, Member> {
    return this.#members;
  }

  get targets(): ReadonlyMap<string, Target> {
    return this.#targets;
  }

  get epochs(): Epochs {
    return this.#epochs;
  }

  get epoch(): number {
    return this.#epochs.epoch;
  }

  get assignmentEpoch(): number {
    return this.#epochs.assignmentEpoch;
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  targetOf(memberId: string): Target {
    return this.#targets.get(memberId) ?? this.#noTarget;
  }

  hasTarget(memberId: string): boolean {
    return this.#targets.has(memberId);
  }

  /** Takes a member in, or what is new about one that is there. */
  putMember(member: Member): void {
    const before = this.#members.get(member.id);
    if (before !== undefined) this.#takeOut(before);
    this.#members.set(member.id, member);
    this.memory.sizeBytes += this.sizeOf(member);
    this.entered(member);
  }

  /** Takes a member out, with its target. */
  removeMember(memberId: string): void {
    this.#takeOut(present(this.#members.get(memberId), 'the member is there'));
    this.#members.delete(memberId);
    this.#targets.delete(memberId);
  }

  putTarget(memberId: string, target: Target): void {
    this.#targets.set(memberId, target);
  }

  setEpochs(epochs: Epochs): void {
    assert(epochs.assignmentEpoch <= epochs.epoch, 'a target is for an epoch that has begun');
    this.#epochs = epochs;
  }

  /** Gives back what it takes in memory; the group is not used any more. */
  release(): void {
    for (const member of this.#members.values()) this.memory.sizeBytes -= this.sizeOf(member);
    this.#members.clear();
  }

  #takeOut(member: Member): void {
    this.memory.sizeBytes -= this.sizeOf(member);
    this.left(member);
  }
}
