/**
 * The loggers whose levels clients see and change (KIP-412), by Kafka's names for levels. Any thread.
 * There is one, the root: all lines of the broker go through it. A change lasts until the broker stops.
 */

import { ErrorCode } from '../base/error-code.ts';
import type { LevelledLog } from '../base/logger.ts';
import { ConfigOperation, type ConfigChange } from './config-change.ts';
import { invalidRequest } from './config-resource.ts';
import { shownName } from './shown-name.ts';
import type { ChangeResult } from './topic-catalog.ts';

const root = 'root';

/** Kafka's levels and ours. What it alone has is the nearest one here. */
const levels = new Map([
  ['DEBUG', 'debug'],
  ['ERROR', 'error'],
  ['FATAL', 'error'],
  ['INFO', 'info'],
  ['TRACE', 'debug'],
  ['WARN', 'warn'],
] as const);

export class LoggerLevels {
  readonly #log: LevelledLog | null;

  /** `log` is what the lines go through; null where its level is not the broker's to change. */
  constructor(log: LevelledLog | null) {
    this.#log = log;
  }

  names(): readonly string[] {
    return this.#log === null ? [] : [root];
  }

  /** The level of a logger that there is, as Kafka calls it. */
  level(name: string): string | null {
    const level = name === root ? this.#log?.level : undefined;
    if (level === undefined) return null;
    return level === 'silent' ? 'OFF' : level.toUpperCase();
  }

  /** Makes the changes, all or none; errors as Kafka gives them. */
  alter(changes: readonly ConfigChange[], validateOnly: boolean): ChangeResult {
    for (const change of changes) {
      const problem = this.#problemOf(change);
      if (problem !== null) return problem;
    }
    for (const { value } of validateOnly ? [] : changes) {
      const level = [...levels].find(([name]) => name === value)?.[1];
      if (level !== undefined && this.#log !== null) this.#log.level = level;
    }
    return { errorCode: ErrorCode.NONE, message: null };
  }

  #problemOf({ name, operation, value }: ConfigChange): ChangeResult | null {
    const invalid = (message: string): ChangeResult => ({ errorCode: ErrorCode.INVALID_CONFIG, message });
    if (operation === ConfigOperation.APPEND || operation === ConfigOperation.SUBTRACT) {
      const verb = operation === ConfigOperation.APPEND ? 'APPEND' : 'SUBTRACT';
      return invalidRequest(`${verb} operation is not allowed for the BROKER_LOGGER resource`);
    }
    if (!this.names().includes(name)) return invalid(`Logger ${shownName(name)} does not exist!`);
    if (operation === ConfigOperation.DELETE) {
      return invalidRequest('Removing the log level of the root logger is not allowed');
    }
    const names = [...levels.keys()];
    if (names.some((level) => level === value)) return null;
    return invalid(
      `Cannot set the log level of ${name} to ${shownName(value ?? '')} as it is not a supported log level. Valid log levels are ${names.join(', ')}`,
    );
  }
}
