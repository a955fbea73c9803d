/** What is an IP address, and which texts mean the same. Any thread; sockets are the doors' (server/), and this needs none. */

/** Dotted IPv4, or IPv6 in hexadecimal groups with `::` at most once. */
export function isIP(text: string): boolean {
  return isIPv4(text) || isIPv6(text);
}

function isIPv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}

function isIPv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false;
  return halves.length === 2 ? groups.length < 8 : groups.length === 8;
}

/** The address as sockets name it: IPv6 in lower case, without leading zeros, its longest run of zeros as `::` (RFC 5952). */
export function canonicalIP(address: string): string {
  return isIPv6(address) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}
