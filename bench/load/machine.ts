/** What results are worth nothing without: the machine, the versions, the commit. Neither host names nor paths. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem, type } from 'node:os';
import { basename, resolve } from 'node:path';
import { projectRoot } from './project-root.ts';

export interface MachineFacts {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** The file system that data is kept on, and its disk; absent in results that were kept before it was asked for. */
  readonly disk?: string;
  /** The last that changed what is measured; with a + where those files differ from it; null where it is not known. */
  readonly commit: string | null;
  /** ISO 8601, UTC. */
  readonly date: string;
}

const mounts = '/proc/mounts';
/** What a figure can depend on: neither texts nor tests, and results that are being written make no other program. */
const measuredPaths = [
  'assembly',
  'bench',
  'package-lock.json',
  'package.json',
  'scripts/bench-startup.mjs',
  'scripts/build*.mjs',
  'scripts/bundle.mjs',
  'scripts/codec-schema.mjs',
  'scripts/embedded-starts.mjs',
  'scripts/generate-codecs.mjs',
  'src',
  // Benchmarks speak through it.
  'test/program/wire-client.ts',
  'tsconfig*.json',
];
const resultPaths = ['bench/results', 'bench/README.md', 'src/README.md'];
/** What judges figures and prints them, once they were measured. */
export const reportingPaths = [
  ...['floor-verdict', 'load-report', 'readme-part', 'result-file', 'result-table', 'row-floors'],
  ...['profile-summary', 'kept-profile', 'svg-parts', 'sweep-plot'],
]
  .map((name) => `bench/load/${name}.ts`)
  .concat(['kept-results', 'peer-report', 'ratio-plot', 'verdict'].map((name) => `bench/peers/${name}.ts`));

/** `dataParent`: where servers keep their data. */
export function machineFacts(dataParent = tmpdir()): MachineFacts {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    node: process.versions.node,
    disk: diskOf(resolve(dataParent)),
    commit: measuredCommit(projectRoot),
    date: new Date().toISOString(),
  };
}

/** The machine and what runs on it. */
export function hardwareSentence({ processor, cores, memoryBytes, system, node, disk }: MachineFacts): string {
  const parts = [processor, `${cores} cores`, `${Math.round(memoryBytes / 2 ** 30)} GiB`, system, `Node ${node}`];
  return [...parts, ...(disk === undefined ? [] : [disk])].join(', ');
}

/** The same, with the commit and when it was. */
export function machineSentence(facts: MachineFacts): string {
  return `${hardwareSentence(facts)}, commit ${facts.commit ?? 'unknown'}, ${facts.date}`;
}

/** As `ext4 on vda`. */
function diskOf(folder: string): string {
  const { disk, fileSystem } = mountOf(folder);
  return disk === '' ? 'an unknown disk' : `${fileSystem} on ${disk}`;
}

/** The name of the disk, or of its part, that `folder` lies on; empty where it is not known. */
export function diskNameOf(folder: string): string {
  return mountOf(resolve(folder)).disk;
}

/** The mount with the longest path above `folder`. */
function mountOf(folder: string): { readonly disk: string; readonly fileSystem: string } {
  let found = { path: '', disk: '', fileSystem: '' };
  if (!existsSync(mounts)) return found;
  for (const line of readFileSync(mounts, 'utf8').split('\n')) {
    const [device, path, type] = line.split(' ');
    if (path === undefined || path.length < found.path.length) continue;
    if (path === '/' || folder === path || folder.startsWith(`${path}/`)) {
      found = { path, disk: basename(device!), fileSystem: type! };
    }
  }
  return found;
}

/**
 * The short hash of the last commit of the repository in `root` that changed what a figure can depend on, so that rounds of
 * one build count together whatever else was committed between them; with a + where those files differ from it; null where
 * there is none.
 */
export function measuredCommit(root: string): string | null {
  const git = (...args: string[]): string | null => {
    const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
    return status === 0 ? stdout.trim() : null;
  };
  const paths = ['--', ...measuredPaths, ...[...resultPaths, ...reportingPaths].map((path) => `:!${path}`)];
  const hash = git('log', '-1', '--format=%h', ...paths);
  if (hash === null || hash === '') return null;
  return git('status', '--porcelain', '--untracked-files=no', ...paths) === '' ? hash : `${hash}+`;
}
