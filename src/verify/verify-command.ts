/**
 * `millrace verify DIR`: looks through a data directory that no broker uses, and repairs it where that is asked for.
 *
 *   exit code 0   nothing is damaged (or: it was, and is repaired)
 *   exit code 1   something is damaged
 *   exit code 2   it could not be checked: wrong arguments, no data directory, a broker runs on it
 *
 * The report goes to standard output, the progress bar to standard error where that is a terminal.
 */

import { createRequire } from 'node:module';
import { resolve as resolvePath } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { systemClock } from '../base/clock.ts';
import { EnvironmentError, EnvironmentErrorCode, systemErrorCode } from '../base/environment-error.ts';
import { silentLogger } from '../base/logger.ts';
import { systemRandom } from '../base/random.ts';
import { lockDirectory } from '../server/directory-lock.ts';
import { checkDataDirectory } from '../storage/data-directory.ts';
import { nodeFileSystem } from '../storage/node-file-system.ts';
import { Findings } from './findings.ts';
import type { VerifyReport } from './findings.ts';
import { readStoreFiles } from './known-partition.ts';
import { planRepair, repairDirectory } from './repair.ts';
import { plainStyle, planText, reportJson, reportText, terminalStyle } from './report-text.ts';
import { createVerifyArena, verifyDirectory } from './verify-directory.ts';

const usage = `Usage: millrace verify DIR [options]      checks a data directory that no broker uses

  --repair     cuts logs where they are damaged and makes everything beside them again; says first what would be lost
  --yes        repairs without asking
  --json       the report as JSON
  -h, --help   this text

Exit code: 0 nothing is damaged, 1 something is, 2 it could not be checked.
`;

const exitClean = 0;
const exitDamaged = 1;
const exitNotChecked = 2;

interface VerifyArguments {
  readonly directory: string;
  readonly repair: boolean;
  readonly yes: boolean;
  readonly json: boolean;
}

/** Runs the command with the arguments behind its name; resolves with the exit code. */
export async function runVerify(args: readonly string[]): Promise<number> {
  const parsed = parseVerifyArguments(args);
  if (typeof parsed === 'string') {
    if (parsed === '') await write(process.stdout, usage);
    else await write(process.stderr, `millrace: ${parsed}\n\n${usage}`);
    return parsed === '' ? exitClean : exitNotChecked;
  }
  try {
    requireDataDirectory(parsed.directory);
    const lock = await lockDirectory(nodeFileSystem, parsed.directory, systemRandom);
    try {
      return await verifyLocked(parsed);
    } finally {
      await lock.release();
    }
  } catch (error) {
    if (error instanceof EnvironmentError) await write(process.stderr, `millrace: ${error.message}\n`);
    else if (systemErrorCode(error) !== null) {
      await write(process.stderr, `millrace: ${parsed.directory} could not be checked: ${(error as Error).message}.\n`);
    } else throw error;
    return exitNotChecked;
  }
}

/** What the words ask for; a sentence where they make no sense, and an empty one for help. */
function parseVerifyArguments(args: readonly string[]): VerifyArguments | string {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { repair: flag, yes: flag, json: flag, help: { ...flag, short: 'h' } },
      allowPositionals: true,
    });
    if (values.help) return '';
    const [directory, more] = positionals;
    if (directory === undefined) return 'Which data directory?';
    if (more !== undefined) return `One directory is checked at a time, and ${JSON.stringify(more)} is another.`;
    if (values.yes && !values.repair) return '--yes goes with --repair.';
    return { directory: resolvePath(directory), repair: values.repair, yes: values.yes, json: values.json };
  } catch (error) {
    if (error instanceof TypeError) return error.message;
    throw error;
  }
}

/** Refuses before anything is touched. */
function requireDataDirectory(directory: string): void {
  try {
    if (checkDataDirectory(nodeFileSystem, directory) !== null) return;
  } catch (error) {
    if (error instanceof EnvironmentError && error.code === EnvironmentErrorCode.DATA_CORRUPT) return;
    throw error;
  }
  throw new EnvironmentError(
    EnvironmentErrorCode.DATA_DIRECTORY_FOREIGN,
    `There is no data in ${directory}: name the directory that a broker was started with (--data).`,
  );
}

async function verifyLocked({ directory, repair, yes, json }: VerifyArguments): Promise<number> {
  const arena = createVerifyArena();
  const bar = json || !process.stderr.isTTY ? null : new Bar();
  const check = async (): Promise<VerifyReport> => {
    try {
      return await verifyDirectory({
        directory,
        fileSystem: nodeFileSystem,
        arena,
        progress: (doneBytes, totalBytes) => bar?.update(doneBytes, totalBytes),
      });
    } finally {
      bar?.stop();
    }
  };
  const report = await check();
  const plan = repair ? planRepair(report) : null;
  if (!json) {
    await write(process.stdout, reportText(report, process.stdout.isTTY ? terminalStyle : plainStyle));
    if (plan !== null) await write(process.stdout, `\n${planText(plan)}\n`);
  }
  const agreed = plan !== null && (yes || (!json && (await ask())));
  if (agreed) {
    const files = readStoreFiles(nodeFileSystem, directory, new Findings());
    const tools = { fileSystem: nodeFileSystem, arena, logger: silentLogger, nowMs: systemClock.nowMs() };
    await repairDirectory(tools, report, files, plan);
  }
  if (json) await write(process.stdout, reportJson(report, plan, agreed));
  const damaged = isDamaged(agreed ? await afterRepair(check, json) : report);
  if (repair && !agreed && plan !== null && !json) await write(process.stdout, 'Nothing was changed.\n');
  if (repair && plan === null && damaged && !json) await write(process.stdout, 'A repair can do nothing about it.\n');
  return damaged ? exitDamaged : exitClean;
}

async function afterRepair(check: () => Promise<VerifyReport>, json: boolean): Promise<VerifyReport> {
  const after = await check();
  if (!json) {
    const text = isDamaged(after)
      ? `\n${reportText(after, process.stdout.isTTY ? terminalStyle : plainStyle)}`
      : 'Repaired: the next start recovers and takes writes.\n';
    await write(process.stdout, text);
  }
  return after;
}

function isDamaged(report: VerifyReport): boolean {
  return report.findings.some(({ severity }) => severity === 'damage');
}

/** Whether the person at the terminal agrees; where there is none, nobody does. */
async function ask(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    await write(process.stdout, 'Nobody can be asked here: say --yes to have it done.\n');
    return false;
  }
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await lines.question('Do this? Type yes: ')).trim().toLowerCase() === 'yes';
  } finally {
    lines.close();
  }
}

function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve) => stream.write(text, () => resolve()));
}

/** What is used of the package, which comes without types. */
interface ProgressBar {
  start(total: number, value: number): void;
  update(value: number): void;
  stop(): void;
}

/** The progress bar on standard error. */
class Bar {
  #bar: ProgressBar | null = null;

  update(doneBytes: number, totalBytes: number): void {
    if (this.#bar === null) {
      const { SingleBar } = createRequire(import.meta.url)('cli-progress') as {
        SingleBar: new (options: object) => ProgressBar;
      };
      this.#bar = new SingleBar({
        format: 'Checking [{bar}] {percentage}% | {value} of {total} MB | {eta_formatted} left',
        stream: process.stderr,
        hideCursor: true,
        clearOnComplete: true,
        fps: 5,
      });
      this.#bar.start(megabytes(totalBytes), 0);
    }
    this.#bar.update(megabytes(doneBytes));
  }

  stop(): void {
    this.#bar?.stop();
    this.#bar = null;
  }
}

function megabytes(sizeBytes: number): number {
  return Math.round(sizeBytes / 1e5) / 10;
}
