/**
 * The commands beside starting a broker: `millrace NAME …`. Each is loaded when it is called, so that none costs the
 * broker's start anything. Any thread.
 */

export interface Command {
  /** One line of `--help`. */
  readonly summary: string;
  /** Loads the command. */
  load(): Promise<CommandModule>;
}

export interface CommandModule {
  /**
   * Runs the command with the arguments behind its name and resolves with the exit code. An `EnvironmentError` that it
   * throws becomes one sentence and exit code 1.
   */
  run(args: readonly string[]): Promise<number>;
}

/** One a line, by name, as in `['verify', { summary: '…', load: () => import('./verify.ts') }]`. */
export const commands: ReadonlyMap<string, Command> = new Map([]);
