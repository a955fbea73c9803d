/**
 * Whether a port could be opened, found out without opening it: so that a start can refuse before it touches anything,
 * and nobody who waits for the port takes the look for the broker. I/O thread.
 *
 * A client socket may name the address that it comes from. Binding to it fails exactly where listening on it would,
 * and a socket that does not listen accepts nobody. Between this look and the opening the port may still be taken.
 */

import { connect, isIP } from 'node:net';
import type { EnvironmentError } from '../base/environment-error.ts';
import { listenError } from './listen-error.ts';

/** Nobody is expected there (tcpmux, RFC 1078); the connection matters only for the address that it comes from. */
const idlePort = 1;
const loopbackAddress = '127.0.0.1';
/** Binding is done at once; who waits longer waits for an answer that a firewall swallowed. */
const boundWithinMs = 200;

/** The error that listening on `host`:`port` would meet now, or null. Port 0 is always free. */
export async function probePort(host: string, port: number): Promise<EnvironmentError | null> {
  // Hardly anything can be wrong with it, and a broker that is started for a test need not make sockets to find that out.
  if (port === 0 && host === loopbackAddress) return null;
  let address = host;
  if (isIP(host) === 0) {
    try {
      const { lookup } = await import('node:dns/promises');
      ({ address } = await lookup(host));
    } catch (error) {
      return listenError(error, host, port);
    }
  }
  const error = await bind(address, port);
  return error === null ? null : listenError(error, host, port);
}

function bind(address: string, port: number): Promise<Error | null> {
  return new Promise((resolve) => {
    const idleHost = isIP(address) === 6 ? '::1' : loopbackAddress;
    const socket = connect({ host: idleHost, port: idlePort, localAddress: address, localPort: port });
    socket.setTimeout(boundWithinMs, () => socket.destroy());
    socket.on('connect', () => socket.destroy());
    // Whatever the connection met afterwards, the address could be had.
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.syscall === 'bind' ? error : null));
    socket.on('close', () => resolve(null));
  });
}
