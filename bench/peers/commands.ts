/** Runs the commands that install peers, one after the other. Main thread. */

import { spawnSync } from 'node:child_process';

const largestOutputBytes = 256 * 1024 * 1024;
const shownCharacters = 4000;

/** Whether `command` is there and can be run at all. */
export function canRun(command: string, versionFlag = '-version'): boolean {
  return spawnSync(command, [versionFlag], { stdio: 'ignore' }).error === undefined;
}

/** The first version in what `command` says of itself; "none" where it cannot be run. */
export function versionOf(command: string, versionFlag: string): string {
  const { error, stdout, stderr } = spawnSync(command, [versionFlag], { encoding: 'utf8' });
  return (error === undefined ? /\d+\.[\d.]*\d/.exec(`${stdout}${stderr}`)?.[0] : undefined) ?? 'none';
}

/** Runs a command to its end and returns what it printed to stdout. Throws, with the end of its output, where it fails. */
export function runCommand(
  file: string,
  args: readonly string[],
  { cwd, environment = {} }: { readonly cwd?: string; readonly environment?: Readonly<Record<string, string>> } = {},
): string {
  const { status, error, stdout, stderr } = spawnSync(file, args, {
    ...(cwd === undefined ? {} : { cwd }),
    encoding: 'utf8',
    env: { ...process.env, ...environment },
    maxBuffer: largestOutputBytes,
  });
  if (error !== undefined) throw new Error(`${file} cannot be run: ${error.message}`, { cause: error });
  if (status !== 0) {
    const said = `${stdout}${stderr}`.slice(-shownCharacters);
    throw new Error(`${file} ${args.slice(0, 4).join(' ')} … ended with ${status}:\n${said}`);
  }
  return stdout;
}
