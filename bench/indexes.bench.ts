/** Searching the sparse indexes of a full segment of 1 GiB. */

import { type Benchmark, repeated } from './benchmark.ts';
import { arena, reserved } from './material.ts';

/** One entry for 4 KiB. */
const entryCount = 262_144;
const offsetsPerEntry = 40;
const searches = 256;
const offsetEntryBytes = 8;
const timeEntryBytes = 12;

/** Which of the entries the search `i` looks for, all over the index. */
function wanted(i: number): number {
  return (i * 2_654_435_761) % (entryCount * offsetsPerEntry);
}

export function indexBenchmarks(): Benchmark[] {
  const { core, view } = arena;
  const offsets = reserved(entryCount * offsetEntryBytes);
  const times = reserved(entryCount * timeEntryBytes);
  const inObjects: { relativeOffset: number; position: number }[] = [];
  for (let i = 0; i < entryCount; i++) {
    core.offsetIndexAppend(offsets, i, i * offsetsPerEntry, i * 4096);
    core.timeIndexAppend(times, i, i * offsetsPerEntry, i * offsetsPerEntry);
    inObjects.push({ relativeOffset: i * offsetsPerEntry, position: i * 4096 });
  }
  const search = (valueAt: (entry: number) => number): (() => number) =>
    repeated(searches, (i) => lastAtMost(entryCount, valueAt, wanted(i)));
  return [
    {
      name: `offset index search, ${entryCount} entries`,
      unit: 'calls',
      unitsPerRun: searches,
      bytesPerRun: 0,
      contenders: [
        { name: 'core', run: repeated(searches, (i) => core.offsetIndexSearch(offsets, entryCount, wanted(i))) },
        {
          name: 'JavaScript over a DataView',
          run: search((entry) => view.getInt32(offsets + entry * offsetEntryBytes)),
        },
        { name: 'JavaScript over objects', run: search((entry) => inObjects[entry]!.relativeOffset) },
      ],
    },
    {
      name: `time index search, ${entryCount} entries`,
      unit: 'calls',
      unitsPerRun: searches,
      bytesPerRun: 0,
      contenders: [
        { name: 'core', run: repeated(searches, (i) => core.timeIndexSearch(times, entryCount, wanted(i))) },
        {
          name: 'JavaScript over a DataView',
          run: search((entry) => Number(view.getBigInt64(times + entry * timeEntryBytes))),
        },
      ],
    },
  ];
}

function lastAtMost(count: number, valueAt: (entry: number) => number, value: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (valueAt(middle) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
