/**
 * One change to a share group: it holds in memory at once, and its records are collected to be written together. I/O
 * thread. It does not write (share-run.ts) nor decide.
 */

import type { Uuid } from '../../../base/uuid.ts';
import type { KeyedRecord } from '../../keyed-batch.ts';
import type { GroupEpochs } from '../consumer/consumer-group.ts';
import type { Partitions } from '../consumer/partitions.ts';
import type { ShareGroup } from './share-group.ts';
import { sameShareMember, type ShareMember } from './share-member.ts';
import {
  partitionRecord,
  placeName,
  placeNamed,
  shareEpochsRecord,
  shareKeys,
  shareMemberRecord,
  shareTargetRecord,
  type SharePlace,
} from './share-records.ts';
import { unreadPartition } from './stored-partition.ts';

export class ShareEdit {
  readonly group: ShareGroup;
  readonly records: KeyedRecord[] = [];

  constructor(group: ShareGroup) {
    this.group = group;
  }

  putMember(member: ShareMember): void {
    const before = this.group.members.get(member.id);
    if (before === member) return;
    this.group.putMember(member);
    if (before === undefined || !sameShareMember(before, member)) {
      this.records.push(shareMemberRecord(this.group.id, member));
    }
  }

  removeMember(memberId: string): void {
    this.records.push(...memberRemovals(this.group, memberId));
    this.group.removeMember(memberId);
  }

  putTarget(memberId: string, partitions: Partitions): void {
    this.group.putTarget(memberId, partitions);
    this.records.push(shareTargetRecord(this.group.id, memberId, partitions));
    for (const [topicId, indexes] of partitions) {
      for (const partition of indexes) this.#putPartition({ topicId, partition });
    }
  }

  setEpochs(changed: Partial<GroupEpochs>): void {
    const epochs = { ...this.group.epochs, ...changed };
    this.group.setEpochs(epochs);
    this.records.push(shareEpochsRecord(this.group.id, epochs));
  }

  /** The group goes on there; at -1 as one that has not read the partition. */
  setStart(place: SharePlace, startOffset: number): void {
    this.group.partitions.add(placeName(place));
    this.records.push(partitionRecord(this.group.id, place, { ...unreadPartition, startOffset }));
  }

  removePartition(name: string): void {
    this.group.partitions.delete(name);
    this.records.push({ key: shareKeys.of('partition', this.group.id, name), value: null });
  }

  /** A partition that the group has not read from before is known from now on. */
  #putPartition(place: SharePlace): void {
    const name = placeName(place);
    if (this.group.partitions.has(name)) return;
    this.group.partitions.add(name);
    this.records.push(partitionRecord(this.group.id, place, unreadPartition));
  }
}

/** The records that take all of the group away. */
export function shareGroupRemovals(group: ShareGroup): KeyedRecord[] {
  const removals = [...group.members.keys()].flatMap((memberId) => memberRemovals(group, memberId));
  for (const name of group.partitions) removals.push({ key: shareKeys.of('partition', group.id, name), value: null });
  return [...removals, { key: shareKeys.of('epochs', group.id), value: null }];
}

/** The names of the group's partitions of the topic. */
export function namesIn(group: ShareGroup, topicId: Uuid): string[] {
  return [...group.partitions].filter((name) => placeNamed(name).topicId === topicId);
}

function memberRemovals(group: ShareGroup, memberId: string): KeyedRecord[] {
  const removals: KeyedRecord[] = [{ key: shareKeys.of('member', group.id, memberId), value: null }];
  if (group.targets.has(memberId)) removals.push({ key: shareKeys.of('target', group.id, memberId), value: null });
  return removals;
}
