/**
 * What took longest in CPU profiles as Node writes them, one for each thread, and whose code it was where `perf` was there
 * to tell (`load-profile.ts`).
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { owners, type ThreadShares } from './processor-shares.ts';

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

type CallFrame = CpuProfile['nodes'][number]['callFrame'];

const shown = 14;
/** Of a process's threads in what `perf` tells: its first, and its busiest others. */
const shownThreads = 3;
/** A flush worker that sleeps does so within a function, which a profile takes for work. */
const isNoWork = (name: string): boolean => /^(\(idle\)|sleepUntilSubmissions|waitForSubmissions)( |$)/.test(name);

/** Where functions are from; a function without a file is Node's or V8's own, called by JavaScript. */
const kinds: readonly { readonly name: string; has(frame: CallFrame): boolean }[] = [
  { name: 'garbage collector', has: ({ functionName }) => functionName === '(garbage collector)' },
  { name: 'kernel and native code beside JavaScript', has: ({ functionName }) => functionName === '(program)' },
  { name: "native functions, with the kernel's time in them", has: ({ url }) => url === '' },
  { name: 'WebAssembly', has: ({ url }) => url.startsWith('wasm:') },
  { name: 'JavaScript of Node', has: ({ url }) => url.startsWith('node:') },
  { name: 'JavaScript of the program', has: () => true },
];

/** Self times of all profiles in `folder`, in percent of each thread's time that was not idle. */
export function profileSummary(folder: string): string {
  const files = existsSync(folder) ? readdirSync(folder).toSorted() : [];
  const threads = files.filter((file) => file.endsWith('.cpuprofile')).map((file) => ({ file, ...threadOf(file) }));
  if (threads.length === 0) return 'No load was measured, so that there is no profile.';
  const parts: string[] = [];
  for (const pid of new Set(threads.map((thread) => thread.pid))) {
    const shares = join(folder, `shares.${pid}.json`);
    if (existsSync(shares)) parts.push(sharesText(pid, JSON.parse(readFileSync(shares, 'utf8')) as ThreadShares[]));
    for (const { file, thread } of threads.filter((each) => each.pid === pid)) {
      const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as CpuProfile;
      parts.push(`process ${pid}, thread ${thread}\n${summaryOfOne(profile)}`);
    }
  }
  return parts.join('\n');
}

/** Linux gives a process's first thread the process's number. */
export function sharesText(pid: string, threads: readonly ThreadShares[]): string {
  const sumOf = ({ samples }: ThreadShares): number => owners.reduce((sum, owner) => sum + samples[owner], 0);
  const all = threads.reduce((sum, each) => sum + sumOf(each), 0);
  const first = threads.find(({ thread }) => String(thread) === pid);
  const others = threads.filter((each) => each !== first && sumOf(each) > 0);
  const named = [
    ...(first === undefined ? [] : [{ name: 'its first thread', ...first }]),
    ...others.slice(0, shownThreads - 1).map((each, i) => ({ name: `its ${['busiest', 'next'][i]} other`, ...each })),
  ];
  const lines = named.map((each) => {
    const parts = owners.map((owner) => `${owner} ${percent(each.samples[owner], sumOf(each))}`);
    return `${percent(sumOf(each), all).padStart(8)}  ${each.name}: ${parts.join(', ')}`;
  });
  return [`process ${pid}, by samples of the processor that perf took`, ...lines].join('\n');
}

function summaryOfOne({ nodes, samples, timeDeltas }: CpuProfile): string {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map<string, number>();
  const kindTimes = new Map<string, number>();
  let [all, busy] = [0, 0];
  samples.forEach((id, i) => {
    const frame = frames.get(id)!;
    const name = frameName(frame);
    const time = timeDeltas[i]!;
    all += time;
    if (isNoWork(name)) return;
    busy += time;
    add(times, name, time);
    add(kindTimes, kinds.find((kind) => kind.has(frame))!.name, time);
  });
  const longest = (list: ReadonlyMap<string, number>): string[] =>
    [...list]
      .toSorted(([, a], [, b]) => b - a)
      .slice(0, shown)
      .map(([name, time]) => `${percent(time, busy).padStart(8)}  ${name}`);
  return [`${percent(busy, all).padStart(8)}  busy, and of that`, ...longest(kindTimes), '', ...longest(times)].join(
    '\n',
  );
}

function add(times: Map<string, number>, name: string, time: number): void {
  times.set(name, (times.get(name) ?? 0) + time);
}

function percent(part: number, of: number): string {
  return `${((part * 100) / Math.max(of, 1)).toFixed(1)} %`;
}

function frameName({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  return url === '' ? name : `${name}  ${basename(url)}:${lineNumber + 1}`;
}

/** CPU.DATE.TIME.PID.THREAD.SEQUENCE.cpuprofile */
function threadOf(file: string): { readonly pid: string; readonly thread: string } {
  const [, , , pid, thread] = file.split('.');
  return { pid: pid!, thread: thread! };
}
