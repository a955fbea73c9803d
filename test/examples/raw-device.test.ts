/** The device of examples/raw-device, whose connection a proxy cuts again and again: each message is stored once, in order. */

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { JsonClient, startDoors } from '../server/door-harness.ts';

interface DeviceLike {
  send(message: string): void;
  flushed(): Promise<void>;
  stop(): void;
}
type DeviceClass = new (options: { url: string; topic: string; name: string }) => DeviceLike;

it('loses nothing and repeats nothing through cuts', async () => {
  const path = '../../examples/raw-device/device.js';
  const { Device } = (await import(path)) as { Device: DeviceClass };
  await using doors = await startDoors();
  const open = new Set<Socket>();
  /** Cuts each connection after so many bytes of the device's: they reach the broker, acknowledgements do not come back. */
  let cutsLeft = 4;
  const proxy = createServer((client) => {
    const broker = connect(doors.broker.http!.port, '127.0.0.1');
    let bytes = 0;
    for (const [socket, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        other.end();
      });
      socket.on('data', (data: Buffer) => {
        other.write(data);
        if (socket !== client || cutsLeft === 0 || (bytes += data.length) < 5000) return;
        cutsLeft--;
        client.destroy();
      });
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const url = `ws://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const device = new Device({ url, topic: 'readings', name: 'sensor-7' });
  const count = 2000;
  for (let i = 0; i < count; i++) {
    device.send(`reading ${i}`);
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await device.flushed();
  device.stop();
  expect(cutsLeft).toBe(0);
  await using reader = await JsonClient.open(doors.url);
  await reader.ask({ type: 'subscribe', subscription: 's', topics: ['readings'], from: 'earliest' });
  const read = await reader.records(count);
  expect(read.map(({ text }) => text)).toEqual(Array.from({ length: count }, (_, i) => `reading ${i}`));
  expect((await reader.ask({ type: 'ping' })).type).toBe('pong');
  for (const socket of open) socket.destroy();
  proxy.close();
});
