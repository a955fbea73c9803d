/**
 * Keeps results in `bench/results/peers.json`, where a case that is measured again replaces what was there, and puts their
 * table into `bench/README.md` between two marks. Main thread.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../load/project-root.ts';
import { writeReadmePart } from '../load/readme-part.ts';
import { type KeptResult, markdownTable } from './peer-report.ts';

const folder = join(projectRoot, 'bench', 'results');
const file = join(folder, 'peers.json');

/** `order` has the names of all cases, as tables have them. */
export function keepPeerResults(results: readonly KeptResult[], order: readonly string[]): void {
  const kept = new Map(keptPeerResults().map((result) => [result.name, result]));
  for (const result of results) kept.set(result.name, result);
  const all = order.flatMap((name) => kept.get(name) ?? []);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, `${JSON.stringify(all, null, 1)}\n`);
  writeReadmePart('peers', markdownTable(all));
}

/** What is kept, of all cases. */
export function keptPeerResults(): KeptResult[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as KeptResult[]) : [];
}
