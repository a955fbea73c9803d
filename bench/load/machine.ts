/** What results are worth nothing without: the machine, the versions, the commit. Neither host names nor paths. */

import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';
import { projectRoot } from './project-root.ts';

export interface MachineFacts {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** With a + where files differ from it; null where it is not known. */
  readonly commit: string | null;
  /** ISO 8601, UTC. */
  readonly date: string;
}

const resultPaths = ['bench/results', 'bench/README.md'];

export function machineFacts(): MachineFacts {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    commit: commit(),
    date: new Date().toISOString(),
  };
}

/** The machine and what runs on it. */
export function hardwareSentence({ processor, cores, memoryBytes, system, node }: MachineFacts): string {
  return `${processor}, ${cores} cores, ${Math.round(memoryBytes / 2 ** 30)} GiB, ${system}, Node ${node}`;
}

/** The same, with the commit and when it was. */
export function machineSentence(facts: MachineFacts): string {
  return `${hardwareSentence(facts)}, commit ${facts.commit ?? 'unknown'}, ${facts.date}`;
}

function commit(): string | null {
  const git = (...args: string[]): string | null => {
    const { status, stdout } = spawnSync('git', args, { cwd: projectRoot, encoding: 'utf8' });
    return status === 0 ? stdout.trim() : null;
  };
  const hash = git('rev-parse', '--short', 'HEAD');
  if (hash === null) return null;
  // Results that are being written make no other program.
  const status = git(
    'status',
    '--porcelain',
    '--untracked-files=no',
    '--',
    '.',
    ...resultPaths.map((path) => `:!${path}`),
  );
  return status === '' ? hash : `${hash}+`;
}
