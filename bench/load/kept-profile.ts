/**
 * Where processor time went, kept as text beside the results: `bench/results/profiles/NAME.txt` has the summary of the CPU
 * profiles that one run wrote, with what was run and on what. Main thread.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MachineFacts, machineSentence } from './machine.ts';
import { profileSummary } from './profile-summary.ts';
import { projectRoot } from './project-root.ts';

export interface KeptProfile {
  /** Of the file, without its end. */
  readonly name: string;
  /** What was run. */
  readonly what: string;
  /** What of it the profiles are of. */
  readonly covers: 'the measured load' | 'all of it';
  /** Where the profiles are. */
  readonly profileFolder: string;
}

/** Writes the summary and returns the file's path within the project. */
export function keepProfile({ name, what, covers, profileFolder }: KeptProfile, machine: MachineFacts): string {
  const folder = join('bench', 'results', 'profiles');
  const file = join(folder, `${name}.txt`);
  const text = [
    what,
    machineSentence(machine),
    `Of each thread, over ${covers}: the share of its time that it was busy, and of that what the functions took themselves.`,
    '(program) is the kernel and code that is not JavaScript. Profiling slows all of it a little, and is in what perf sees as well.',
    '',
    profileSummary(profileFolder),
    '',
  ];
  mkdirSync(join(projectRoot, folder), { recursive: true });
  writeFileSync(join(projectRoot, file), text.join('\n'));
  return file;
}
