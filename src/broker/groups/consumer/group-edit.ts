/**
 * One change to a consumer group: it holds in memory at once, and its records are collected to be written together. I/O
 * thread. It does not write (consumer-run.ts) nor decide.
 */

import type { KeyedRecord } from '../../keyed-batch.ts';
import type { ConsumerGroup, GroupEpochs } from './consumer-group.ts';
import { newConsumerMember, sameIdentity, sameProgress, type ConsumerMember } from './consumer-member.ts';
import {
  consumerKeys,
  epochsRecord,
  identityRecord,
  progressRecord,
  regexRecord,
  targetRecord,
} from './consumer-records.ts';
import type { Partitions } from './partitions.ts';
import type { ResolvedRegex } from './topic-subscriptions.ts';

export class GroupEdit {
  readonly group: ConsumerGroup;
  readonly records: KeyedRecord[];

  /** `records` are written first, in the same batch. */
  constructor(group: ConsumerGroup, records: readonly KeyedRecord[] = []) {
    this.group = group;
    this.records = [...records];
  }

  putMember(member: ConsumerMember): void {
    const { group } = this;
    const before = group.members.get(member.id);
    if (before === member) return;
    group.putMember(member);
    if (before === undefined || !sameIdentity(before, member)) {
      this.records.push(identityRecord(group.id, member.id, member));
    }
    if (!sameProgress(before ?? newConsumerMember(member.id), member)) {
      this.records.push(progressRecord(group.id, member.id, member));
    }
  }

  removeMember(memberId: string): void {
    this.records.push(...memberRemovals(this.group, memberId));
    this.group.removeMember(memberId);
  }

  putTarget(memberId: string, partitions: Partitions): void {
    this.group.putTarget(memberId, partitions);
    this.records.push(targetRecord(this.group.id, memberId, partitions));
  }

  setEpochs(changed: Partial<GroupEpochs>): void {
    const epochs = { ...this.group.epochs, ...changed };
    this.group.setEpochs(epochs);
    this.records.push(epochsRecord(this.group.id, epochs));
  }

  putRegex(regex: string, resolved: ResolvedRegex): void {
    this.group.subscriptions.putResolved(regex, resolved);
    this.records.push(regexRecord(this.group.id, regex, resolved));
  }

  removeRegex(regex: string): void {
    if (!this.group.subscriptions.resolved.has(regex)) return;
    this.group.subscriptions.removeResolved(regex);
    this.records.push(removal(consumerKeys.of('regex', this.group.id, regex)));
  }
}

/** The records that take all of the group away. */
export function groupRemovals(group: ConsumerGroup): KeyedRecord[] {
  const removals = [...group.members.keys()].flatMap((memberId) => memberRemovals(group, memberId));
  for (const regex of group.subscriptions.resolved.keys()) {
    removals.push(removal(consumerKeys.of('regex', group.id, regex)));
  }
  return [...removals, removal(consumerKeys.of('epochs', group.id))];
}

/** The records that make all of the group, where there is nothing of it yet. */
export function groupRecords(group: ConsumerGroup): KeyedRecord[] {
  const records = [epochsRecord(group.id, group.epochs)];
  for (const member of group.members.values()) {
    records.push(
      identityRecord(group.id, member.id, member),
      progressRecord(group.id, member.id, member),
      targetRecord(group.id, member.id, group.targetOf(member.id)),
    );
  }
  return records;
}

function memberRemovals(group: ConsumerGroup, memberId: string): KeyedRecord[] {
  const removals = [
    removal(consumerKeys.of('progress', group.id, memberId)),
    removal(consumerKeys.of('identity', group.id, memberId)),
  ];
  if (group.targets.has(memberId)) removals.push(removal(consumerKeys.of('target', group.id, memberId)));
  return removals;
}

function removal(key: Uint8Array): KeyedRecord {
  return { key, value: null };
}
