/**
 * The share groups among all groups: how one comes into being, is restored, and serves its members. I/O thread.
 */

import { present } from '../../../base/assert.ts';
import { ErrorCode } from '../../../base/error-code.ts';
import type { Uuid } from '../../../base/uuid.ts';
import type { MemberMemory } from '../classic-group.ts';
import { readEpochs, readTarget } from '../consumer/consumer-records.ts';
import { notServing } from '../consumer/leave.ts';
import { groupNotFound, isRefusal, refusal, unknownMember, type Refusal } from '../consumer/refusal.ts';
import type { GroupDirectory } from '../group-directory.ts';
import type { GroupState } from '../group-state.ts';
import { problemOfMemory, type MemberBounds } from '../member-bounds.ts';
import type { GroupValues } from '../parted-groups.ts';
import { namesIn, ShareEdit } from './share-edit.ts';
import { ShareGroup } from './share-group.ts';
import {
  acceptShareBeat,
  addedShareBytes,
  problemOfShareBeat,
  ShareMemberEpoch,
  type ShareBeat,
  type ShareBeatAnswer,
} from './share-heartbeat.ts';
import { fenceShareMember } from './share-leave.ts';
import { placeName, readShareMember, type SharePart, type SharePlace } from './share-records.ts';
import { ShareRun, type ShareSurroundings } from './share-run.ts';
import { unreadPartition } from './stored-partition.ts';

export interface ShareGroupsOptions extends MemberBounds {
  readonly directory: GroupDirectory;
  readonly state: GroupState;
  readonly surroundings: ShareSurroundings;
  /** What is known of the group's place in the partition of that name does not hold any more. */
  placeGone(groupId: string, name: string): void;
}

/** A share group that a member asked for. */
interface Opened {
  readonly run: ShareRun;
  /** Whether it is in the directory as yet. */
  readonly isNew: boolean;
}

export class ShareGroups {
  readonly #options: ShareGroupsOptions;

  constructor(options: ShareGroupsOptions) {
    this.#options = options;
  }

  /** The share group as its records have it, in the directory. */
  restore(id: string): ShareRun {
    const { state, memory, directory, surroundings } = this.#options;
    const group = restoreShareGroup(id, present(state.shares.values(id), 'the group has records'), memory);
    const run = new ShareRun(group, surroundings);
    directory.put(run);
    for (const memberId of group.members.keys()) run.touch(memberId);
    return run;
  }

  /** Serves a heartbeat of a member that joins or stays. The answer holds once `settled` resolves. */
  beat(groupId: string, beat: ShareBeat): Refusal | ShareBeatAnswer {
    const opened = this.#open(groupId, beat.memberEpoch === ShareMemberEpoch.JOINING);
    if (isRefusal(opened)) return opened;
    const { run, isNew } = opened;
    if (!run.isServing) return notServing;
    const problem = problemOfShareBeat(run, beat) ?? problemOfMemory(addedShareBytes(run, beat), this.#options);
    if (problem !== null) return problem;
    if (isNew) this.#options.directory.put(run);
    return acceptShareBeat(run, beat);
  }

  /** Serves a heartbeat of a member that leaves; null where it is gone. */
  leave(groupId: string, memberId: string): Refusal | null {
    const run = this.find(groupId);
    if (isRefusal(run)) return run;
    if (!run.isServing) return notServing;
    if (!run.group.members.has(memberId)) return unknownMember(groupId, memberId);
    fenceShareMember(run, memberId);
    return null;
  }

  /** How often members of the group are to send heartbeats, in milliseconds. */
  heartbeatIntervalMs(groupId: string): number {
    return this.#options.surroundings.setting(groupId, 'share.heartbeat.interval.ms');
  }

  /** Resolves once all changes of the group that are under way have been written, with the error of the last. */
  async settled(groupId: string): Promise<ErrorCode> {
    return (await this.#options.directory.find(groupId)?.lastWrite) ?? ErrorCode.NONE;
  }

  /** The share group, or why there is none. */
  find(groupId: string): Refusal | ShareRun {
    const run = this.#options.directory.find(groupId);
    if (run === null) return groupNotFound(`Group ${groupId} not found.`);
    return run.kind === 'share' ? run : groupNotFound(`Group ${groupId} is not a share group.`);
  }

  /** Why nobody can read the partition for the group, or null: it is one that a member was to read. */
  problemOfPlace(groupId: string, place: SharePlace): Refusal | null {
    const run = this.find(groupId);
    if (!isRefusal(run) && run.group.partitions.has(placeName(place))) return null;
    // The code is Kafka's, which finds no state of such a partition.
    return refusal(ErrorCode.UNKNOWN_SERVER_ERROR, `Group ${groupId} does not read the partition.`);
  }

  /** Sets where the group goes on in partitions; it must have no members, and comes into being where it is not there. */
  alter(groupId: string, places: readonly (SharePlace & { readonly startOffset: number })[]): Refusal | null {
    const opened = this.#open(groupId, true);
    if (isRefusal(opened)) return opened;
    const { run, isNew } = opened;
    if (!run.group.isEmpty) return notEmpty;
    if (!run.isServing) return notServing;
    // For the sake of nothing no group comes into being.
    if (places.length === 0) return null;
    if (isNew) this.#options.directory.put(run);
    const edit = new ShareEdit(run.group);
    if (isNew) edit.setEpochs({ assignmentEpoch: run.group.epoch });
    for (const place of places) {
      this.#options.placeGone(groupId, placeName(place));
      edit.setStart(place, Math.max(place.startOffset, unreadPartition.startOffset));
    }
    run.commit(edit);
    return null;
  }

  /** Has the group forget where it is in a topic; false where it has no place there. It must have no members. */
  forget(run: ShareRun, topicId: Uuid): boolean {
    const { group } = run;
    const edit = new ShareEdit(group);
    for (const name of namesIn(group, topicId)) {
      this.#options.placeGone(group.id, name);
      edit.removePartition(name);
    }
    run.commit(edit);
    return edit.records.length > 0;
  }

  /** The share group, which has no members; or why it is not so. */
  findEmpty(groupId: string): Refusal | ShareRun {
    const run = this.find(groupId);
    if (isRefusal(run)) return run;
    if (!run.group.isEmpty) return notEmpty;
    return run.isServing ? run : notServing;
  }

  #open(groupId: string, isJoining: boolean): Refusal | Opened {
    const { directory, memory, surroundings } = this.#options;
    const found = directory.find(groupId);
    if (found?.kind === 'share') return { run: found, isNew: false };
    if (found !== null) return groupNotFound(`Group ${groupId} is not a share group.`);
    if (!isJoining) return groupNotFound(`Share group ${groupId} not found.`);
    if (!directory.hasRoomFor(groupId)) {
      return refusal(ErrorCode.COORDINATOR_NOT_AVAILABLE, 'There are too many groups.');
    }
    return { run: new ShareRun(new ShareGroup(groupId, memory), surroundings), isNew: true };
  }
}

const notEmpty: Refusal = refusal(ErrorCode.NON_EMPTY_GROUP, 'The group is not empty.');

/** Throws `EnvironmentError` DATA_CORRUPT or DATA_DIRECTORY_NEWER. */
function restoreShareGroup(id: string, values: GroupValues<SharePart>, memory: MemberMemory): ShareGroup {
  const group = new ShareGroup(id, memory);
  const [epochs] = values.get('epochs')?.values() ?? [];
  if (epochs !== undefined) group.setEpochs(readEpochs(epochs));
  for (const [memberId, bytes] of values.get('member') ?? []) group.putMember(readShareMember(memberId, bytes));
  for (const [memberId, bytes] of values.get('target') ?? []) group.putTarget(memberId, readTarget(bytes));
  for (const name of values.get('partition')?.keys() ?? []) group.partitions.add(name);
  return group;
}
