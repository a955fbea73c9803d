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

/** By name. */
export const commands: ReadonlyMap<string, Command> = new Map([
  [
    'verify',
    {
      summary: 'checks a data directory that no broker uses, and repairs it',
      load: async () => ({ run: (await import('../verify/verify-command.ts')).runVerify }),
    },
  ],
]);
