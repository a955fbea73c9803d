/** NATS with JetStream as a server that is measured, and its own command line client; Go builds both. Main thread. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerKind } from '../load/server-under-test.ts';
import { installed, Missing } from './cache.ts';
import { canRun, runCommand } from './commands.ts';
import { freePorts, loopback } from './ports.ts';

export const natsServerVersion = '2.15.2';
export const natsClientVersion = '0.5.1';

/** `isSynced`: `sync_interval: always`; else its default, which syncs every two minutes. Throws `Missing`. */
export function nats(isSynced: boolean, onNote: (note: string) => void): ServerKind {
  const binary = goBinary(
    'nats-server',
    `github.com/nats-io/nats-server/v2@v${natsServerVersion}`,
    natsServerVersion,
    onNote,
  );
  return {
    name: `NATS ${natsServerVersion}${isSynced ? ', sync always' : ''}`,
    command: async (directory) => {
      const [port, webSocketPort] = (await freePorts(2)) as [number, number];
      const settings = join(directory, 'nats.conf');
      const sync = isSynced ? ', sync_interval: always' : '';
      const store = JSON.stringify(join(directory, 'data'));
      const lines = [
        `listen: "${loopback}:${port}"`,
        `websocket { listen: "${loopback}:${webSocketPort}", no_tls: true }`,
        `jetstream { store_dir: ${store}${sync} }`,
      ];
      writeFileSync(settings, `${lines.join('\n')}\n`);
      return {
        file: binary,
        args: ['-c', settings],
        doors: (printed) => {
          if (!printed.includes('Server is ready')) return null;
          return { nats: { host: loopback, port }, webSocket: { host: loopback, port: webSocketPort } };
        },
      };
    },
  };
}

/** The path of the client `nats`. Throws `Missing`. */
export function natsClient(onNote: (note: string) => void): string {
  return goBinary('nats', `github.com/nats-io/natscli/nats@v${natsClientVersion}`, natsClientVersion, onNote);
}

function goBinary(name: string, module: string, version: string, onNote: (note: string) => void): string {
  const folder = installed(`${name}-${version}`, onNote, (into) => {
    if (!canRun('go', 'version')) throw new Missing('Go cannot be run here, and builds NATS: NATS is left out');
    runCommand('go', ['install', module], { environment: { GOBIN: into } });
  });
  return join(folder, name);
}
