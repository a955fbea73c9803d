/** An HTTP server with parts of the test's own, and clients that send bytes as they are. */

import { connect } from 'node:net';
import { systemClock, type Clock } from '../../../src/base/clock.ts';
import type { LogFields, Logger } from '../../../src/base/logger.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { ConnectionQuota } from '../../../src/server/connection-quota.ts';
import { HttpServer } from '../../../src/server/http-server.ts';
import type { HttpPart } from '../../../src/server/http-route.ts';
import { RawClient } from '../http-harness.ts';

/** A clock that is `aheadMs()` ahead of the system's, and whose timers fire soon. */
export function hurriedClock(aheadMs: () => number): Clock {
  return {
    ...systemClock,
    monotonicMs: () => systemClock.monotonicMs() + aheadMs(),
    heardMs: () => systemClock.heardMs() + aheadMs(),
    setTimer: (delayMs, callback) => systemClock.setTimer(Math.min(delayMs, 20), callback),
  };
}

export class WebHarness implements AsyncDisposable {
  readonly server: HttpServer;
  readonly quota: ConnectionQuota;
  readonly errors: LogFields[];
  readonly #clients: RawClient[] = [];

  private constructor(server: HttpServer, quota: ConnectionQuota, errors: LogFields[]) {
    this.server = server;
    this.quota = quota;
    this.errors = errors;
  }

  static async open(part: HttpPart, clock: Clock = systemClock): Promise<WebHarness> {
    const errors: LogFields[] = [];
    const logger: Logger = { ...silentLogger, error: (fields) => void errors.push(fields) };
    const quota = new ConnectionQuota({ largestCount: () => 1000, largestCountPerAddress: () => 1000 });
    const server = await HttpServer.open(
      {
        host: '127.0.0.1',
        port: 0,
        logger,
        quota,
        clock,
        idleMs: 600_000,
        ready: () => true,
        troubles: () => [],
        metrics: () => '',
      },
      [part],
    );
    return new WebHarness(server, quota, errors);
  }

  client(...parts: readonly (string | Uint8Array)[]): RawClient {
    const client = new RawClient(connect(this.server.address.port, '127.0.0.1'));
    this.#clients.push(client);
    for (const part of parts) client.send(part);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.end();
    await this.server.close();
  }
}
