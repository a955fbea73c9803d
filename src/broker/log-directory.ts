/** The one log directory, as the requests about such see it. Any thread. */

import type { Broker } from './broker.ts';

/** Its path, as the settings have it. */
export function logDirectory({ config }: Broker): string {
  return config.text('log.dirs') ?? config.text('log.dir') ?? '';
}
