/**
 * From where to read a topic's partitions, as texts that clients keep. Any thread; pure but for the broker's state.
 *
 *   earliest · latest · latest-10 · 1234 · 0:17,1:5     the last names partitions: it is what a reading ends with, and the
 *                                                       id of an event, from which reading goes on exactly
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { StartPosition } from '../../gateway/record-reader.ts';
import type { PartitionLog } from '../../storage/partition-log.ts';
import { badRequest, problemOf, type Problem } from '../http-api/problem.ts';

export const positionPattern =
  '^(?:earliest|latest(?:-\\d{1,15})?|\\d{1,16}|\\d{1,10}:\\d{1,16}(?:,\\d{1,10}:\\d{1,16})*)$';

/** Offsets by partition, as text: `0:17,1:5`. */
export function positionsText(offsets: ReadonlyMap<number, number>): string {
  return [...offsets].map(([partition, offset]) => `${partition}:${offset}`).join(',');
}

/** The offsets by partition of such a text; null where it is none. */
export function parsePositions(text: string): Map<number, number> | null {
  if (!/^\d{1,10}:\d{1,16}(?:,\d{1,10}:\d{1,16})*$/.test(text)) return null;
  const offsets = new Map<number, number>();
  for (const pair of text.split(',')) {
    const [partition, offset] = pair.split(':').map(Number) as [number, number];
    if (offsets.has(partition) || !Number.isSafeInteger(offset)) return null;
    offsets.set(partition, offset);
  }
  return offsets;
}

/** Where each partition in `logs` begins to be read. One that positions do not name is new, and begins at its first record. */
export function startsOf(
  text: string,
  timestampMs: number | null,
  logs: readonly PartitionLog[],
): Map<PartitionLog, StartPosition> | Problem {
  const starts = new Map<PartitionLog, StartPosition>();
  if (timestampMs !== null) {
    for (const log of logs) starts.set(log, { timestampMs });
    return starts;
  }
  const offsets = parsePositions(text);
  if (offsets !== null) {
    const known = new Set(logs.map(({ partition }) => partition));
    for (const partition of offsets.keys()) {
      if (!known.has(partition)) {
        const detail = `The positions name partition ${partition}, which is not among those that are read.`;
        return problemOf(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, detail);
      }
    }
    for (const log of logs) {
      const offset = offsets.get(log.partition);
      starts.set(log, offset === undefined ? 'earliest' : { offset });
    }
    return starts;
  }
  if (text.includes(':'))
    return badRequest(
      `The positions ${text.slice(0, 60)} name a partition twice, or an offset beyond ${Number.MAX_SAFE_INTEGER}.`,
    );
  for (const log of logs) {
    if (text === 'earliest' || text === 'latest') starts.set(log, text);
    else if (text.startsWith('latest-')) {
      const offset = Math.max(log.logStartOffset, log.lastStableOffset - Number(text.slice('latest-'.length)));
      starts.set(log, { offset });
    } else starts.set(log, { offset: Number(text) });
  }
  return starts;
}
