/**
 * The program: `millrace` starts a broker and runs it until it is told to stop. Main thread. `main-entry.ts` runs it.
 *
 *   exit code 0   stopped by SIGINT or SIGTERM, everything flushed; or a command that went well
 *   exit code 1   one sentence on standard error said why; a defect, which the log tells of, ended the broker; or a
 *                 second signal came before the stop was done
 *
 * The start block goes to standard output, the log to standard error.
 */

import { systemClock } from './base/clock.ts';
import { EnvironmentError } from './base/environment-error.ts';
import { gatherOptions, parseCommandLine, type Flags } from './config.ts';
import { startBroker, type RunningBroker } from './index.ts';
import { commands } from './program/commands.ts';
import { growHeapAtOnce } from './program/heap-growth.ts';
import { ProgramLog } from './program/program-log.ts';
import { startBlock } from './program/start-block.ts';
import { print } from './program/standard-output.ts';
import { readWholeFile } from './storage/checkpoint-file.ts';
import { nodeFileSystem } from './storage/node-file-system.ts';
import { releaseVersion } from './version.ts';

const largestConfigBytes = 1024 * 1024;
const stopSignals = ['SIGINT', 'SIGTERM'] as const;

async function main(args: readonly string[]): Promise<number> {
  const line = parseCommandLine(args);
  switch (line.kind) {
    case 'version':
      await print(`${releaseVersion()}\n`);
      return 0;
    case 'help': {
      const { helpText } = await import('./program/help.ts');
      await print(helpText(releaseVersion(), commands));
      return 0;
    }
    case 'command': {
      const command = commands.get(line.name);
      // Who started the program may not read on.
      process.stdout.on('error', () => {});
      if (command !== undefined) return (await command.load()).run(line.args);
      process.stderr.write(`millrace: There is no command ${line.name}: see millrace --help.\n`);
      return 1;
    }
    case 'start':
      return run(line.flags);
  }
}

/** Starts a broker and resolves once it was told to stop and has done so. */
async function run(flags: Flags): Promise<number> {
  const { options, logLevel, unknown } = gatherOptions(flags, process.env, readText);
  const log = new ProgramLog(logLevel, () => process.stderr.isTTY);
  try {
    for (const { name, source } of unknown) log.warn({ name, source }, 'A setting is not known and has no effect.');
    // From here on a signal must not cut anything short.
    const asked = stopSignal();
    let fail: (error: Error) => void = () => {};
    const failed = new Promise<Error>((resolve) => (fail = resolve));
    const broker = await startBroker({
      ...options,
      ownsThread: true,
      logger: log,
      levelledLog: log,
      onDefect: (error) => fail(error),
    });
    announce(broker, log);
    growHeapAtOnce(systemClock);
    const reason = await Promise.race([asked, failed]);
    if (reason instanceof Error) log.error({ error: reason }, 'The broker stops because of a defect in it.');
    else log.info({ signal: reason }, 'The broker stops.');
    await broker.close();
    if (reason instanceof Error) return 1;
    log.info({}, 'The broker has stopped.');
    return 0;
  } finally {
    // A write that nobody takes blocks a thread that an exit would wait for. All else is done by now.
    if (!(await log.close())) process.kill(process.pid, 'SIGKILL');
  }
}

function announce(broker: RunningBroker, log: ProgramLog): void {
  // What `performance` is made of takes a millisecond to load.
  const startedInMs = process.uptime() * 1000;
  // A stop does not wait for who does not read it.
  void print(startBlock({ ...broker, startedInMs }));
  const { kafka, http, dataDirectory, clusterId, nodeId, version, missingHttp } = broker;
  if (missingHttp !== null) log.warn({}, missingHttp);
  log.info({ kafka, http, dataDirectory, clusterId, nodeId, version, startedInMs }, 'The broker serves.');
}

/** Resolves with the first signal that asks for a stop. The second does not wait for it. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of stopSignals) {
      process.on(signal, () => {
        if (asked) process.exit(1);
        asked = true;
        resolve(signal);
      });
    }
  });
}

function readText(path: string): string | null {
  const bytes = readWholeFile(nodeFileSystem, path, largestConfigBytes);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

/** A failure of the environment is one sentence; anything else is a defect, whose trace helps to find it. */
function explain(error: unknown): string {
  if (error instanceof EnvironmentError) return `millrace: ${error.message}\n`;
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `millrace: This is a defect in Millrace: please report it.\n${trace}\n`;
}

/** Does what the command line asks for, and ends the process. */
export async function runProgram(): Promise<never> {
  // What nobody caught leaves the broker in a state that nobody knows; what it acknowledged is safe from a sudden end.
  process.on('uncaughtException', (error) => {
    process.stderr.write(explain(error));
    process.exit(1);
  });
  let exitCode: number;
  try {
    exitCode = await main(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(explain(error));
    exitCode = 1;
  }
  process.exit(exitCode);
}
