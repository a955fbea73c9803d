/** A broker in this process, on free ports and a directory of its own, that remembers what it logs. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../src/base/assert.ts';
import type { LogFields, Logger } from '../../src/base/logger.ts';
import { startBroker, type RunningBroker } from '../../src/index.ts';
import type { DoorPorts } from '../fuzz/raw-connection.ts';

export interface LoggedLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: LogFields;
  readonly sentence: string;
}

export class BrokerInProcess implements DoorPorts, AsyncDisposable {
  readonly lines: LoggedLine[] = [];
  readonly defects: Error[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), 'millrace-faults-'));
  #broker: RunningBroker | null = null;

  static async start(settings: Readonly<Record<string, string>> = {}): Promise<BrokerInProcess> {
    const started = new BrokerInProcess();
    started.#broker = await startBroker({
      data: join(started.#directory, 'data'),
      kafka: '127.0.0.1:0',
      http: '127.0.0.1:0',
      settings,
      logger: started.#logger(),
      onDefect: (error) => started.defects.push(error),
    });
    return started;
  }

  get kafkaPort(): number {
    return present(this.#broker?.kafka, 'the door is open').port;
  }

  get httpPort(): number {
    return present(this.#broker?.http, 'the door is open').port;
  }

  /** What was logged as an error: there is none for whatever clients send. */
  get errors(): LoggedLine[] {
    return this.lines.filter(({ level }) => level === 'error');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#broker?.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #logger(): Logger {
    const at = (level: LoggedLine['level']) => (fields: LogFields, sentence: string) =>
      void this.lines.push({ level, fields, sentence });
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }
}
