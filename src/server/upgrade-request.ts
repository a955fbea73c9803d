/**
 * What a WebSocket upgrade request says, read with suspicion: who may connect, and by which name it reached us.
 * Any thread; pure functions over header values. Sources: RFC 6455 (WebSocket), RFC 6454 (origins).
 */

/**
 * The host and port of a Host header (port 80 where it names none), IPv6 addresses without brackets; null where it is
 * not one.
 */
export function hostAndPort(header: string): { readonly host: string; readonly port: number } | null {
  // Whatever a URL could hold besides a host must not pass for one.
  if (header.length > 262 || !/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.test(header)) return null;
  if (!URL.canParse(`http://${header}`)) return null;
  const url = new URL(`http://${header}`);
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname;
  return { host, port: url.port === '' ? 80 : Number(url.port) };
}

/**
 * Whether a page of `origin` may connect to `host` (both as the headers have them). No Origin header: not a browser,
 * which could send any. Otherwise the page must come from this host and port, or be in `allowed` (`*`: all). A name says
 * nothing of where a page came from, since anybody can have a name of theirs lead here (DNS rebinding): only an address,
 * localhost and `ownName`, which clients are told to use, count as this host.
 */
export function isOriginAllowed(
  origin: string,
  host: string,
  allowed: readonly string[],
  ownName: string | null,
): boolean {
  if (origin === '' || allowed.includes('*')) return true;
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  if (allowed.some((entry) => URL.canParse(entry) && new URL(entry).origin === url.origin && url.origin !== 'null')) {
    return true;
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return false;
  // The scheme tells which port a Host header without one means: behind a TLS proxy the page is https.
  const own = `${url.protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === url.host && isOwnName(url.hostname, ownName);
}

/**
 * Whether a request without an Origin header may come by the name in `host`, over a port that only this machine reaches.
 * Browsers send none where a page reads from the server that it came from, so that a page whose name was made to lead
 * here (DNS rebinding) shows by its Host header alone: it must be an address, localhost, `ownName`, or that of an origin
 * in `allowed` (`*`: any).
 */
export function isHostAllowed(host: string, allowed: readonly string[], ownName: string | null): boolean {
  if (allowed.includes('*')) return true;
  if (!URL.canParse(`http://${host}`)) return false;
  const { hostname } = new URL(`http://${host}`);
  return (
    isOwnName(hostname, ownName) || allowed.some((entry) => URL.canParse(entry) && new URL(entry).hostname === hostname)
  );
}

/** Whether `host`, on which a server listens, is reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Whether a page can have come from `hostname`, as URLs have it, only where that is this machine. */
function isOwnName(hostname: string, ownName: string | null): boolean {
  const isAddress = hostname.startsWith('[') || /^\d+(\.\d+){3}$/.test(hostname);
  return isAddress || hostname === 'localhost' || hostname === ownName?.toLowerCase();
}

/**
 * The subprotocol to answer to a Sec-WebSocket-Protocol header: the first of `spoken` that is offered, or none where none
 * is offered; null where only others are.
 */
export function chooseSubprotocol(offered: string, spoken: readonly string[]): string | null {
  if (offered.trim() === '') return '';
  const names = offered.split(',').map((name) => name.trim());
  return spoken.find((name) => names.includes(name)) ?? null;
}

/** The text of a 4 or 16 byte address; IPv4 addresses mapped into IPv6 as IPv4. Empty for other lengths. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return '';
  const mapped = bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((byte) => byte === 0);
  if (mapped) return bytes.subarray(12).join('.');
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i]! << 8) | bytes[i + 1]!).toString(16));
  // The URL parser writes the shortest form (RFC 5952).
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
