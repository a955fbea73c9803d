/**
 * The target assignment of a streams group: which settings count for it, when it is due, and what it is. I/O thread.
 */

import { present } from '../../../base/assert.ts';
import { configNumber } from '../../config-definition.ts';
import { atOnce, inTurns, type Steps } from '../steps.ts';
import { StreamsStatus, type Status } from './configured-topology.ts';
import { stickySteps } from './sticky-task-assignor.ts';
import { StreamsEdit } from './streams-edit.ts';
import type { StreamsRun } from './streams-run.ts';
import { noTasks, sameTasks, type Tasks } from './tasks.ts';

/** The one assignor there is; a group that asks for another gets it all the same, as with Kafka. */
export const streamsAssignor = 'sticky';

const standbyReplicas = 'num.standby.replicas';
const rackAwareTags = 'rack.aware.assignment.tags';

/** The settings that an assignment depends on, as texts by their names within streams groups. */
export function assignmentConfigs({ group, surroundings }: StreamsRun): ReadonlyMap<string, string> {
  const { config } = surroundings;
  const wanted = configNumber(surroundings.text(group.id, `streams.${standbyReplicas}`));
  const standbyCount = Math.min(wanted, config.number('group.streams.max.standby.replicas'));
  const configs = new Map([[standbyReplicas, `${standbyCount}`]]);
  const tags = surroundings.text(group.id, `streams.${rackAwareTags}`);
  if (tags !== '') configs.set(rackAwareTags, tags);
  return configs;
}

export function sameConfigs(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([name, value]) => b.get(name) === value);
}

/** The tags of clients over which standby tasks are to be spread. */
export function rackTagsOf(configs: ReadonlyMap<string, string>): string[] {
  const text = configs.get(rackAwareTags)?.trim() ?? '';
  return text === '' ? [] : text.split(/\s*,\s*/);
}

/** What members are to come to. */
export interface Target {
  readonly epoch: number;
  readonly tasksOf: (memberId: string) => Tasks;
}

/** A target with more tasks is made in steps, beside the requests: others wait for no more than one step. */
const tasksAtOnce = 1000;

/**
 * Makes the target assignment of the group's epoch where there is none yet and nothing has it wait; `statuses` gets what
 * does. Returns the one that counts: none at all while the group waits for its first members.
 */
export function refreshTarget(run: StreamsRun, edit: StreamsEdit, statuses: Status[] = []): Target {
  const { group, surroundings } = run;
  if (run.isDelayed) {
    statuses.push(delayed('due to the configured initial rebalance delay'));
    return { epoch: group.assignmentEpoch, tasksOf: () => noTasks };
  }
  if (group.assignmentEpoch < group.epoch) {
    const nowMs = surroundings.clock.nowMs();
    const { assignedMs } = group.epochs;
    const intervalMs = surroundings.setting(group.id, 'streams.assignment.interval.ms');
    if (assignedMs > 0 && intervalMs > 0 && nowMs < assignedMs + intervalMs) {
      statuses.push(delayed('due to the configured assignment interval'));
    } else if (targetTaskCount(run) > tasksAtOnce) {
      statuses.push(delayed('until it is worked out'));
      prepareTarget(run);
    } else {
      putTargets(run, edit, atOnce(targetSteps(run)), group.epoch);
    }
  }
  return { epoch: group.assignmentEpoch, tasksOf: (memberId) => group.targetOf(memberId) };
}

function delayed(why: string): Status {
  return { statusCode: StreamsStatus.ASSIGNMENT_DELAYED, statusDetail: `Assignment delayed ${why}.` };
}

/** How many tasks there are to be given out, standby tasks included. */
function targetTaskCount({ group }: StreamsRun): number {
  let count = 0;
  for (const { taskCount } of group.configured?.subtopologies?.values() ?? []) count += taskCount;
  return count * (1 + standbyCountOf(group));
}

function standbyCountOf({ epochs }: StreamsRun['group']): number {
  return configNumber(present(epochs.assignmentConfigs.get(standbyReplicas), 'it is always set'));
}

/**
 * Makes the target of the group's epoch in steps, unless one is being made, and writes it. Members that go meanwhile get
 * nothing of it, and what they were to get waits for the next one, as what has changed otherwise does.
 */
function prepareTarget(run: StreamsRun): void {
  if (run.isPreparing) return;
  run.isPreparing = true;
  prepare(run).then(
    () => (run.isPreparing = false),
    (error: unknown) => {
      run.isPreparing = false;
      run.surroundings.logger.error({ group: run.group.id, error }, 'The tasks of a streams group were not assigned.');
    },
  );
}

async function prepare(run: StreamsRun): Promise<void> {
  const { group, surroundings } = run;
  const { epoch } = group;
  // A group without members, or read anew, needs none.
  const isNeeded = (): boolean => run.isServing && group.assignmentEpoch < epoch;
  for (;;) {
    const assigned = await inTurns(targetSteps(run), surroundings.clock, isNeeded);
    if (assigned === null) return;
    // A static member that came back has another id, and begins no epoch that would have this made again.
    const isReplaced = group.epoch === epoch && [...assigned.keys()].some((id) => !group.members.has(id));
    if (isReplaced) continue;
    const edit = new StreamsEdit(group);
    putTargets(run, edit, assigned, epoch);
    run.commit(edit);
    return;
  }
}

/** The tasks of each member that was in the group when this was called; nobody gets any while topics are missing. */
function targetSteps({ group }: StreamsRun): Steps<Map<string, Tasks>> {
  const { configured } = group;
  const members = [...group.members.values()];
  const isReady = configured !== null && configured.status === null;
  if (!isReady) return nobodys(members);
  return stickySteps({
    members: members.map(({ id, processId, assigned: has }) => ({
      id,
      processId,
      assigned: has,
      taskOffsets: group.taskOffsetsOf(id).offsets,
    })),
    subtopologies: [...present(configured.subtopologies, 'a topology that is ready has subtopologies').values()].map(
      ({ id, taskCount, changelogTopics }) => ({ id, taskCount, isStateful: changelogTopics.length > 0 }),
    ),
    standbyCount: standbyCountOf(group),
  });
}

// oxlint-disable-next-line require-yield -- nothing of it takes long.
function* nobodys(members: readonly { readonly id: string }[]): Steps<Map<string, Tasks>> {
  return new Map(members.map(({ id }) => [id, noTasks]));
}

/** Puts those of the targets in place that differ from those that there are; the target is the one of `epoch` then. */
function putTargets(
  { group, surroundings }: StreamsRun,
  edit: StreamsEdit,
  assigned: ReadonlyMap<string, Tasks>,
  epoch: number,
): void {
  for (const [memberId, tasks] of assigned) {
    const isSame = group.hasTarget(memberId) && sameTasks(group.targetOf(memberId), tasks);
    if (!isSame && group.members.has(memberId)) edit.putTarget(memberId, tasks);
  }
  edit.setEpochs({ assignmentEpoch: epoch, assignedMs: surroundings.clock.nowMs() });
}
