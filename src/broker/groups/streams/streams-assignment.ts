/**
 * The target assignment of a streams group: which settings count for it, when it is due, and what it is. I/O thread.
 */

import { present } from '../../../base/assert.ts';
import { configNumber } from '../../config-definition.ts';
import { StreamsStatus, type Status } from './configured-topology.ts';
import { assignSticky } from './sticky-task-assignor.ts';
import type { StreamsEdit } from './streams-edit.ts';
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

/**
 * Makes the target assignment of the group's epoch where there is none yet and nothing has it wait; `statuses` gets what
 * does. Returns the one that counts: none at all while the group waits for its first members.
 */
export function refreshTarget(run: StreamsRun, edit: StreamsEdit, statuses: Status[] = []): Target {
  const { group, surroundings } = run;
  if (run.isDelayed) {
    statuses.push(delayed('initial rebalance delay'));
    return { epoch: group.assignmentEpoch, tasksOf: () => noTasks };
  }
  if (group.assignmentEpoch < group.epoch) {
    const nowMs = surroundings.clock.nowMs();
    const { assignedMs } = group.epochs;
    const intervalMs = surroundings.setting(group.id, 'streams.assignment.interval.ms');
    if (assignedMs > 0 && intervalMs > 0 && nowMs < assignedMs + intervalMs) {
      statuses.push(delayed('assignment interval'));
    } else {
      for (const [memberId, tasks] of changedTargets(run)) edit.putTarget(memberId, tasks);
      edit.setEpochs({ assignmentEpoch: group.epoch, assignedMs: nowMs });
    }
  }
  return { epoch: group.assignmentEpoch, tasksOf: (memberId) => group.targetOf(memberId) };
}

function delayed(setting: string): Status {
  const statusDetail = `Assignment delayed due to the configured ${setting}.`;
  return { statusCode: StreamsStatus.ASSIGNMENT_DELAYED, statusDetail };
}

/** The targets that differ from those that there are, by member id; nobody gets anything while topics are missing. */
function changedTargets({ group }: StreamsRun): Map<string, Tasks> {
  const { configured } = group;
  const members = [...group.members.values()];
  const isReady = configured !== null && configured.status === null;
  const assigned = !isReady
    ? new Map(members.map(({ id }) => [id, noTasks]))
    : assignSticky({
        members: members.map(({ id, processId, assigned: has }) => ({
          id,
          processId,
          assigned: has,
          taskOffsets: group.taskOffsetsOf(id).offsets,
        })),
        subtopologies: [
          ...present(configured.subtopologies, 'a topology that is ready has subtopologies').values(),
        ].map(({ id, taskCount, changelogTopics }) => ({ id, taskCount, isStateful: changelogTopics.length > 0 })),
        standbyCount: configNumber(present(group.epochs.assignmentConfigs.get(standbyReplicas), 'it is always set')),
      });
  const changed = new Map<string, Tasks>();
  for (const [memberId, tasks] of assigned) {
    if (!group.hasTarget(memberId) || !sameTasks(group.targetOf(memberId), tasks)) changed.set(memberId, tasks);
  }
  return changed;
}
