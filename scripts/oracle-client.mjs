/**
 * Asks a broker over TCP with the project's own codecs, one request at a time, for scripts/oracle.mjs.
 * It imports the built codecs: run `npm run build` first.
 */

import { once } from 'node:events';
import { connect } from 'node:net';
import * as generated from '../dist/protocol/generated/index.js';
import { decodeResponseHeader, encodeRequestHeader, isFlexible } from '../dist/protocol/headers.js';
import { Reader } from '../dist/protocol/reader.js';
import { Writer } from '../dist/protocol/writer.js';

const sizePrefixBytes = 4;
const patienceMs = 10_000;

export class OracleClient {
  #address;
  #clientId;
  #socket = null;
  #correlationId = 0;

  /** `address` is HOST:PORT. */
  constructor(address, clientId = 'oracle') {
    this.#address = address;
    this.#clientId = clientId;
  }

  /** The decoded response, or `'closed'` where the broker closes the connection instead of answering. */
  async ask(apiKey, version, fields) {
    const api = generated.apis.get(apiKey);
    const writer = new Writer(true);
    const header = { apiKey, apiVersion: version, correlationId: ++this.#correlationId, clientId: this.#clientId };
    encodeRequestHeader(writer, header, isFlexible(api, version));
    api.encodeRequest(writer, { ...generated[`default${api.name}Request`](), ...fields }, version);
    const socket = (this.#socket ??= await this.#connect());
    for (const part of writer.finish()) socket.write(part);
    const frame = await readFrame(socket);
    if (frame === null) {
      this.close();
      return 'closed';
    }
    const reader = new Reader(frame);
    decodeResponseHeader(reader, api, version);
    const response = api.decodeResponse(reader, version);
    reader.expectEnd();
    return response;
  }

  close() {
    this.#socket?.destroy();
    this.#socket = null;
  }

  async #connect() {
    const [host, port] = this.#address.split(':');
    const socket = connect({ host, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    socket.on('error', () => socket.destroy());
    return socket;
  }
}

/** The next frame without its size prefix; null where the connection ends before it. No bytes follow it: one asks at a time. */
function readFrame(socket) {
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    const deadline = setTimeout(() => socket.destroy(new Error('no response')), patienceMs);
    const finish = (frame) => {
      clearTimeout(deadline);
      socket.off('data', take);
      socket.off('close', ended);
      resolve(frame);
    };
    const ended = () => finish(null);
    const take = (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < sizePrefixBytes) return;
      if (received.length >= sizePrefixBytes + received.readInt32BE(0)) finish(received.subarray(sizePrefixBytes));
    };
    socket.on('data', take);
    socket.on('close', ended);
  });
}
