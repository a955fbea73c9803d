/**
 * What processes take, as Linux tells it in /proc: CPU time, memory, open descriptors. Any thread.
 *
 *   /proc/PID/stat     …) state ppid … utime stime cutime cstime …     in ticks of 10 ms; all threads of the process
 *   /proc/PID/status   VmRSS, VmHWM (the highest RSS so far)
 *   /proc/stat         cpu user nice system idle iowait irq softirq steal …   the whole machine
 *
 * It does not know what a server is. Elsewhere than on Linux there is no /proc, and load is not measured there.
 */

import { constants, readdirSync, readFileSync } from 'node:fs';

/** Linux gives times in these whatever its own clock does (USER_HZ). */
const ticksPerSecond = 100;
const bytesPerKilobyte = 1024;
/** Places in /proc/PID/stat, counted behind the name, which may hold anything. */
const statField = { userTicks: 11, systemTicks: 12, reapedUserTicks: 13, reapedSystemTicks: 14 } as const;

/** In CPU seconds. */
export interface CpuTime {
  readonly user: number;
  readonly system: number;
}

export interface Memory {
  readonly rssBytes: number;
  /** The most it ever was since the process began. */
  readonly peakRssBytes: number;
}

/** The CPU time of `pid` with its threads and children, those too that ended and were waited for; 0 once it has ended. */
export function cpuTimeOf(pid: number): CpuTime {
  const { user, system } = ownCpuTime(pid);
  const total = { user, system };
  for (const child of childrenOf(pid)) {
    const time = cpuTimeOf(child);
    total.user += time.user;
    total.system += time.system;
  }
  return total;
}

/** CPU seconds of each thread of `pid`, by its id. */
export function threadTimesOf(pid: number): Map<number, number> {
  const threads = readdirSync(`/proc/${pid}/task`).map(Number);
  return new Map(threads.map((thread) => [thread, sumOf(timesIn(`/proc/${pid}/task/${thread}/stat`))]));
}

/** Descriptors of `pid` that write past the page cache. */
export function directDescriptorsOf(pid: number): number {
  const flags = readdirSync(`/proc/${pid}/fdinfo`).map((descriptor) => {
    const text = contentOf(`/proc/${pid}/fdinfo/${descriptor}`);
    return Number.parseInt(/^flags:\s+(\d+)/m.exec(text ?? '')?.[1] ?? '0', 8);
  });
  return flags.filter((each) => (each & constants.O_DIRECT) !== 0).length;
}

export function sumOf({ user, system }: CpuTime): number {
  return user + system;
}

/** RSS of `pid` without its children. Throws where it has ended. */
export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return { rssBytes: statusBytes(status, 'VmRSS'), peakRssBytes: statusBytes(status, 'VmHWM') };
}

/** Descriptors that `pid` has open. Throws where it has ended. */
export function openDescriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/**
 * What programs took on the whole machine since it started, in CPU seconds: user time and what the host took away. Time
 * in the kernel is left out, because its own threads write pages and serve sockets for whoever is measured.
 */
export function machineUserTime(): number {
  const [, user, nice, , , , , , steal] = /^cpu .*$/m
    .exec(readFileSync('/proc/stat', 'utf8'))![0]
    .split(/ +/)
    .map(Number);
  return (user! + nice! + steal!) / ticksPerSecond;
}

function ownCpuTime(pid: number): CpuTime {
  const fields = statFields(`/proc/${pid}/stat`);
  if (fields === null) return { user: 0, system: 0 };
  return {
    user: (fields[statField.userTicks]! + fields[statField.reapedUserTicks]!) / ticksPerSecond,
    system: (fields[statField.systemTicks]! + fields[statField.reapedSystemTicks]!) / ticksPerSecond,
  };
}

/** Without what a process waited for: a thread's file tells that of its whole process. */
function timesIn(path: string): CpuTime {
  const fields = statFields(path);
  if (fields === null) return { user: 0, system: 0 };
  const [user, system] = [fields[statField.userTicks]!, fields[statField.systemTicks]!];
  return { user: user / ticksPerSecond, system: system / ticksPerSecond };
}

function statFields(path: string): number[] | null {
  const stat = contentOf(path);
  if (stat === null) return null;
  return stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
}

/** Each thread has its own list of the processes that it started. */
function childrenOf(pid: number): number[] {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return threads.flatMap((thread) => {
    const children = contentOf(`/proc/${pid}/task/${thread}/children`) ?? '';
    return children.split(' ').filter(Boolean).map(Number);
  });
}

/** Null where the process or thread has ended meanwhile. */
function contentOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function statusBytes(status: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status);
  if (match === null) throw new Error(`/proc says nothing of ${name}: the process has ended`);
  return Number(match[1]) * bytesPerKilobyte;
}
