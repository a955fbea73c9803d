/**
 * Has a server of node:net listen without what `Server.listen` loads before it does: node:cluster with node:child_process, and
 * node:dns for every host, which takes longer than all else that opening a port takes. I/O thread.
 *
 * `listen` asks whether it runs in a worker of node:cluster, which would share its ports, and calls `_listen2`. That method is
 * Node's own and not in its documentation: tests listen through it, and where it is missing `listen` is called. A worker of
 * node:cluster so gets a port of its own, which is the only thing that would make sense for a broker.
 */

import { isIP, type Server } from 'node:net';

type DirectServer = Server & {
  _listen2?(address: string, port: number, addressType: number, backlog: number): void;
};

/** As `_listen2` is told of a path, in place of a port and of the kind of an address. */
const none = -1;

/** Has `server` listen on the socket at `path`. It tells by its events, as after `listen`. */
export function listenOnPath(server: Server, path: string, backlog: number): void {
  const direct: DirectServer = server;
  if (direct._listen2 === undefined) server.listen({ path, backlog, exclusive: true });
  else direct._listen2(path, none, none, backlog);
}

/** Has `server` listen on `port` of `host`, an address or a name. It tells by its events, as after `listen`. */
export function listenOnPort(server: Server, host: string, port: number, backlog: number): void {
  const direct: DirectServer = server;
  const addressType = isIP(host);
  if (addressType === 0 || direct._listen2 === undefined) server.listen({ host, port, backlog, exclusive: true });
  else direct._listen2(host, port, addressType, backlog);
}
