/**
 * The addresses of doors as people write them: `HOST:PORT`, `[::1]:PORT`, a bare port, or `off`. Any thread.
 */

/** Where a door listens, or is said to be. Port 0: any free one. */
export interface DoorAddress {
  readonly host: string;
  readonly port: number;
}

const largestPort = 65_535;

/**
 * Reads `HOST:PORT`, where an IPv6 host stands in brackets, or a bare port, which means loopback. Null where `text` is
 * neither. An empty host is refused too: who means every address writes 0.0.0.0.
 */
export function parseDoorAddress(text: string): DoorAddress | null {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+(?:%\w+)?)\]|([^\s:[\]/]+)):)?(\d{1,5})$/.exec(text.trim());
  if (match === null) return null;
  const port = Number(match[3]);
  return port > largestPort ? null : { host: match[1] ?? match[2] ?? '127.0.0.1', port };
}

/** `HOST:PORT`, with brackets around an IPv6 host. */
export function formatDoorAddress({ host, port }: DoorAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Whether only this machine reaches `host`. A name counts only where it is localhost's. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|::ffff:127(\.\d{1,3}){3})$/i.test(host);
}

/** Whether `host` stands for all addresses of the machine. */
export function isEveryAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** An address that a client on this machine can use: for every-address hosts the loopback one. */
export function reachable({ host, port }: DoorAddress): DoorAddress {
  return { host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port };
}
