/** What to tell the user when an address cannot be listened on; the same for every door. I/O thread. */

import { createServer } from 'node:net';
import { EnvironmentError, EnvironmentErrorCode, systemErrorCode } from '../base/environment-error.ts';

/** An environment error for a failure to listen on `host`:`port`. */
export function listenError(error: unknown, host: string, port: number): EnvironmentError {
  const at = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  switch (systemErrorCode(error)) {
    case 'EADDRINUSE':
      return new EnvironmentError(
        EnvironmentErrorCode.ADDRESS_IN_USE,
        `${at} is in use by another program: stop it, or choose another port (0 takes any free one).`,
        error,
      );
    case 'EACCES':
      return new EnvironmentError(
        EnvironmentErrorCode.ADDRESS_UNAVAILABLE,
        `${at} may not be opened by this user: choose a port above 1023, or run with the right to use it.`,
        error,
      );
    default:
      return new EnvironmentError(
        EnvironmentErrorCode.ADDRESS_UNAVAILABLE,
        `${at} cannot be listened on (${systemErrorCode(error) ?? String(error)}): choose an address of this machine.`,
        error,
      );
  }
}

/** The error that listening on `host`:`port` meets now, for servers that do not tell; null where it succeeds. */
export function probeListen(host: string, port: number): Promise<Error | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', resolve);
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(null)));
  });
}
