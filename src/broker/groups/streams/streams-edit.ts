/**
 * One change to a streams group: it holds in memory at once, and its records are collected to be written together. I/O
 * thread. It does not write (member-run.ts) nor decide.
 */

import type { KeyedRecord } from '../../keyed-batch.ts';
import type { StreamsEpochs, StreamsGroup } from './streams-group.ts';
import { newStreamsMember, sameStreamsIdentity, sameStreamsProgress, type StreamsMember } from './streams-member.ts';
import {
  streamsEpochsRecord,
  streamsIdentityRecord,
  streamsKeys,
  streamsProgressRecord,
  streamsTargetRecord,
  type StreamsRecordPart,
} from './streams-records.ts';
import type { Tasks } from './tasks.ts';
import type { Topology } from './topology.ts';

export class StreamsEdit {
  readonly records: KeyedRecord[];
  readonly #group: StreamsGroup;

  /** `records` are written first, in the same batch. */
  constructor(group: StreamsGroup, records: readonly KeyedRecord[] = []) {
    this.#group = group;
    this.records = [...records];
  }

  setTopology(topology: Topology): void {
    const group = this.#group;
    group.setTopology(topology);
    this.records.push({ key: streamsKeys.of('topology', group.id), value: group.topologyBytes });
  }

  setEpochs(changed: Partial<StreamsEpochs>): void {
    const group = this.#group;
    group.setEpochs({ ...group.epochs, ...changed });
    this.records.push(streamsEpochsRecord(group.id, group.epochs));
  }

  putMember(member: StreamsMember): void {
    const group = this.#group;
    const known = group.members.get(member.id);
    if (known === member) return;
    group.putMember(member);
    const before = known ?? newStreamsMember(member.id);
    const isNew = known === undefined;
    if (isNew || !sameStreamsIdentity(before, member)) {
      this.records.push(streamsIdentityRecord(group.id, member.id, member));
    }
    if (!sameStreamsProgress(before, member)) this.records.push(streamsProgressRecord(group.id, member.id, member));
  }

  putTarget(memberId: string, tasks: Tasks): void {
    const group = this.#group;
    group.putTarget(memberId, tasks);
    this.records.push(streamsTargetRecord(group.id, memberId, tasks));
  }

  removeMember(memberId: string): void {
    this.records.push(...memberRemovals(this.#group, memberId));
    this.#group.removeMember(memberId);
  }
}

/** The records that take all of the group away. */
export function streamsRemovals(group: StreamsGroup): KeyedRecord[] {
  const removals = [...group.members.keys()].flatMap((memberId) => memberRemovals(group, memberId));
  return [...removals, removal('epochs', group.id), removal('topology', group.id)];
}

function memberRemovals(group: StreamsGroup, memberId: string): KeyedRecord[] {
  const removals = [removal('progress', group.id, memberId), removal('identity', group.id, memberId)];
  return group.hasTarget(memberId) ? [...removals, removal('target', group.id, memberId)] : removals;
}

function removal(part: StreamsRecordPart, groupId: string, name?: string): KeyedRecord {
  return { key: streamsKeys.of(part, groupId, name), value: null };
}
