/** Programs of others that tests run: whether they are there, where what they need is kept, and what they print. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What was fetched for these tests, kept for the next run. */
export const cacheDirectory = fileURLToPath(new URL('../../../node_modules/.cache/millrace-clients', import.meta.url));

export function isInstalled(command: string, flag = '--version'): boolean {
  return spawnSync(command, [flag]).status === 0;
}

export interface RunOptions {
  readonly input?: string;
  readonly directory?: string;
}

/** Runs a program to its end and gives its standard output; rejects, with all it printed, where it fails. */
export async function run(command: string, flags: readonly string[], options: RunOptions = {}): Promise<string> {
  const child = spawn(command, flags, { cwd: options.directory, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  // A program that ends without reading its input is judged by how it ended.
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ${flags.join(' ')} ended with ${code}:\n${output}\n${errors}`);
  return output;
}
