/** What took longest in CPU profiles as Node writes them (`--cpu-prof`), one for each thread. */

import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const shown = 14;
/** A flush worker that sleeps does so within a function, which a profile takes for work. */
const isNoWork = (name: string): boolean => /^(\(idle\)|sleepUntilSubmissions|waitForSubmissions)( |$)/.test(name);

/** Self times of all profiles in `folder`, in percent of each thread's time that was not idle. */
export function profileSummary(folder: string): string {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.cpuprofile'))
    .toSorted()
    .map((file) => `${threadName(file)}\n${summaryOfOne(JSON.parse(readFileSync(join(folder, file), 'utf8')))}`)
    .join('\n');
}

function summaryOfOne({ nodes, samples, timeDeltas }: CpuProfile): string {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, frameName(callFrame)]));
  const times = new Map<string, number>();
  samples.forEach((id, i) => {
    const name = names.get(id)!;
    times.set(name, (times.get(name) ?? 0) + timeDeltas[i]!);
  });
  const sum = (wanted: (name: string) => boolean): number =>
    [...times].reduce((total, [name, time]) => total + (wanted(name) ? time : 0), 0);
  const busy = sum((name) => !isNoWork(name));
  const share = (time: number, of: number): string => `${((time * 100) / of).toFixed(1)} %`.padStart(8);
  const top = [...times].filter(([name]) => !isNoWork(name)).toSorted(([, a], [, b]) => b - a);
  return [
    `${share(
      busy,
      sum(() => true),
    )}  busy`,
    ...top.slice(0, shown).map(([name, time]) => `${share(time, busy)}  ${name}`),
  ].join('\n');
}

function frameName({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  return url === '' ? name : `${name}  ${basename(url)}:${lineNumber + 1}`;
}

/** CPU.DATE.TIME.PID.THREAD.SEQUENCE.cpuprofile */
function threadName(file: string): string {
  const [, , , pid, thread] = file.split('.');
  return `process ${pid}, thread ${thread}`;
}
